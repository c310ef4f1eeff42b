"""Predictions of tasks: the stored ones, those from cached features, and none at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from annotator.errors import UsageError
from annotator.labelstudio import live
from annotator.labelstudio.live import LiveAnswers, open_answering
from annotator.labelstudio.payload import confidence
from annotator.types import Absent, Features
from live_world import EXTRACTORS, clip_features, live_world
from review_clips import Facts, scores

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("data"), inner),
    max_leaves=8,
)
HOSTILE = JSON | st.fixed_dictionaries({"data": JSON | st.fixed_dictionaries({"sample_id": JSON})})


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with live_world(tmp_path_factory.mktemp("live")) as world:
        yield world


@pytest.fixture
def own_world(tmp_path):
    with live_world(tmp_path) as world:
        yield world


def in_time() -> bool:
    return False


NOTHING: list[object] = []  # an empty prediction would stay on the server


def test_a_stored_answer_is_given_with_labels_confidence_and_uncertainty(world):
    first, second, third = LiveAnswers(world.answering)(world.tasks()[:3], in_time)
    uncertainty = {"variance": 6.0, "entropy": 0.5, "margin": 0.2, "bald": None}
    assert first == {
        "model_version": world.version,
        "score": confidence(scores((0.9, 0.2, 0.1))),
        "uncertainty": uncertainty,
        "result": [
            {
                "id": "emotions",
                "from_name": "emotions",
                "to_name": "video",
                "type": "choices",
                "value": {"choices": ["happy"]},
                "meta": {"uncertainty": uncertainty},
            }
        ],
    }
    # The thresholds of the training: 0.6 is not happy, 0.7 is sad; nothing at all is neutral.
    assert second["result"][0]["value"]["choices"] == ["sad"]
    assert third["result"][0]["value"]["choices"] == ["neutral"]


def test_without_an_answer_the_cached_features_are_put_through_the_model(own_world):
    for clip in range(3):
        own_world.keep(clip)
    tasks = own_world.tasks()
    found = LiveAnswers(own_world.answering)(tasks, in_time)
    expected = own_world.answering.predictor([clip_features(clip) for clip in range(3)])
    assert len(found) == len(tasks)
    for said, answer in zip(found[-3:], expected, strict=True):
        assert said["uncertainty"]["variance"] == pytest.approx(answer.variance, rel=1e-5)
        assert said["score"] == pytest.approx(confidence(answer), rel=1e-5)
    assert len({said["uncertainty"]["variance"] for said in found[-3:]}) == 3


@pytest.mark.parametrize(
    "kept",
    [
        {"transcript": "other words"},
        {"transcript": None},
        {"audio": Features(clip_features(0).text.values, "sound@2")},
        {"visual": Absent("no face", "faces@0")},
        {"audio": Absent("mute", "sound@1"), "text": Absent("mute", "text@1")},
        None,
    ],
    ids=lambda kept: "none" if kept is None else " ".join(kept),
)
def test_features_of_another_making_are_not_used(own_world, kept):
    if kept is not None:
        own_world.keep(0, **kept)
    own_world.keep(1)
    answers = LiveAnswers(own_world.answering)
    tasks = own_world.tasks()[-3:]
    first, second, third = answers(tasks, in_time)
    assert first == third == NOTHING
    assert second["score"] > 0.5


def test_a_damaged_cache_costs_that_answer_only(own_world):
    own_world.keep(0)
    own_world.keep(1)
    next(own_world.cache.root.rglob("0-1500.safetensors")).write_bytes(b"\xff" * 40)
    first, second, _ = LiveAnswers(own_world.answering)(own_world.tasks()[-3:], in_time)
    assert first == NOTHING
    assert second["score"] > 0.5


def test_an_answer_about_what_the_file_was_before_is_not_given(own_world):
    with own_world.review.store._write() as connection:
        connection.exec_driver_sql("UPDATE media SET content_hash = 'changed' WHERE id = 1")
    found = LiveAnswers(own_world.answering)(own_world.tasks()[:6], in_time)
    assert found == [NOTHING] * 6


def test_a_stored_number_that_is_none_costs_that_answer_only(own_world, caplog):
    tasks = own_world.tasks()[:2]
    first = own_world.review.ranked()[0].clip_id
    with own_world.review.store._write() as connection:
        connection.exec_driver_sql(
            "UPDATE label_prediction SET p = 9e999 WHERE clip_id = ?", (first,)
        )
    found = LiveAnswers(own_world.answering)(tasks, in_time)
    assert found[0] == NOTHING
    assert found[1]["score"] > 0.5
    assert "a stored answer is of no use" in caplog.text


@given(st.lists(HOSTILE | st.integers(0, 5), max_size=12))
def test_hostile_tasks_get_nothing_and_the_others_their_own(world, drawn):
    """A small number stands for the task of that place."""
    good = world.tasks()
    answers = LiveAnswers(world.answering)
    own = answers(good[:6], in_time)
    ours = [type(item) is int and 0 <= item <= 5 for item in drawn]
    tasks = [good[item] if mine else item for item, mine in zip(drawn, ours, strict=True)]
    expected = [own[item] if mine else NOTHING for item, mine in zip(drawn, ours, strict=True)]
    assert answers(tasks, in_time) == expected


def test_more_tasks_than_a_look_up_takes_keep_their_order(world, monkeypatch):
    monkeypatch.setattr(live, "TASKS", 4)
    tasks = world.tasks()[:6]
    many = [*tasks, None, *reversed(tasks), *tasks]
    found = LiveAnswers(world.answering)(many, in_time)
    own = found[:6]
    assert found == [*own, NOTHING, *reversed(own), *own]


def test_what_is_too_late_gets_nothing(own_world, monkeypatch):
    monkeypatch.setattr(live, "BATCH", 1)
    for clip in range(3):
        own_world.keep(clip)
    looks = iter([False, False, False, True])

    def out_of_time() -> bool:
        return next(looks, True)

    found = LiveAnswers(own_world.answering)(own_world.tasks()[-3:], out_of_time)
    assert [bool(said) for said in found] == [True, True, False]
    assert LiveAnswers(own_world.answering)(own_world.tasks(), lambda: True) == [NOTHING] * len(
        own_world.tasks()
    )


def test_hundreds_of_tasks_are_a_handful_of_queries(world):
    tasks = world.tasks() * 50
    said: list[str] = []

    def note(_connection, _cursor, statement, *_):
        said.append(statement)

    engine = world.review.store._reading
    event.listen(engine, "before_cursor_execute", note)
    try:
        LiveAnswers(world.answering)(tasks, in_time)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert sum(statement.startswith("SELECT") for statement in said) == 4


def test_a_model_without_its_files_is_refused(world, tmp_path):
    facts = Facts(name="m2", extractors=EXTRACTORS, path=tmp_path)
    with pytest.raises(UsageError, match="no model in"):
        open_answering(world.review.store, world.cache, facts, "cpu")
