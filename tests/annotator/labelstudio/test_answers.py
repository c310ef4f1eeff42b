"""What people answered, from whatever the server gives."""

import copy
import json
import re
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.labelstudio.answers import MAX_COMMENT, TaskAnswers, Unreadable, read_task
from annotator.labelstudio.interface import COMMENT, EMOTIONS, QUALITY, VIDEO, interface
from annotator.store.columns import epoch_ms
from annotator.store.review_records import Answer, GivenLabel

SHAPE = interface(["happy", "sad", "anger"])
PEOPLE = {1: "one@example.com"}
MOMENT = "2026-03-01T10:00:00.123456Z"


def picks(*chosen: str, name: str = EMOTIONS, origin: str | None = "manual") -> dict[str, object]:
    item = {"id": name, "from_name": name, "to_name": VIDEO, "type": "choices",
            "value": {"choices": list(chosen)}}  # fmt: skip
    return item if origin is None else {**item, "origin": origin}


def rating(label: str, stars: object) -> dict[str, object]:
    name = SHAPE.intensities[SHAPE.labels.index(label)]
    return {"id": name, "from_name": name, "to_name": VIDEO, "type": "rating",
            "value": {"rating": stars}, "origin": "manual"}  # fmt: skip


def comment(text: object) -> dict[str, object]:
    return {"id": "c", "from_name": COMMENT, "to_name": VIDEO, "type": "textarea",
            "value": {"text": text}, "origin": "manual"}  # fmt: skip


def annotation(*result: object, **more: object) -> dict[str, object]:
    return {
        "id": 7, "result": list(result), "was_cancelled": False, "completed_by": 1,
        "lead_time": 4.5, "created_at": MOMENT, "updated_at": MOMENT, "parent_prediction": None,
        **more,
    }  # fmt: skip


def task(*annotations: object, **more: object) -> dict[str, object]:
    return {"id": 3, "updated_at": MOMENT, "annotations": list(annotations), "data": {}, **more}


def only(*result: object, **more: object) -> tuple[Answer, tuple[str, ...]]:
    read = read_task(task(annotation(*result, **more)), SHAPE, PEOPLE)
    (answer,) = read.answers
    return answer, read.problems


