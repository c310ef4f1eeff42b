"""Selections from a real store: what they go by, what they leave out, and what they say of it."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from annotator.acquisition.named import SCORES
from annotator.acquisition.pool import Plan
from annotator.acquisition.propose import propose
from annotator.errors import UsageError
from annotator.store.engine import open_store
from annotator.store.records import ClipResult, ClipScores, FreshScores, LabelScores
from annotator.store.review_records import Answer, GivenLabel
from annotator.types import Absent, ClipFeatures, Features, Segment, Source
from review_clips import INFO, LABELS, Facts

CLIPS = 12
FEATURES = ClipFeatures(
    Absent("no face", "faces@1"), Features(np.zeros((7, 2), np.float16), "s@1"), Absent("", "t@1")
)


def labels_of(n: int, *, shift: float = 0.0) -> tuple[LabelScores, ...]:
    p = (0.9 - shift, min(0.04 * n + shift, 1.0), 0.1)
    return tuple(
        LabelScores(label, value, min(value + 0.01 * n, 1.0), 0.5, value, None, 3.0, None)
        for label, value in zip(LABELS, p, strict=True)
    )


class World:
    """A store with twelve clips of three files, the last the least certain, and its answers."""

    def __init__(self, store, *, latents: bool = True, bald: bool = False, speakers=True) -> None:
        self.store = store
        self.model_id = store.register_model(Facts())
        self.run_id = store.start_run(self.model_id, {}, "0.1.0")
        files = [Path(f"/c/{name}.mp4") for name in "abc"]
        store.sync_sources(self.run_id, [(Source(path, 1, 5), "key") for path in files])
        self.ids = []
        for media in store.pending(self.run_id, self.model_id):
            plan = [
                Segment(10_000 * n, 10_000 * n + 1000 * (n + 1), "windows",
                        speaker=f"s{n}" if speakers else None)
                for n in range(4)
            ]  # fmt: skip
            waiting = store.save_plan(media.media_id, media.path.name, INFO, plan, self.model_id)
            self.ids += [clip.clip_id for clip in waiting]
        self.save(self.model_id, latents, bald)

    def save(self, model_id, latents=True, bald=False, shift=0.0) -> None:
        results = []
        for n, clip in enumerate(self.ids):
            scores = (labels_of(n, shift=shift * n), float(n + 1), 0.5, 1 - n / CLIPS,
                      n / CLIPS if bald else None)  # fmt: skip
            latent = np.array([n % 3, n // 3], "<f2").tobytes()
            made = FreshScores(*scores, latent) if latents else ClipScores(*scores)
            results.append(ClipResult(clip, FEATURES, made))
        self.store.save_results(self.run_id, model_id, results)

    def answer(self, clip: int, number: int, *labels: str, seconds: float = 9.0) -> None:
        project = self.store.save_project("http://ls", 1, "t", LABELS).project_id
        self.store.begin_sending(project, self.model_id, {f"s{clip}": clip}, shown=True)
        self.store.sent(project, {f"s{clip}": number})
        when = datetime(2026, 3, 1, tzinfo=UTC)
        given = tuple(GivenLabel(label, None, None) for label in labels)
        said = Answer(number, number, "ann", "labelled", given, not labels, None, seconds, None,
                      [], when, when)  # fmt: skip
        self.store.save_answers(project, {number: [said]})


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "a.db") as opened:
        yield opened


@pytest.fixture
def world(store):
    return World(store, bald=True)


@pytest.mark.parametrize("name", sorted(set(SCORES) - {"ensemble"}))
def test_every_score_can_be_selected_by(world, name):
    found = propose(world.store, world.model_id, name, Plan(5, audit=0))
    values = list(found.scores.values())
    assert len(values) == 5
    assert values == sorted(values, reverse=True)
    assert found.shortfall == ()


@pytest.mark.parametrize("by", ["variance", "margin", "bald", "least-confidence"])
def test_the_least_certain_come_first(world, by):
    found = propose(world.store, world.model_id, by, Plan(3, audit=0))
    assert found.clips[0] == world.ids[-1]


def test_an_ensemble_takes_two_versions(world):
    with pytest.raises(UsageError, match=r"takes two trained model versions.*here is 1"):
        propose(world.store, world.model_id, "ensemble", Plan(2))
    other = world.store.register_model(Facts(name="m2", weights_hash="b" * 64))
    world.save(other, shift=0.03)  # the later the clip, the more they differ
    found = propose(world.store, world.model_id, "ensemble", Plan(3, audit=0))
    assert found.clips[0] == world.ids[-1]


@pytest.mark.parametrize("select", ["kcenter", "kmeans"])
def test_latents_spread_a_selection(world, select):
    found = propose(world.store, world.model_id, "variance", Plan(4, select=select, audit=0))
    assert len(found.clips) == 4
    plain = propose(world.store, world.model_id, "variance", Plan(4, audit=0))
    assert set(found.clips) != set(plain.clips)


def test_without_latents_a_geometric_selection_is_refused(store):
    world = World(store, latents=False)
    for plan in (Plan(2, select="kcenter"), Plan(2, near=0.9)):
        with pytest.raises(UsageError, match="goes by latents"):
            propose(store, world.model_id, "variance", plan)


def test_clips_that_lack_a_latent_are_left_out_and_said_to_be(world):
    scores = ClipScores(labels_of(0), 100.0, 0.5, 0.5, None)
    world.store.save_results(
        world.run_id, world.model_id, [ClipResult(world.ids[0], FEATURES, scores)]
    )
    found = propose(world.store, world.model_id, "variance", Plan(12, select="kcenter", audit=0))
    assert world.ids[0] not in found.clips
    assert found.notes == ("1 clips were annotated before latents were kept and left out",)
    assert found.shortfall == ("the pool has 11 candidates",)


def test_a_score_that_no_clip_has_is_refused(store):
    world = World(store)
    with pytest.raises(UsageError, match="--mc-dropout 20"):
        propose(store, world.model_id, "bald", Plan(2))
    with pytest.raises(UsageError, match="no score 'luck'"):
        propose(store, world.model_id, "luck", Plan(2))


def test_answered_clips_are_left_out_of_a_selection(world):
    world.answer(world.ids[-1], 7, "happy")
    found = propose(world.store, world.model_id, "variance", Plan(3, audit=0.4))
    assert world.ids[-1] not in found.clips
    every = propose(world.store, world.model_id, "variance", Plan(12, audit=0), to_ask=False)
    assert every.clips == tuple(reversed(world.ids))


def test_the_audit_is_spread_among_the_others(world):
    found = propose(world.store, world.model_id, "variance", Plan(8, audit=0.25))
    places = [place for place, clip in enumerate(found.clips) if clip in found.audit]
    assert len(found.audit) == 2
    assert places[0] < 4 <= places[1]


def test_caps_go_by_speaker_and_by_file(world):
    found = propose(world.store, world.model_id, "variance", Plan(12, audit=0, per_speaker=1))
    assert len(found.clips) == 4
    found = propose(world.store, world.model_id, "variance", Plan(12, audit=0, per_video=1))
    assert len(found.clips) == 3


def test_a_cap_of_speakers_whom_nobody_knows_is_refused(store):
    world = World(store, speakers=False)
    with pytest.raises(UsageError, match="use --per-video"):
        propose(store, world.model_id, "variance", Plan(2, per_speaker=1))


def test_the_cost_of_a_clip_follows_from_the_answers(world):
    plan = Plan(12, audit=0, per_second=True)
    before = propose(world.store, world.model_id, "entropy", plan).clips
    seconds = [1, 2, 3, 4] * 3
    of_length = dict(zip(world.ids, seconds, strict=True))
    assert [of_length[clip] for clip in before] == sorted(seconds)  # all entropies are the same
    world.answer(world.ids[3], 7, "happy", seconds=104.0)
    after = propose(world.store, world.model_id, "variance", plan).clips
    assert after[0] == world.ids[-1]  # with 100 s a clip, length hardly matters


def test_the_usual_number_of_labels_is_that_of_people(world):
    noted = propose(world.store, world.model_id, "cardinality", Plan(2, audit=0))
    assert noted.notes == (
        "nobody has answered yet: the usual number of labels is the model's own mean",
    )
    world.answer(world.ids[0], 7, *LABELS)
    found = propose(world.store, world.model_id, "cardinality", Plan(2, audit=0))
    assert found.notes == ()
    assert set(found.scores.values()) == {2.0}  # the model gives one label, people three


def test_nothing_to_select_from_is_said(world):
    with pytest.raises(UsageError, match="no unanswered clips of split 'val'"):
        propose(world.store, world.model_id, "variance", Plan(2), split="val")
