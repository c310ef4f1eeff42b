"""Worker processes: one that dies costs its own file, a fault stops the run, none stays behind."""

import multiprocessing
import os
import signal
import struct
import time
from pathlib import Path

import pytest

import fake_extractors as fakes
import media_samples
from annotator.corpus.plan import PlanSettings
from annotator.corpus.sidecars import Sidecars
from annotator.engines import local
from annotator.engines.engine import JobDone
from annotator.engines.local import LocalEngine
from annotator.errors import EnvironmentFault
from annotator.stages import ClipFailed, Extracted, MediaFailed, MediaJob, bounds
from annotator.types import Segment

pytestmark = pytest.mark.timeout(60)

HASHES = "0123456789abcdef"


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return media_samples.audio(tmp_path_factory.mktemp("sound") / "sound.wav", seconds=1)


@pytest.fixture(autouse=True)
def nobody_left():
    yield
    assert multiprocessing.active_children() == []


def job(number: int, sound: Path, *texts: str) -> MediaJob:
    """A planned file with a clip of 100 ms for each of the texts."""
    clips = tuple(
        Segment(100 * place, 100 * place + 100, "manifest", text, "manifest")
        for place, text in enumerate(texts)
    )
    return MediaJob(
        media_id=number,
        path=sound,
        size=1,
        settings=PlanSettings(),
        sidecars=Sidecars(),
        content_hash=HASHES[number] * 8,
        planned=clips,
        wanted=frozenset(map(bounds, clips)),
    )


def engine(tmp_path: Path, workers: int = 1, at_load: str = "") -> LocalEngine:
    return LocalEngine(fakes.FakeSettings(tmp_path / "features", at_load), workers)


def outcome(events) -> dict[int, list[object]]:
    by_file: dict[int, list[object]] = {}
    for done, event in events:
        by_file.setdefault(done.media_id, []).append(event)
    return by_file


def test_a_worker_that_dies_costs_its_own_file_only(tmp_path, sound):
    texts = [("good",), ("good", "kill", "good"), ("good",), ("exit",), ("error", "good")]
    jobs = [job(number, sound, *words) for number, words in enumerate(texts)]
    with engine(tmp_path, workers=2) as running:
        found = outcome(running.run(iter(jobs)))
    kinds = {number: [type(event) for event in events] for number, events in found.items()}
    assert kinds == {
        0: [Extracted, JobDone],
        1: [Extracted, MediaFailed, JobDone],
        2: [Extracted, JobDone],
        3: [MediaFailed, JobDone],
        4: [ClipFailed, Extracted, JobDone],
    }
    assert "SIGKILL" in found[1][1].reason
    assert f"exit code {fakes.EXIT_CODE}" in found[3][0].reason
    assert found[4][0].reason == "ValueError: this text is too much"
    assert found[0][-1].seconds["decode"] > 0


def test_a_fault_of_the_machine_stops_the_run_with_its_words(tmp_path, sound):
    jobs = iter([job(0, sound, "good", "fault"), job(1, sound, "good")])
    got = []
    with (
        pytest.raises(EnvironmentFault, match="the disk is full: free some space"),
        engine(tmp_path) as running,
    ):
        got.extend(running.run(jobs))
    assert next(jobs).media_id == 1, "no further file was begun"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("fault", "disk is full"),
        ("error", "too much"),
        ("exit", "died while loading.*exit code 7"),
        ("kill", "died while loading.*SIGKILL"),
    ],
)
def test_extractors_that_cannot_be_loaded_are_no_files_fault(tmp_path, sound, harm, words):
    with (
        pytest.raises(EnvironmentFault, match=words),
        engine(tmp_path, at_load=harm) as running,
    ):
        list(running.run(iter([job(0, sound, "good")])))


def test_leaving_ends_workers_that_are_stuck_in_bounded_time(tmp_path, sound):
    stuck = [job(number, sound, "good", "sleep") for number in range(2)]
    with engine(tmp_path, workers=2) as running:
        events = running.run(iter(stuck))
        assert {type(next(events)[1]) for _ in stuck} == {Extracted}, "both are at it"
        left = time.monotonic()
    assert time.monotonic() - left < 30, "they sleep for 60"


def test_asked_to_stop_it_finishes_the_clip_and_begins_no_file(tmp_path, sound):
    begun, asked = tmp_path / "begun", tmp_path / "asked"
    second = f"{fakes.NOTE}{begun} {fakes.GATE}{asked}"
    jobs = iter([job(0, sound, "good", second, "good"), job(1, sound, "good")])
    with engine(tmp_path) as running:
        kinds = []
        for _, event in running.run(jobs):
            while not begun.exists():
                time.sleep(0.01)
            running.finish_clips_in_flight()
            asked.touch()
            kinds.append(type(event))
    assert kinds == [Extracted, Extracted, JobDone], "not the third clip"
    assert event == JobDone(event.seconds, complete=False)
    assert next(jobs).media_id == 1


def test_asking_to_stop_from_a_signal_handler_never_waits(tmp_path):
    """Whatever the main process is at when the signal comes; a lock would be waited for here."""
    with engine(tmp_path) as running:
        before = signal.signal(signal.SIGALRM, lambda *_: running.finish_clips_in_flight())
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
            deadline = time.monotonic() + 0.3
            while time.monotonic() < deadline:
                list(running.run(iter([])))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def test_ctrl_c_while_a_worker_starts_does_not_kill_it(tmp_path, sound, monkeypatch):
    start = LocalEngine._start

    def start_and_interrupt(self):
        worker = start(self)
        os.kill(worker.process.pid, signal.SIGINT)
        return worker

    monkeypatch.setattr(LocalEngine, "_start", start_and_interrupt)
    with engine(tmp_path) as running:
        found = outcome(running.run(iter([job(0, sound, "good")])))
    assert [type(event) for event in found[0]] == [Extracted, JobDone]


def test_starting_a_worker_leaves_signals_as_they_were():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with local._interrupts_held():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before


def test_a_worker_that_died_idle_is_replaced(tmp_path, sound):
    with engine(tmp_path) as running:

        def jobs():
            yield job(0, sound, "good")
            running._workers[0].process.kill()
            running._workers[0].process.join()
            yield job(1, sound, "good")
            yield job(2, sound, "good")

        found = outcome(running.run(jobs()))
    assert [type(event) for event in found[1]] == [MediaFailed, JobDone]
    assert [type(event) for event in found[2]] == [Extracted, JobDone]


def test_a_worker_that_dies_in_the_middle_of_a_message_costs_its_file(tmp_path, sound):
    ours, theirs = multiprocessing.Pipe()
    os.write(theirs.fileno(), struct.pack("!i", 1_000) + b"the first of a thousand bytes")
    theirs.close()
    process = multiprocessing.get_context("spawn").Process(target=os._exit, args=(3,))
    process.start()
    running = engine(tmp_path)
    running._workers = [worker := local._Worker(process, ours, job(0, sound, "good"), True)]
    failed, done = (event for _, event in running._receive(worker))
    assert isinstance(failed, MediaFailed)
    assert "exit code 3" in failed.reason
    assert isinstance(done, JobDone)
    assert running._workers == []
