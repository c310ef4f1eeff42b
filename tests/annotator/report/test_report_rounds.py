"""Model versions in a report: which led to which, and how good each was."""

from pathlib import Path

import pytest

from annotator.ancestry import Ancestry
from annotator.metrics.bootstrap import Interval
from annotator.registry import ModelVersion
from annotator.report.rounds import ancestors, learning_curve_section, lineage_section


def made(name: str, parent: str | None = None, **values: float) -> ModelVersion:
    measures = {n: Interval(v, v - 0.05, v + 0.05) for n, v in values.items()}
    came = Ancestry(parent=parent, validation=measures, clips=40)
    return ModelVersion(name, "a" * 64, ("happy",), {}, True, {}, Path(name), came)


def test_a_line_goes_back_to_the_first_and_never_in_a_ring():
    versions = [made("c", "b"), made("a"), made("b", "a"), made("x", "y"), made("y", "x")]
    assert [c.name for c in ancestors(versions, "c")] == ["a", "b", "c"]
    assert [c.name for c in ancestors(versions, "x")] == ["y", "x"]
    assert ancestors(versions, "unknown") == []


def test_the_curve_takes_the_first_measure_that_all_have():
    line = [made("a", micro_f1=0.5, macro_f1=0.4), made("b", "a", micro_f1=0.6)]
    found = learning_curve_section(line, "b")
    assert found.missing is None
    assert found.figures[0].title == "From 0.500 to 0.600 micro F1 in 1 round"
    assert [row[2] for row in found.figures[0].table.rows] == ["0.500", "0.600"]


@pytest.mark.parametrize(
    "versions", [[made("b", macro_f1=0.5)], [made("a"), made("b", "a", macro_f1=0.5)]]
)
def test_without_two_measured_rounds_the_command_is_named(versions):
    assert "`annotate finetune`" in str(learning_curve_section(versions, "b").missing)


def test_versions_stand_under_their_parents():
    versions = [made("b", "a"), made("d"), made("c", "b"), made("a"), made("lost", "gone")]
    found = lineage_section(versions, "c", {"a": 7})
    rows = found.figures[0].table.rows
    assert [row[0] for row in rows] == ["a", "b", "c", "d", "lost"]
    assert rows[0][4] == "7"
