"""A simulated cluster of two nodes: the rows of a local run, whatever is lost on the way."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

import fake_extractors as fakes
import media_samples
from annotator.corpus.plan import PlanSettings
from annotator.corpus.sidecars import Sidecars
from annotator.engines import ray_engine
from annotator.engines.engine import JobDone
from annotator.engines.ray_cluster import ClusterState, connect
from annotator.engines.ray_engine import EVENTS_AHEAD, RayEngine
from annotator.engines.ray_worker import Release
from annotator.errors import EnvironmentFault, UsageError
from annotator.features.cache import FeatureCache
from annotator.stages import ClipFailed, Extracted, MediaFailed, MediaJob, bounds
from annotator.types import Absent, ClipFeatures, Features, Segment
from commands import annotate, count, kill, rows, start

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

REPOSITORY = Path(__file__).resolve().parents[3]
TOLERANCE = 1e-5  # of other batches' float32; features and all else have to be the same
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
NAMES = fakes.tools()
OPTIONS = ("--segment", "windows", "--window", "2", "--json")


class Simulated:
    """The head and one more node, which has a GPU as far as Ray knows."""

    def __init__(self) -> None:
        self._cluster = cluster_utils.Cluster(
            initialize_head=True, head_node_args={**NODE, "include_dashboard": False}
        )
        self._second = self._cluster.add_node(**NODE, num_gpus=1)

    @property
    def address(self) -> str:
        return self._cluster.address

    @property
    def is_whole(self) -> bool:
        return self._second is not None

    def kill_a_node(self) -> None:
        """As a power cut does it."""
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = None

    def heal(self) -> None:
        if not self.is_whole:
            self._second = self._cluster.add_node(**NODE, num_gpus=1)

    def shutdown(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    """Its processes find the modules of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        found = Simulated()
        yield found
        found.shutdown()


@pytest.fixture
def cluster(simulated) -> Simulated:
    simulated.heal()
    return simulated


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return media_samples.audio(tmp_path_factory.mktemp("sound") / "sound.wav", seconds=9)


@dataclass
class Watcher:
    states: list[ClusterState] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def cluster(self, state: ClusterState) -> None:
        self.states.append(state)

    def node(self, note: str) -> None:
        self.notes.append(note)


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
        content_hash=f"{number:08x}",
        planned=clips,
        wanted=frozenset(map(bounds, clips)),
    )


def engine(cluster: Simulated, folder: Path, workers: int = 2, **changes) -> RayEngine:
    given = {
        "tools": fakes.FakeSettings(folder / "unused", changes.pop("at_load", "")),
        "cache": FeatureCache(folder / "features"),
        "workers": workers,
        "address": cluster.address,
        "watch": Watcher(),
    }
    return RayEngine(**(given | changes))


def outcome(events) -> dict[int, list[object]]:
    by_file: dict[int, list[object]] = {}
    for done, event in events:
        by_file.setdefault(done.media_id, []).append(event)
    return by_file


def starts(events: list[object]) -> list[int]:
    return sorted(event.segment.start_ms for event in events if isinstance(event, Extracted))


def test_a_poison_file_is_tried_three_times_and_costs_nothing_else(cluster, tmp_path, sound):
    tried = tmp_path / "tried"
    texts = [
        ("good",),
        ("good", "good", f"{fakes.NOTE}{tried} exit", "good"),
        ("error", "good"),
        ("kill",),
        ("good",),
    ]
    jobs = [job(number, sound, *words) for number, words in enumerate(texts)]
    with engine(cluster, tmp_path) as running:
        found = outcome(running.run(iter(jobs)))
    kinds = {number: [type(event) for event in events] for number, events in found.items()}
    assert kinds == {
        0: [Extracted, JobDone],
        1: [Extracted, Extracted, MediaFailed, JobDone],
        2: [ClipFailed, Extracted, JobDone],
        3: [MediaFailed, JobDone],
        4: [Extracted, JobDone],
    }
    assert found[1][2].stage == "worker"
    assert "3 worker processes died on this file" in found[1][2].reason
    assert tried.read_text() == "..."


def test_a_lost_node_costs_time_only(cluster, tmp_path, sound):
    watch = Watcher()
    jobs = [job(number, sound, *["slow"] * 10) for number in range(3)]
    got = []
    with engine(cluster, tmp_path, watch=watch) as running:
        for event in running.run(iter(jobs)):
            got.append(event)
            if cluster.is_whole and {file.media_id for file, _ in got} == {0, 1}:
                cluster.kill_a_node()
        while not watch.notes:  # Ray takes its time to be sure
            time.sleep(0.5)
            running._look(now=True)
    for events in outcome(got).values():
        assert starts(events) == [100 * place for place in range(10)]
        assert [type(event) for event in events[10:]] == [JobDone]
    assert "was lost" in watch.notes[0]
    assert watch.states[-1].nodes == 1