UNUSABLE = picks("unusable", name=QUALITY)
MANUAL = "manual"
CASES = {
    "labels": ([picks("happy", "anger")], ("labelled", ["happy", "anger"], False)),
    "neutral": ([picks("neutral")], ("labelled", [], True)),
    "unusable": ([UNUSABLE], ("unusable", [], False)),
    "unusable and a label": ([picks("sad"), UNUSABLE], ("unusable", [], False)),
    "nothing": ([], ("empty", [], False)),
    "no choice": ([picks()], ("empty", [], False)),
    "only a comment": ([comment(["hm"])], ("empty", [], False)),
    "only a rating": ([rating("sad", 3)], ("empty", [], False)),
    "neutral and a label": ([picks("neutral", "sad")], ("labelled", ["sad"], False)),
    "an unknown label": ([picks("calm")], ("empty", [], False)),
    "an unknown label and one of ours": ([picks("calm", "sad")], ("labelled", ["sad"], False)),
    "a label twice": ([picks("sad", "sad")], ("labelled", ["sad"], False)),
    "picks that are no text": ([{**picks(), "value": {"choices": [1, None, ["sad"]]}}],
                               ("empty", [], False)),
    "another control's picks": ([picks("sad", name="mood")], ("empty", [], False)),
    "our control, another type": ([{**picks("sad"), "type": "labels"}], ("empty", [], False)),
    "a region": ([{"type": "videorectangle", "from_name": "box", "value": {"sequence": []}},
                  picks("sad")], ("labelled", ["sad"], False)),
    "a relation": ([{"type": "relation", "from_id": "a", "to_id": "b"}], ("empty", [], False)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_an_answer_says(name):
    result, (state, labels, neutral) = CASES[name]
    answer, _ = only(*result)
    assert (answer.state, [given.label for given in answer.labels]) == (state, labels)
    assert answer.neutral is neutral
    assert answer.result == result


def test_a_skip_keeps_the_prediction_in_its_result_and_gives_no_label():
    answer, problems = only(
        picks("happy", "gone", origin="prediction"), rating("happy", 2), was_cancelled=True
    )
    assert (answer.state, answer.labels, answer.neutral) == ("skipped", (), False)
    assert not problems
    assert only(UNUSABLE, was_cancelled=True)[0].state == "skipped"


@pytest.mark.parametrize(
    ("stars", "intensity"),
    [(1, 1), (5, 5), (0, None), (6, None), (2.5, None), (True, None), ("3", None), (None, None)],
)
def test_the_intensity_of_a_label(stars, intensity):
    answer, _ = only(picks("sad"), rating("sad", stars), rating("happy", 4))
    assert answer.labels == (GivenLabel("sad", intensity, MANUAL),)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ([picks("calm")], r"no label of the project: 'calm'"),
        ([picks("x" * 500)], r"no label of the project: 'x{60}'"),
        ([picks("a\nb\x1b[1m")], r"no label of the project: 'a\\nb\\x1b\[1m'"),
        ([picks("neutral", "sad")], "neutral and a label: the label counts"),
        ([picks("sad"), UNUSABLE], "unusable and a label: the clip counts as unusable"),
    ],
)
def test_what_is_odd_is_said_in_one_line(result, line):
    (problem,) = only(*result)[1]
    assert problem.startswith("task 3, annotation 7: ")
    assert "\n" not in problem
    assert re.search(f"{line}$", problem)


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [(4.5, 4.5), (3, 3.0), (-1, 0.0), (None, None), ("4", None), (True, None),
     (float("nan"), None), (float("inf"), None), (10**400, None), ([], None)],
)  # fmt: skip
def test_the_time_an_answer_took(raw, seconds):
    assert only(lead_time=raw)[0].lead_seconds == seconds


FORGOTTEN = ("removed user (answer 7)", None)


@pytest.mark.parametrize(
    ("raw", "who"),
    [(1, ("one@example.com", 1)), ({"id": 1, "email": "x"}, ("one@example.com", 1)),
     (2, ("user 2", 2)), ({"id": 2}, ("user 2", 2)), ({}, FORGOTTEN), (None, FORGOTTEN),
     ("1", FORGOTTEN), (True, FORGOTTEN), (0, FORGOTTEN), (10**18, FORGOTTEN)],
)  # fmt: skip
def test_who_answered(raw, who):
    answer, _ = only(completed_by=raw)
    assert (answer.annotator, answer.person) == who


@pytest.mark.parametrize(
    ("result", "parent", "unchanged"),
    [
        ([picks("sad", origin="prediction")], 5, True),
        ([picks("sad", origin="prediction-changed")], 5, False),
        ([picks("sad", origin="manual")], 5, False),
        ([picks("sad", origin="prediction")], None, True),
        ([picks("sad", origin="manual")], None, None),
        ([picks("sad", origin=None)], None, None),
        ([picks("sad", origin="prediction"), UNUSABLE], 5, False),
        ([], 5, False),
        ([], None, None),
    ],
)
def test_whether_it_was_sent_as_shown(result, parent, unchanged):
    answer, _ = only(*result, parent_prediction=parent)
    assert answer.unchanged is unchanged
    origins = {given.origin for given in answer.labels}
    assert origins <= {item.get("origin") for item in result}


@pytest.mark.parametrize(
    ("said", "kept"),
    [(["a", "b"], "a\nb"), ("a", "a"), ([], None), (None, None), ([1, "a"], "a"), ("", None),
     ("x" * (MAX_COMMENT + 1), "x" * MAX_COMMENT)],
)  # fmt: skip
def test_comments(said, kept):
    assert only(comment(said), picks("sad"))[0].comment == kept


