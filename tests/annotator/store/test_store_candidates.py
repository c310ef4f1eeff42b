"""The arrays a selection is made from: one row a clip, nothing lost and nothing twice."""

from datetime import UTC, datetime

import numpy as np
import pytest

from annotator.errors import EnvironmentFault
from annotator.store import candidates as module
from annotator.store.review_records import Answer
from annotator.types import Segment


def latent(*values: float) -> bytes:
    return np.array(values, "<f2").tobytes()


def answer(number: int, task: int, state: str) -> Answer:
    when = datetime(2026, 3, 1, tzinfo=UTC)
    return Answer(number, task, "ann", state, (), True, None, 3.0, None, [], when, when)


@pytest.fixture
def filled(world, make_result):
    """Two copies of a file with two clips, and another with one; all are answered by the model."""
    world.sync("a.mp4", "b.mp4", "c.mp4")
    both = [Segment(0, 1500, "vad", speaker="ann"), Segment(2000, 4000, "vad", split="val")]
    first = world.plan("a.mp4", both, content="same")
    world.plan("b.mp4", both, content="same")
    (third,) = world.plan("c.mp4", [Segment(0, 500, "vad", speaker="bob")], content="other")
    every = [clip for (clip,) in world.rows("SELECT id FROM clip")]
    world.store.save_results(
        world.run_id,
        world.model_id,
        [
            make_result(clip, clip / 10, p=(0.1, 0.2), bald=0.5 if clip == third else None,
                        latent=latent(clip, -1) if clip != first[1] else None)
            for clip in every
        ],
    )  # fmt: skip
    world.ids = (*first, third)
    return world


def found(world, split=None, *, to_ask=True, latents=True):
    return world.store.candidates(world.model_id, split, to_ask=to_ask, latents=latents)


@pytest.mark.parametrize("rows", [1, 2, 20_000])
def test_of_copies_one_is_asked_about(filled, monkeypatch, rows):
    monkeypatch.setattr(module, "ROWS", rows)
    given = found(filled)
    assert given.clip_id.tolist() == list(filled.ids)
    assert given.video.tolist() == [0, 0, 1]
    assert given.speaker.tolist() == [0, -1, 1]
    assert given.seconds.tolist() == [1.5, 2.0, 0.5]
    assert given.scores[:, 0].tolist() == [clip / 10 for clip in filled.ids]
    assert np.isnan(given.scores[:, 3]).tolist() == [True, True, False]
    assert given.latent.dtype == np.float16
    assert given.latent[[0, 2]].tolist() == [[filled.ids[0], -1], [filled.ids[2], -1]]
    assert np.isnan(given.latent[1]).all()


def test_all_copies_are_listed(filled):
    every = filled.rows("SELECT id FROM clip ORDER BY id")
    assert found(filled, to_ask=False).clip_id.tolist() == [clip for (clip,) in every]


def test_latents_only_where_asked_for_and_clips_of_a_split(filled):
    assert found(filled, latents=False).latent is None
    assert found(filled, "val").clip_id.tolist() == [filled.ids[1]]
    assert found(filled, "test").clip_id.tolist() == []


def test_clips_of_earlier_plans_are_none(filled):
    filled.plan("c.mp4", [Segment(100, 500, "vad")], content="other")
    assert found(filled).clip_id.tolist() == list(filled.ids[:2])


@pytest.mark.parametrize(
    ("state", "left"), [("labelled", False), ("unusable", False), ("skipped", True)]
)
def test_what_somebody_answered_is_left_out_with_its_copies(filled, state, left):
    copy = filled.rows("SELECT clip.id FROM clip JOIN media ON media.id = media_id "
                       "WHERE path = '/c/b.mp4' AND start_ms = 0")[0][0]  # fmt: skip
    project = filled.store.save_project("http://ls", 1, "t", ["happy"]).project_id
    filled.store.begin_sending(project, filled.model_id, {"s": copy}, shown=True)
    filled.store.sent(project, {"s": 7})
    filled.store.save_answers(project, {7: [answer(1, 7, state)]})
    assert (filled.ids[0] in found(filled, to_ask=True).clip_id) == left
    assert len(found(filled, to_ask=True).clip_id) == 2 + left
    assert len(found(filled, to_ask=False).clip_id) == 5
    filled.store.save_answers(project, {7: []})  # they took it back
    assert len(found(filled, to_ask=True).clip_id) == 3


def test_labels_answers_are_in_the_order_of_the_model(filled):
    ids = found(filled).clip_id
    given = filled.store.label_answers(filled.model_id, ids[1:])
    assert given.shape == (4, 2, 2)
    assert given[:, 1].tolist() == [[0.1, 0.2], [0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]
    other = filled.store.label_answers(filled.model_id, np.array([10**6]))
    assert np.isnan(other).all()


def test_latents_of_several_lengths_are_damage(filled, make_result):
    bad = make_result(filled.ids[0], latent=latent(1, 2, 3))
    filled.store.save_results(filled.run_id, filled.model_id, [bad])
    with pytest.raises(EnvironmentFault, match="damaged"):
        found(filled)


def test_clips_come_in_the_order_that_was_asked_for(filled, monkeypatch):
    monkeypatch.setattr("annotator.store.ranking.CHUNK", 2)
    order = {filled.ids[2]: 0.25, filled.ids[0]: 0.5, filled.ids[1]: 0.125, 10**6: 1.0}
    given = list(filled.store.clips(filled.model_id, "random", order))
    assert [(clip.clip_id, clip.score) for clip in given] == list(order.items())[:3]
    stored = list(filled.store.clips(filled.model_id, "margin", order))
    assert {clip.score for clip in stored} == {0.2}
