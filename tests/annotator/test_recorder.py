"""Events become rows: in batches of like length, at once where they fail, never twice."""

import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from annotator import recorder as recorder_module
from annotator.clock import StageClock
from annotator.corpus.plan import PlanSettings
from annotator.corpus.sidecars import Sidecars
from annotator.engines.engine import JobDone
from annotator.recorder import BATCH_CLIPS, BUFFER_CLIPS, Observer, Recorder
from annotator.stages import ClipFailed, Extracted, MediaFailed, MediaJob, Planned
from annotator.store.engine import open_store
from annotator.store.records import ClipScores, LabelScores
from annotator.types import Absent, ClipFeatures, Features, MediaInfo, Segment, Source

INFO = MediaInfo("wav", 1_000_000, None, None)


@dataclass(frozen=True)
class Model:
    name: str = "m"
    weights_hash: str = "00"
    labels: tuple[str, ...] = ("happy",)
    config: dict[str, object] = field(default_factory=dict)
    extractors: dict[str, str] = field(default_factory=dict)
    trained: bool = True
    path: Path | None = None
    parent: str | None = None


class Watcher(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.failures: list[tuple[object, ...]] = []

    def noted(self, path, note):
        self.notes.append(f"{path.name}: {note}")

    def failed(self, path, where, stage, reason):
        self.failures.append((path.name, where, stage, reason))


class Bench:
    """A recorder over a real store, with one file to do and a model that counts."""

    def __init__(self, folder: Path, clips: int, size: int = 1_000) -> None:
        self.store = open_store(folder / "annotate.db")
        self.path = folder / "a.wav"
        self.model_id = self.store.register_model(Model())
        self.run_id = self.store.start_run(self.model_id, {}, "0")
        self.store.sync_sources(self.run_id, [(Source(self.path, size, 0), "key")])
        (media,) = pending = self.store.pending(self.run_id, self.model_id)
        self.clock, self.observer = StageClock(), Watcher()
        self.batches: list[list[int]] = []
        self.loads = 0
        self.recorder = Recorder(
            self.store,
            self.run_id,
            self.model_id,
            self._load,
            self.clock,
            self.observer,
            pending,
        )
        self.job = MediaJob(media.media_id, self.path, size, PlanSettings(), Sidecars())
        self.segments = tuple(Segment(n * 1_000, (n + 1) * 1_000, "windows") for n in range(clips))

    def _load(self):
        self.loads += 1
        return SimpleNamespace(each=lambda batches: map(self._predict, batches))

    def _predict(self, clips):
        self.batches.append([clip.audio.steps for clip in clips])
        label = LabelScores("happy", 0.5, 0.5, 0.5, 0.5, None, 1.0, None)
        return [ClipScores((label,), float(clip.audio.steps), 1.0, 0.0, None) for clip in clips]

    def plan(self, *notes: str) -> None:
        self.handle(Planned("ab" * 16, INFO, self.segments, notes))

    def extracted(self, number: int, steps: int = 1) -> None:
        absent = Absent("not there", "x@1")
        audio = Features(np.ones((steps, 2), np.float16), "x@1")
        self.handle(Extracted(self.segments[number], ClipFeatures(absent, audio, absent)))

    def handle(self, event) -> None:
        self.recorder.handle(self.job, event)

    def stored(self) -> int:
        return len(self.store.top(self.model_id))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_module, "BUFFER_SECONDS", 3600.0)
    made = []

    def make(clips: int) -> Bench:
        made.append(Bench(tmp_path, clips))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


def test_no_model_is_loaded_before_the_first_answer_is_due(bench):
    b = bench(2)
    b.plan()
    b.extracted(0)
    assert (b.loads, b.stored()) == (0, 0)
    b.recorder.flush()
    b.extracted(1)
    b.recorder.flush()
    assert (b.loads, b.stored()) == (1, 2)
    assert b.recorder.progress.clips == 2


