import json
import math
from dataclasses import replace

import numpy as np
import pytest

from annotator.metrics.bootstrap import Interval, MeanSd
from annotator.metrics.evaluate import Answers, evaluate, summarise
from annotator.metrics.tables import (
    Table,
    as_json,
    cell,
    escape,
    label_table,
    latex,
    metric_table,
)


@pytest.fixture(scope="module")
def evaluation():
    rng = np.random.default_rng(0)
    p = rng.random((20, 2))
    return evaluate(
        Answers(
            ("happy", "not_seen"),
            p,
            np.c_[rng.random(20) < p[:, 0], np.zeros(20)],
            rng.random(20),
            rng.random(20),
            [str(clip) for clip in range(20)],
        ),
        resamples=20,
    )


def test_one_row_a_metric_and_one_column_a_result(evaluation):
    summary = summarise([evaluation, evaluation])
    table = metric_table({"LDDU": evaluation, "three seeds": summary})
    assert table.header == ("", "LDDU", "three seeds")
    (row,) = [row for row in table.rows if row[0] == "mi-F1"]
    assert row[1] == cell(evaluation.metrics["micro_f1"])
    assert row[2].endswith("± 0.000")
    assert {len(row) for row in table.rows} == {3}
    assert table.turned().turned() == table


def test_a_metric_that_one_result_lacks_is_unknown(evaluation):
    without = replace(evaluation, metrics={"brier": evaluation.metrics["brier"]})
    table = metric_table({"a": without, "b": evaluation})
    assert [row[1] for row in table.rows].count("unknown") == len(evaluation.metrics) - 1


def test_one_row_a_label(evaluation):
    table = label_table(evaluation)
    assert [row[0] for row in table.rows] == ["happy", "not_seen"]
    place = table.header.index("AP")
    assert table.rows[0][place] != "unknown"
    assert table.rows[1][place] == "unknown"


def test_cells():
    nan = math.nan
    assert cell(Interval(nan, nan, nan)) == cell(MeanSd(nan, nan)) == "unknown"
    assert cell(Interval(0.5, nan, nan)) == cell(MeanSd(0.5, nan)) == "0.500"
    assert cell(Interval(-0.1, -0.2, 0.3)) == "-0.100 [-0.200, 0.300]"


def test_latex_escapes_what_it_would_read(evaluation):
    text = latex(metric_table({"50% & more_{x}": evaluation}))
    assert r"50\% \& more\_\{x\}" in text
    assert text.isascii()
    assert text.count(r"\\" + "\n") == 1 + len(evaluation.metrics)
    assert escape("\\input{~/x}^2\n") == (
        r"\textbackslash{}input\{\textasciitilde{}/x\}\textasciicircum{}2 "
    )


def test_a_cell_that_opens_with_a_bracket_is_no_argument_of_the_line_before():
    text = latex(Table(("", "b"), (("[1]", "*"),)))
    assert "\n{}[1] & * " in text


def test_json_is_strict(evaluation):
    plain = json.loads(as_json({"LDDU": evaluation, "mean": summarise([evaluation])}))
    assert plain["LDDU"]["per_label"]["average_precision"]["not_seen"]["value"] is None
    assert plain["mean"]["metrics"]["brier"]["mean"] == evaluation.metrics["brier"].value
