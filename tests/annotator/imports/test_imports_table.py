"""Rows of tables: each is something stated or a reason, never a crash."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.imports.stated import Stated
from annotator.imports.table import stated_in_table

LABELS = ("Happy", "sad")
COLUMNS = ("clip", "path", "start", "end", "annotator", "happy", "sad", "labels", "label:sad",
           "human:happy", "unusable", "comment", "state")  # fmt: skip
cells = st.text(max_size=12) | st.sampled_from(
    [
        "1",
        "0",
        "0.5",
        "-1",
        "nan",
        "1e999",
        "yes",
        "unusable",
        "happy;sad",
        "[",
        '{"sad": 1}',
        "9" * 5000,
    ]
)
values = (
    st.none() | st.booleans() | st.integers() | st.floats() | cells | st.lists(cells, max_size=2)
)


def read(text: str, name: str = "a.csv") -> list[Stated | str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(text.encode("utf-8", "replace"))
        return [stated for _, stated in stated_in_table(file, LABELS)]


def one(text: str) -> Stated:
    (stated,) = read(text)
    assert isinstance(stated, Stated), stated
    return stated


@given(st.lists(st.lists(cells, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=3))
def test_any_csv_is_stated_or_has_a_reason(rows):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([COLUMNS, *rows])
    for stated in read(file.getvalue().replace("\0", "")):
        check(stated)


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), values), max_size=4))
def test_any_json_lines_are_stated_or_have_a_reason(rows):
    for stated in read("".join(json.dumps(row) + "\n" for row in rows), "a.jsonl"):
        check(stated)


def check(stated: Stated | str) -> None:
    if isinstance(stated, str):
        assert stated
        assert "\n" not in stated
        return
    assert all(0 <= value <= 1 for value in stated.values.values())
    assert stated.clip is None or 0 < stated.clip < 2**63
    assert stated.start_ms is None or stated.start_ms >= 0


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("clip,happy,sad\n1,1,0", {"happy": 1.0, "sad": 0.0}),
        ("clip,HAPPY\n1,0.5", {"happy": 0.5}),
        ("clip,labels\n1,sad;Happy", {"sad": 1.0, "Happy": 1.0}),
        ("clip,label:sad,label_Happy\n1,1,", {"sad": 1.0}),
        ("clip,happy,human:Happy,human:sad\n1,0.9,0,1", {"happy": 0.0, "sad": 1.0}),
        ("clip,joy\n1,1", {}),
    ],
)
def test_where_labels_stand(text, values):
    assert one(text).values == values


def test_all_else_of_a_row():
    found = one("path,start,end,annotator,unusable,comment\nb/a.mp4,1.5,0:00:02.25,ann,Yes,two\n")
    assert found == Stated("row 2", None, ("b/a.mp4",), 1500, 2250, "ann", {}, True, "two")
    assert one("clip,state\n7.0,unusable\n").unusable
    assert one("clip,human_state\n7,unusable\n").clip == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clip\n0", "clip '0' is not the number of a clip"),
        ("clip\n1.5", "not the number"),
        ("clip,happy\n1,2", "not a number from 0 to 1"),
        ("clip,unusable\n1,perhaps", "neither yes nor no"),
        ("clip,happy,label:happy\n1,1,1", "given twice"),
    ],
)
def test_reasons(text, words):
    (reason,) = read(text)
    assert words in str(reason)


def test_numbers_of_a_model_are_nobodys():
    with pytest.raises(UsageError, match="a model's answers and nobody's"):
        read("path,happy,weights_sha256\na.mp4,1,ab\n")