def test_batches_are_of_like_length_and_each_clip_gets_its_own_answer(bench):
    count = BATCH_CLIPS + 8
    b = bench(count)
    b.plan()
    lengths = np.random.default_rng(0).permutation(np.arange(1, count + 1)).tolist()
    for number, steps in enumerate(lengths):
        b.extracted(number, steps)
    b.recorder.flush()
    assert [len(batch) for batch in b.batches] == [BATCH_CLIPS, 8]
    assert [*chain(*b.batches)] == sorted(lengths)
    stored = {clip.start_ms // 1_000: clip.score for clip in b.store.top(b.model_id)}
    assert stored == dict(enumerate(map(float, lengths)))


def test_a_full_buffer_is_written(bench):
    b = bench(BUFFER_CLIPS + 1)
    b.plan()
    for number in range(BUFFER_CLIPS - 1):
        b.extracted(number)
    assert b.stored() == 0
    b.extracted(BUFFER_CLIPS - 1)
    assert b.stored() == BUFFER_CLIPS
    b.extracted(BUFFER_CLIPS)
    assert b.stored() == BUFFER_CLIPS


def test_what_has_waited_long_is_written_with_the_next_event(bench, monkeypatch):
    b = bench(2)
    b.plan()
    b.extracted(0)
    assert b.stored() == 0
    monkeypatch.setattr(recorder_module, "BUFFER_SECONDS", 0.01)
    time.sleep(0.02)
    b.handle(JobDone({}))
    assert b.stored() == 1


def test_failures_are_written_at_once_and_told(bench):
    b = bench(2)
    b.plan()
    b.handle(ClipFailed(b.segments[0], "decode", "cut"))
    b.handle(MediaFailed("worker", "died"))
    assert {(f.clip_id is None, f.stage, f.reason) for f in b.store.failures()} == {
        (False, "decode", "cut"),
        (True, "worker", "died"),
    }
    assert b.observer.failures == [
        ("a.wav", (0, 1_000), "decode", "cut"),
        ("a.wav", None, "worker", "died"),
    ]
    assert b.recorder.progress.failures == 2


def test_notes_of_the_plan_are_told(bench):
    b = bench(1)
    b.plan("2 subtitle cues past the end of the file dropped")
    assert b.observer.notes == ["a.wav: 2 subtitle cues past the end of the file dropped"]


def test_progress_counts_bytes_and_seconds(bench):
    b = bench(1)
    assert (b.recorder.progress.files, b.recorder.progress.fraction) == (1, 0.0)
    b.plan()
    b.extracted(0)
    b.clock.add({"decode": 0.5})
    b.handle(JobDone({"decode": 2.0}))
    assert b.clock.seconds["decode"] == 2.5
    assert b.recorder.progress.media_ms == 1_000
    assert (b.recorder.progress.files_done, b.recorder.progress.fraction) == (1, 1.0)


def test_progress_moves_within_a_file_and_an_unfinished_one_is_not_counted(bench):
    b = bench(4)
    b.plan()
    b.extracted(0)
    assert b.recorder.progress.fraction == pytest.approx(1 / 4)
    b.extracted(2)
    assert b.recorder.progress.fraction == pytest.approx(3 / 4)
    b.handle(JobDone({}, complete=False))
    assert b.recorder.progress.fraction == pytest.approx(3 / 4)
    assert b.recorder.progress.files_done == 0


def test_a_clip_the_model_has_answered_is_not_asked_again(bench):
    b = bench(2)
    b.plan()
    b.extracted(0)
    b.recorder.flush()
    waiting = b.store.pending_clips(b.job.media_id, b.model_id)
    b.recorder.expect(
        b.job.media_id, {(c.segment.start_ms, c.segment.end_ms): c.clip_id for c in waiting}
    )
    b.extracted(0)
    b.extracted(1)
    b.recorder.flush()
    assert sum(map(len, b.batches)) == 2
    assert b.stored() == 2


def test_nothing_waiting_is_nothing_done(bench):
    b = bench(1)
    b.recorder.flush()
    assert (b.loads, b.batches) == (0, [])
