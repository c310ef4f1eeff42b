"""The record of loops: what is written is read again, and what is damaged is said to be."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.loop.book import FILE, Book, loops, read
from annotator.loop.records import FACTS, Predicted, Selected, Stopped, fact_of
from annotator.workspace import open_workspace

PREDICTED = Predicted("m", "ab", 5, 0)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SELECTED = st.dictionaries(st.integers(), FINITE).map(
    lambda scores: Selected(tuple(scores), tuple(scores.values()), tuple(sorted(scores)[:2]))
)
FACT = st.sampled_from(list(FACTS.items())).flatmap(
    lambda item: st.tuples(
        st.just(item[0]), SELECTED if item[1] is Selected else st.from_type(item[1])
    )
)


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(tmp_path / FILE, "p")


@given(FACT)
def test_every_fact_survives_being_written(made):
    step, fact = made
    values = {k: _finite(v) for k, v in dataclasses.asdict(fact).items()}
    fact = type(fact)(**values)
    assert fact_of(step, json.loads(json.dumps(dataclasses.asdict(fact)))) == fact


def _finite(value):
    if isinstance(value, tuple):
        return tuple(map(_finite, value))
    return 0.5 if isinstance(value, float) and value - value != 0 else value


def test_a_round_is_what_its_steps_say(book):
    book.write(1, "predicted", PREDICTED)
    book.write(1, "selected", Selected((3, 1), (0.5, 0.25), (1,), ("too few",)))
    book.write(2, "predicted", PREDICTED)
    book.write(2, "stopped", Stopped("enough"))
    one, two = book.rounds()
    assert one.selected == Selected((3, 1), (0.5, 0.25), (1,), ("too few",))
    assert (one.asked, one.done, one.stopped) == (2, False, None)
    assert two.stopped == Stopped("enough")
    book.write(2, "selected", Selected((7,), (0.5,), ()))
    assert book.rounds()[1].stopped is None  # it went on


def test_a_line_that_a_kill_has_torn_is_passed_over(book):
    book.write(1, "predicted", PREDICTED)
    whole = book.file.read_bytes()
    for length in range(1, len(whole)):
        book.file.write_bytes(whole + whole[:length])
        assert len(read(book.file)) == 1
        book.write(1, "stopped", Stopped("enough"))
        assert [entry.step for entry in read(book.file)][-1] == "stopped"
        assert len(read(book.file)) == 2 + (length == len(whole) - 1)


@pytest.mark.parametrize(
    "change",
    [
        {"step": "run"},
        {"step": ["predicted"]},
        {"round": 0},
        {"round": True},
        {"project": None},
        {"at": 5},
        {"fact": None},
        {"fact": {}},
        {"fact": {"model": 1, "weights_sha256": "ab", "clips": 5, "missing": 0}},
        {"fact": {"model": "m", "weights_sha256": "ab", "clips": True, "missing": 0}},
        {"fact": {"model": "m", "weights_sha256": "ab", "clips": 5, "missing": 0, "more": 1}},
    ],
)
def test_what_is_no_step_is_named(book, change):
    book.write(1, "predicted", PREDICTED)
    line = json.loads(book.file.read_text()) | change
    book.file.write_text(json.dumps(line) + "\n")
    with pytest.raises(UsageError, match="is no step of a loop"):
        book.rounds()


@pytest.mark.parametrize("selected", [((1, 1), (0.5, 0.5), ()), ((1,), (), ()), ((), (), (1,))])
def test_a_selection_that_contradicts_itself_is_none(selected):
    with pytest.raises(ValueError, match="each clip once with its score"):
        Selected(*selected)


def test_loops_are_told_apart_by_project(tmp_path):
    workspace = open_workspace(tmp_path / "ws", create=True)
    assert loops(workspace, None) == {}
    for project in ("p", "q"):
        Book(workspace.root / FILE, project).write(1, "predicted", PREDICTED)
    assert list(loops(workspace, None)) == ["p", "q"]
    assert list(loops(workspace, "q")) == ["q"]
    with pytest.raises(UsageError, match="no loop in project 'r': expected one of 'p', 'q'"):
        loops(workspace, "r")
