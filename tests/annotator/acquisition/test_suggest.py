"""Who is asked next: another rater where people differ or a clip is noisy, else a first one."""

import pytest

from annotator.acquisition.suggest import MOST_RATERS, suggest
from annotator.errors import UsageError
from annotator.store.engine import open_store
from review_clips import Facts
from selection_world import World

HAPPY, SAD = ("labelled", ("happy",)), ("labelled", ("sad",))


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "a.db") as opened:
        yield opened


@pytest.fixture
def world(store):
    return World(store, bald=True)


def clips_of(found, needs):
    return {one.clip_id: one.reason for one in found.suggestions if one.needs == needs}


def test_where_people_differ_another_rater_is_needed_the_most_divided_first(world):
    world.answers(world.ids[0], 1, [HAPPY, HAPPY, SAD])
    world.answers(world.ids[1], 2, [HAPPY, SAD])
    world.answers(world.ids[2], 3, [HAPPY, HAPPY])
    found = clips_of(suggest(world.store, world.model_id, 10), "another")
    assert found == {
        world.ids[1]: "people differ: 1 of 2 say happy, 1 of 2 say sad",
        world.ids[0]: "people differ: 2 of 3 say happy, 1 of 3 say sad",
    }
    assert list(found) == [world.ids[1], world.ids[0]]


def test_people_may_differ_on_whether_a_clip_can_be_judged(world):
    world.answers(world.ids[0], 1, [HAPPY, ("unusable", ())])
    (reason,) = clips_of(suggest(world.store, world.model_id, 10), "another").values()
    assert reason == "people differ: 1 of 2 call it unusable"


def test_many_raters_who_differ_need_no_other(world):
    world.answers(world.ids[0], 1, [HAPPY, SAD, *[HAPPY] * (MOST_RATERS - 2)])
    assert clips_of(suggest(world.store, world.model_id, 10), "another") == {}


def test_one_answer_to_a_noisy_clip_is_not_enough_and_to_a_clear_one_is(world):
    world.answers(world.ids[-1], 1, [HAPPY])
    world.answers(world.ids[0], 2, [HAPPY])
    world.answers(world.ids[-2], 3, [HAPPY, HAPPY])
    found = clips_of(suggest(world.store, world.model_id, 10), "another")
    assert list(found) == [world.ids[-1]]
    assert (
        "one answer, and its variance of 12.000 is in the highest quarter" in found[world.ids[-1]]
    )


def test_first_raters_go_where_the_model_does_not_know(world):
    world.answers(world.ids[-1], 1, [HAPPY])
    found = suggest(world.store, world.model_id, 2)
    assert found.by == "bald"
    assert found.notes == ()
    first = clips_of(found, "first")
    assert list(first) == [world.ids[-2], world.ids[-3]]
    assert first[world.ids[-2]].startswith(
        "nobody has answered, and its bald of 0.833 is number 1 of 11: the model does not know"
    )


def test_without_bald_model_versions_tell_and_without_those_entropy_which_is_said(store):
    world = World(store)
    found = suggest(store, world.model_id, 3)
    assert found.by == "entropy"
    assert "no clip has an epistemic score" in found.notes[0]
    other = store.register_model(Facts(name="m2", weights_hash="b" * 64))
    world.save(other, shift=0.03)
    found = suggest(store, world.model_id, 1)
    assert (found.by, found.notes) == ("ensemble", ())
    assert list(clips_of(found, "first")) == [world.ids[-1]]


def test_once_all_is_answered_that_is_said(world):
    for task, clip in enumerate(world.ids, start=1):
        world.answers(clip, task, [HAPPY, HAPPY])
    found = suggest(world.store, world.model_id, 5)
    assert found.suggestions == ()
    assert found.notes == ("every clip that the model has annotated is answered",)


def test_a_model_without_answers_is_refused(world):
    other = world.store.register_model(Facts(name="m2", weights_hash="b" * 64))
    with pytest.raises(UsageError, match="has annotated no clips"):
        suggest(world.store, other, 5)