@pytest.mark.parametrize(
    "made",
    [
        task(id=0), task(id="3"), task(id=True), task(id=2**63), task(updated_at="2026-03-01"),
        task(updated_at="2026-03-01T10:00:00"), task(updated_at=5), task(annotations={}),
        task(7), task(annotation(id=None)), task(annotation(result="sad")),
        task(annotation(updated_at=None)), task(annotation(["sad"])),
        task(annotation({**picks("sad"), "value": ["sad"]})),
        task(annotation({**picks("sad"), "value": {"choices": "sad"}})),
        task(annotation(comment("x" * 200_000))), task(annotation(comment(float("nan")))),
        task(annotation(), annotation()),
        task(updated_at="9999-12-31T23:59:59-12:00"), task(updated_at="0001-01-01T00:00:00+12:00"),
    ],
)  # fmt: skip
def test_what_is_no_task_is_refused_in_a_line(made):
    with pytest.raises(Unreadable, match=r"^[^\n]{10,200}$"):
        read_task(made, SHAPE, PEOPLE)


def test_moments_are_read_as_they_are():
    read = read_task(task(updated_at="2026-03-01T12:00:00+02:00"), SHAPE, PEOPLE)
    assert read.changed_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    moment = datetime(2026, 3, 1, 10, tzinfo=UTC)  # the SDK's own reading
    assert read_task(task(updated_at=moment), SHAPE, PEOPLE).changed_at == moment


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 2**63, 10**400])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["choices", "rating", "textarea", EMOTIONS, QUALITY, COMMENT, "unusable",
                       "sad", MOMENT, "9999-12-31T23:59:59-23:59", "\ud800", "\0"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["value", "choices", "rating", "text", "from_name", "type", "id", "x"]),
        inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
VALID = task(
    annotation(
        picks("happy", "neutral", origin="prediction"), rating("happy", 2), comment(["hm"]),
        UNUSABLE, completed_by={"id": 1}, parent_prediction=9,
    ),
    annotation(picks("sad"), id=8, was_cancelled=True),
)  # fmt: skip


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The way to every part of a JSON value."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(way for key, part in items for way in places(part, (*path, key)))]


@settings(max_examples=500)
@given(place=st.sampled_from(places(VALID)[1:]), value=JSON)
def test_any_value_anywhere_is_read_or_refused(place, value):
    made = copy.deepcopy(VALID)
    holder = made
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    try:
        read = read_task(made, SHAPE, PEOPLE)
    except Unreadable as refused:
        assert "\n" not in str(refused)
        return
    assert isinstance(read, TaskAnswers)
    for answer in read.answers:
        json.dumps(answer.result, allow_nan=False)
        epoch_ms(answer.created_at)
        assert {given.label for given in answer.labels} <= set(SHAPE.labels)
        assert not (answer.neutral and answer.labels)
        assert answer.state == "labelled" or not (answer.neutral or answer.labels)


def test_a_result_nested_beyond_all_measure_is_refused():
    deep: object = "sad"
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Unreadable):
        read_task(task(annotation(comment(deep))), SHAPE, PEOPLE)


PRINTABLE = string.digits + string.ascii_letters + string.punctuation + " é😀"
LABEL_SETS = st.lists(
    st.text(alphabet=PRINTABLE, min_size=1, max_size=12),
    min_size=1, max_size=6, unique=True,
)  # fmt: skip


@settings(max_examples=200)
@given(labels=LABEL_SETS, data=st.data())
def test_what_is_picked_comes_out(labels, data):
    shape = interface(labels)
    chosen = data.draw(st.lists(st.sampled_from(labels), unique=True))
    stars = data.draw(st.dictionaries(st.sampled_from(labels), st.integers(1, 5)))
    result = [picks(*chosen)] + [
        {**rating("sad", count), "from_name": shape.intensities[labels.index(label)]}
        for label, count in stars.items()
    ]
    read = read_task(task(annotation(*result)), shape, PEOPLE)
    assert not read.problems
    assert {given.label: given.intensity for given in read.answers[0].labels} == {
        label: stars.get(label) for label in chosen
    }
