"""A clip as a task: what people and Label Studio get to see of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.labelstudio.interface import EMOTIONS, VIDEO, interface
from annotator.labelstudio.payload import (
    NO_TRANSCRIPT,
    Sent,
    check,
    confidence,
    prediction,
    sample_of,
    task,
    version_of,
)
from annotator.labelstudio.push import Outgoing, push
from review_clips import LABELS, THRESHOLDS, Facts, review_world, scores

SHAPE = interface(LABELS)
SENT = Sent(SHAPE, Facts(), THRESHOLDS, "variance", True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    with review_world(tmp_path_factory.mktemp("payload") / "a.db", 1) as world:
        return world.ranked()[0]


def picked(made: dict[str, object]) -> list[str]:
    return [choice for item in made["result"] for choice in item["value"]["choices"]]


@pytest.mark.parametrize(
    ("p", "labels"),
    [
        ((0.9, 0.2, 0.1), ["happy"]),
        ((0.5, 0.5, 0.4999), ["happy", "sad"]),
        ((0.0, 0.0, 0.0), ["neutral"]),
        ((1.0, 1.0, 1.0), ["happy", "sad", "anger"]),
    ],
)
def test_a_label_at_its_threshold_is_picked_and_none_is_neutral(p, labels):
    made = prediction(scores(p), SENT)
    assert picked(made) == labels
    assert {item["from_name"] for item in made["result"]} == {EMOTIONS}
    assert {item["to_name"] for item in made["result"]} == {VIDEO}


def test_each_label_has_a_threshold_of_its_own():
    sent = replace(SENT, thresholds={"happy": 0.95, "sad": 0.1, "anger": 0.2})
    assert picked(prediction(scores((0.9, 0.2, 0.1)), sent)) == ["sad"]


def test_nothing_is_picked_for_none_where_neutral_is_a_label_like_others():
    labels = ("happy", "sad", "neutral")
    made = prediction(scores((0.1, 0.1, 0.1)), replace(SENT, shape=interface(labels)))
    assert made["result"] == []


@given(p=st.tuples(*[st.floats(0, 1)] * 3))
def test_the_confidence_is_one_the_server_takes(p):
    sure = confidence(scores(p))
    assert 0.5 <= sure <= 1
    assert confidence(scores((0.5, 0.5, 0.5))) == 0.5
    assert confidence(scores((0.0, 1.0, 1.0))) == 1.0


def test_what_is_in_a_task(clip):
    made = task(clip, SENT, "/data/a.mp4")
    assert made["data"] == {
        "sample_id": sample_of("content", 0, 900), "video": "/data/a.mp4", "transcript": "words 0",
        "file": "a.mp4", "start": 0.0, "end": 0.9, "speaker": clip.speaker, "split": clip.split,
        "model_version": "m1 aaaaaaaa", "uncertainty": 1.0, "uncertainty_by": "variance",
        "variance": 1.0, "entropy": 0.5, "margin": 0.2, "bald": None,
        "p_happy": 0.9, "p_sad": 0.2, "p_anger": 0.1,
    }  # fmt: skip
    (said,) = made["predictions"]
    assert said["model_version"] == "m1 aaaaaaaa"
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_blind_tasks_carry_no_prediction(clip):
    shown, blind = task(clip, SENT, "v"), task(clip, replace(SENT, shown=False), "v")
    assert "predictions" not in blind
    assert blind["data"] == shown["data"]


def test_a_small_margin_is_much_uncertainty(clip):
    made = task(replace(clip, score=0.2), replace(SENT, by="margin"), "v")["data"]
    assert (made["uncertainty"], made["uncertainty_by"], made["margin"]) == (-0.2, "margin", 0.2)


def test_a_clip_without_words_says_so(clip):
    for text in (None, ""):
        assert task(replace(clip, text=text), SENT, "v")["data"]["transcript"] == NO_TRANSCRIPT


def test_a_name_that_is_no_text_is_spelled_out(clip):
    made = task(replace(clip, path=Path("/c/caf\udce9 😀.mp4")), SENT, "v")
    assert made["data"]["file"] == "caf\\udce9 😀.mp4"
    json.dumps(made, ensure_ascii=False).encode()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["score", "variance", "p"])
def test_a_score_that_is_no_number_is_refused(place, bad, clip):
    if place == "score":
        wrong = replace(clip, score=bad)
    elif place == "p":
        wrong = replace(clip, scores=scores((0.1, bad, 0.1)))
    else:
        wrong = replace(clip, scores=replace(clip.scores, variance=bad))
    with pytest.raises(ValueError, match=r"a score must be a finite number, got (nan|inf)"):
        task(wrong, SENT, "v")


@given(st.text(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_sample_is_named_by_its_content_and_bounds_alone(content, start, end):
    name = sample_of(content.encode("utf-8", "replace").decode(), start, end)
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")


def test_the_name_of_a_sample_never_changes():
    """Tasks on servers carry these: another rule would push everything again."""
    assert sample_of("ab", 0, 1500) == "3314bc8e66590a4e"
    assert len({sample_of("a", 1, 23), sample_of("a", 12, 3), sample_of("a 1", 2, 3)}) == 3


def test_models_of_one_name_are_told_apart():
    assert version_of(Facts(weights_hash="b" * 64)) == "m1 bbbbbbbb" != version_of(Facts())


def wrong(made: dict[str, object], **changes: object) -> dict[str, object]:
    (said,) = made["predictions"]
    return {**made, "predictions": [{**said, **changes}]}


def pick(*labels: str) -> list[object]:
    return [{"from_name": EMOTIONS, "value": {"choices": list(labels)}}]


BAD = [
    ({"result": pick("calm")}, r"no choice of the project: \['calm'\]"),
    ({"result": pick("happy", "Happy")}, r"no choice of the project: \['Happy'\]"),
    ({"score": 1.01}, "a score from 0 to 1"),
    ({"score": -0.1}, "a score from 0 to 1"),
    ({"score": float("nan")}, "a score from 0 to 1"),
    ({"model_version": ""}, "needs a version"),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_what_the_server_would_swallow_is_refused(changes, message, clip):
    good = task(clip, SENT, "v")
    check([good, task(clip, replace(SENT, shown=False), "v")], SHAPE)
    with pytest.raises(ValueError, match=message):
        check([good, wrong(good, **changes)], SHAPE)


def test_a_push_of_such_a_task_sends_nothing(tmp_path):
    with review_world(tmp_path / "a.db", 2) as world:
        project = world.store.save_project("http://nowhere.example", 1, "p", LABELS)
        good, bad = world.outgoing()
        bad = Outgoing(bad.sample, bad.clip_id, wrong(bad.payload, result=pick("calm")))
        with pytest.raises(ValueError, match="no choice of the project"):
            push(world.store, None, project, world.model_id, [good, bad], shown=True)
        assert world.store.tasks(project.project_id) == []
