"""Selections from a real store: what they go by, what they leave out, and what they say of it."""

import pytest

from annotator.acquisition.named import SCORES
from annotator.acquisition.pool import Plan
from annotator.acquisition.propose import NoCandidates, propose
from annotator.errors import UsageError
from annotator.store.engine import open_store
from annotator.store.records import ClipResult, ClipScores
from review_clips import LABELS, Facts
from selection_world import FEATURES, World, labels_of


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


@pytest.mark.parametrize("select", ["top", "kcenter"])
def test_clips_can_be_left_out_until_none_is_left(world, select):
    first = propose(world.store, world.model_id, "variance", Plan(5, select=select)).clips
    rest = propose(
        world.store, world.model_id, "variance", Plan(12, select=select), leaving_out=first
    )
    assert set(rest.clips) == set(world.ids) - set(first)
    with pytest.raises(NoCandidates, match="`annotate run CORPUS` first"):
        propose(world.store, world.model_id, "variance", Plan(1), leaving_out=world.ids)