def test_a_node_that_joins_is_given_work(cluster, tmp_path, sound):
    cluster.kill_a_node()
    watch = Watcher()
    both_at_work = ClusterState(2, 2, 2)

    def jobs() -> Iterator[MediaJob]:
        number = 0
        while both_at_work not in watch.states:
            yield job(number := number + 1, sound, "slow", "slow")

    with engine(cluster, tmp_path, watch=watch) as running:
        for _ in running.run(jobs()):
            cluster.heal()
    assert any("has joined with 1 CPU cores" in note for note in watch.notes)


def test_a_worker_is_only_so_far_ahead(cluster, tmp_path, sound):
    made = tmp_path / "made"
    with engine(cluster, tmp_path, workers=1) as running:
        events = running.run(iter([job(0, sound, *[f"{fakes.NOTE}{made}"] * 60)]))
        next(events)
        before = -1
        while before != (before := made.stat().st_size):
            time.sleep(1)
        assert before <= EVENTS_AHEAD + 3
        assert sum(isinstance(event, Extracted) for _, event in events) == 59


def test_asked_to_stop_it_finishes_the_clip_and_begins_no_file(cluster, tmp_path, sound):
    jobs = iter([job(0, sound, *["slow"] * 60), job(1, sound, "good")])
    with engine(cluster, tmp_path, workers=1) as running:
        kinds = []
        for _, event in running.run(jobs):
            running.finish_clips_in_flight()
            kinds.append(type(event))
    assert kinds[-1] is JobDone
    assert event == JobDone(event.seconds, complete=False)
    assert len(kinds) <= 20
    assert next(jobs).media_id == 1


def test_what_the_cache_holds_is_not_sent_and_what_arrives_is_kept(cluster, tmp_path, sound):
    cache = FeatureCache(tmp_path / "features")
    first = job(0, sound, "good", "good")
    clip = ClipFeatures(
        visual=Absent("no video stream", NAMES.visual.id),
        audio=Features(np.ones((3, 2), np.float16), NAMES.audio.id),
        text=Features(np.ones((1, 2), np.float16), NAMES.text.id),
        transcript="good",
        transcript_origin="manifest",
    )
    other = replace(clip, text=Features(np.ones((1, 2), np.float16), "older@1"))
    for segment, features in zip(first.planned, (clip, other), strict=True):
        cache.put(first.content_hash, segment, features, NAMES)
    gone = replace(
        first, media_id=1, path=tmp_path / "gone.wav", wanted=frozenset([bounds(first.planned[0])])
    )
    with engine(cluster, tmp_path, workers=1) as running:
        found = outcome(running.run(iter([gone, first])))
    assert [type(event) for event in found[1]] == [Extracted, JobDone], "nobody opened the file"
    here, partly = found[0][:2]
    np.testing.assert_array_equal(here.features.audio.values, clip.audio.values)
    np.testing.assert_array_equal(partly.features.audio.values, clip.audio.values)
    assert partly.features.text.values.tolist() == [[4, 1]], "only this was made"
    kept = cache.peek(first.content_hash, bounds(first.planned[1]))
    assert kept.text.extractor == NAMES.text.id


def test_a_file_that_a_node_does_not_have_says_so(cluster, tmp_path):
    with engine(cluster, tmp_path, workers=1) as running:
        found = outcome(running.run(iter([job(0, tmp_path / "gone.wav", "good")])))
    assert [type(event) for event in found[0]] == [MediaFailed, JobDone]
    assert "not on node" in found[0][0].reason


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("fault", "on node .*the disk is full"),
        ("error", "on node .*cannot load the extractors .*too much"),
        ("exit", "workers die while they start"),
    ],
)
def test_extractors_that_cannot_be_loaded_are_no_files_fault(cluster, tmp_path, sound, harm, words):
    with (
        pytest.raises(EnvironmentFault, match=words),
        engine(cluster, tmp_path, at_load=harm) as running,
    ):
        list(running.run(iter([job(0, sound, "good")])))


def test_a_fault_of_a_node_stops_the_run(cluster, tmp_path, sound):
    with (
        pytest.raises(EnvironmentFault, match=r"on node .*the disk is full"),
        engine(cluster, tmp_path) as running,
    ):
        list(running.run(iter([job(0, sound, "good", "fault")])))


