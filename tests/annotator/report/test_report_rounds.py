"""Model versions: what they say of themselves, believed only as far as it makes sense."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.metrics.bootstrap import Interval
from annotator.registry import ModelVersion
from annotator.report.cards import Card, description, read_card, thresholds_of
from annotator.report.rounds import ancestors, learning_curve_section, lineage_section

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)


def version(folder: Path, metadata: object, name: str = "m") -> ModelVersion:
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_text(json.dumps({"metadata": metadata}))
    return ModelVersion(name, "a" * 64, ("happy", "sad"), {}, True, {}, folder)


def card(name: str, parent: str | None = None, **values: float) -> Card:
    measures = {n: Interval(v, v - 0.05, v + 0.05) for n, v in values.items()}
    return Card(name, parent, 0, True, ("happy",), "a" * 64, None, 40, measures, None)


def test_a_card_reads_what_a_training_writes(tmp_path):
    measured = {"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}, "ece": {"value": None}}
    found = read_card(version(tmp_path / "m", {
        "parent": {"name": "starter", "weights_sha256": "ab"},
        "round": 2,
        "labels_from": {"answers": 70},
        "validation": {"clips": 40, "metrics": measured},
        "promotion": {"reason": "better"},
    }))  # fmt: skip
    assert (found.parent, found.round, found.answers, found.clips) == ("starter", 2, 70, 40)
    assert found.measures == {"macro_f1": Interval(0.5, 0.4, 0.6)}
    assert found.reason == "better"


def test_measures_of_its_own_go_before_those_of_the_validation(tmp_path):
    found = read_card(version(tmp_path / "m", {
        "parent": "old", "metrics": {"macro_f1": 0.7},
        "validation": {"metrics": {"macro_f1": {"value": 0.1}}},
    }))  # fmt: skip
    assert found.parent == "old"
    assert found.measures["macro_f1"].value == 0.7
    assert math.isnan(found.measures["macro_f1"].low)


@given(st.dictionaries(
    st.sampled_from(["parent", "round", "metrics", "validation", "promotion", "labels_from",
                     "thresholds"]), JSON))  # fmt: skip
def test_no_description_breaks_a_report(tmp_path_factory, metadata):
    made = version(tmp_path_factory.mktemp("models"), metadata)
    found = read_card(made)
    assert all(math.isfinite(value.value) for value in found.measures.values())
    assert all(math.isfinite(value) for value in thresholds_of(made).values())


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff", b'{"metadata": 3}'])
def test_a_damaged_description_says_nothing(tmp_path, content):
    (tmp_path / "model.json").write_bytes(content)
    assert description(tmp_path) == {}
    assert description(tmp_path / "gone") == {}


def test_thresholds_are_in_the_order_of_the_labels(tmp_path):
    made = version(tmp_path / "m", {"thresholds": {"sad": 0.3, "other": 0.1}})
    assert list(thresholds_of(made).items()) == [("happy", 0.5), ("sad", 0.3)]


def test_a_line_goes_back_to_the_first_and_never_in_a_ring():
    cards = [card("c", "b"), card("a"), card("b", "a"), card("x", "y"), card("y", "x")]
    assert [c.name for c in ancestors(cards, "c")] == ["a", "b", "c"]
    assert [c.name for c in ancestors(cards, "x")] == ["y", "x"]
    assert ancestors(cards, "unknown") == []


def test_the_curve_takes_the_first_measure_that_all_have():
    line = [card("a", micro_f1=0.5, macro_f1=0.4), card("b", "a", micro_f1=0.6)]
    found = learning_curve_section(line, "b")
    assert found.missing is None
    assert found.figures[0].title == "From 0.500 to 0.600 micro F1 in 1 round"
    assert [row[2] for row in found.figures[0].table.rows] == ["0.500", "0.600"]


@pytest.mark.parametrize(
    "cards", [[card("b", macro_f1=0.5)], [card("a"), card("b", "a", macro_f1=0.5)]]
)
def test_without_two_measured_rounds_the_command_is_named(cards):
    assert "`annotate finetune`" in str(learning_curve_section(cards, "b").missing)


def test_versions_stand_under_their_parents():
    cards = [card("b", "a"), card("d"), card("c", "b"), card("a"), card("lost", "gone")]
    found = lineage_section(cards, "c", {"a": 7})
    rows = found.figures[0].table.rows
    assert [row[0] for row in rows] == ["a", "b", "c", "d", "lost"]
    assert rows[0][4] == "7"