def test_a_node_with_another_version_is_refused(cluster, tmp_path, sound, monkeypatch):
    monkeypatch.setattr(ray_engine, "release", lambda: Release("0.0.9", "ab" * 32))
    with (
        pytest.raises(
            EnvironmentFault, match=r"node .* has annotate .* this machine annotate 0\.0\.9"
        ),
        engine(cluster, tmp_path) as running,
    ):
        list(running.run(iter([job(0, sound, "good")])))


def test_without_ray_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'annotate-emotions\[ray\]'"):
        connect(None)


@pytest.mark.parametrize("address", ["nowhere", "ray://x:1", "host:port", ":1"])
def test_what_is_no_address_is_wrong_use(address):
    with pytest.raises(UsageError, match="expected auto or HOST:PORT"):
        connect(address)


def test_an_address_where_nobody_listens_is_told_at_once():
    with pytest.raises(EnvironmentFault, match=r"nothing answers at 127\.0\.0\.1:1 "):
        connect("127.0.0.1:1")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    media_samples.video(folder / "long.mp4", seconds=14)
    for number in range(2):
        media_samples.video(folder / f"short{number}.mp4", seconds=1 + number)
    (folder / "broken.mp4").write_bytes(b"no media at all")
    return folder


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory) -> Path:
    """The workspace of a local run."""
    workspace = tmp_path_factory.mktemp("undisturbed") / "w"
    done = annotate("run", corpus, "--workspace", workspace, *OPTIONS)
    assert done.code == 1, "broken.mp4 fails, and only that"
    return workspace


def arguments(cluster: Simulated, corpus: Path, workspace: Path) -> tuple[object, ...]:
    return (
        *("run", corpus, "--workspace", workspace, *OPTIONS),
        *("--engine", "ray", "--address", cluster.address),
    )


def assert_same(workspace: Path, expected: Path) -> None:
    """All rows and the features, byte by byte, but for the last digits of a model's answers."""
    ours, theirs = rows(workspace), rows(expected)
    assert ours.keys() == theirs.keys()
    for clip, labels in theirs.items():
        assert ours[clip].keys() == labels.keys()
        for label, numbers in labels.items():
            assert ours[clip][label] == pytest.approx(numbers, abs=TOLERANCE), (clip, label)
    assert features(workspace) == features(expected)


def features(workspace: Path) -> dict[str, bytes]:
    root = workspace / "features"
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*.safetensors")}


def test_a_run_has_the_rows_and_features_of_a_local_one(cluster, corpus, undisturbed, tmp_path):
    done = annotate(*arguments(cluster, corpus, tmp_path / "w"))
    assert done.code == 1, done.err
    assert done.json["clips"] == len(rows(undisturbed)), "and nothing else on the output stream"
    assert_same(tmp_path / "w", undisturbed)
    again = annotate(*arguments(cluster, corpus, tmp_path / "w"))
    assert (again.code, again.json["clips"]) == (0, 0)


@pytest.mark.parametrize("victim", ["node", "driver"])
def test_a_kill_in_mid_run_leads_to_the_same_rows(cluster, corpus, undisturbed, tmp_path, victim):
    workspace = tmp_path / "w"
    process = start(*arguments(cluster, corpus, workspace))
    while len(features(workspace)) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    if victim == "node":
        cluster.kill_a_node()
        _, err = process.communicate(timeout=90)
        assert process.returncode == 1, err
    else:
        kill(process)
        assert annotate(*arguments(cluster, corpus, workspace)).code in (0, 1)
    assert_same(workspace, undisturbed)


def test_ctrl_c_finishes_the_clips_in_flight_and_the_local_engine_goes_on(
    corpus, undisturbed, tmp_path
):
    """With a Ray of the run's own, whose processes the terminal interrupts as well."""
    workspace = tmp_path / "w"
    process = start("run", corpus, "--workspace", workspace, *OPTIONS, "--engine", "ray")
    while not features(workspace):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert 0 < count(workspace, "prediction") < len(rows(undisturbed))
    annotate("run", corpus, "--workspace", workspace, *OPTIONS)
    assert_same(workspace, undisturbed)


def test_an_address_without_the_engine_is_wrong_use(corpus, tmp_path):
    done = annotate("run", corpus, "--workspace", tmp_path / "w", "--address", "auto")
    assert done.code == 2
    assert "add --engine ray" in done.err
