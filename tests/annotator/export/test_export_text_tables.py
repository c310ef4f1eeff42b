"""What is written reads back: by Python's csv and json, whatever the cells hold."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.export.text_tables import write_csv, write_jsonl

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
cells = st.none() | st.booleans() | texts | st.floats(allow_nan=False, allow_infinity=False)
tables = st.integers(2, 5).flatmap(
    lambda width: st.tuples(
        st.lists(texts, min_size=width, max_size=width, unique=True),
        st.lists(st.lists(cells, min_size=width, max_size=width)),
    )
)


@given(tables)
def test_csv_reads_back(table):
    names, rows = table
    file = io.StringIO(newline="")
    write_csv(file, names, rows)
    header, *found = csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True)
    assert header == names
    assert [list(map(_read, line, row)) for line, row in zip(found, rows, strict=True)] == rows


def _read(text, as_cell):
    """A cell of the type that it had."""
    if isinstance(as_cell, bool):
        return {"true": True, "false": False}[text]
    if as_cell is None:
        return text or None
    return type(as_cell)(text)


@given(tables)
def test_json_lines_read_back(table):
    names, rows = table
    file = io.StringIO(newline="")
    write_jsonl(file, names, rows)
    lines = file.getvalue().splitlines()
    assert [json.loads(line) for line in lines] == [
        dict(zip(names, row, strict=True)) for row in rows
    ]
    assert file.getvalue().isascii()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-No.", "@a", 'a "b", c', "a\r\nb", "a\rb", ""])
def test_text_is_data_and_never_changed(text):
    file = io.StringIO(newline="")
    write_csv(file, ["path", "transcript"], [["a.mp4", text]])
    assert list(csv.reader(io.StringIO(file.getvalue(), newline="")))[1] == ["a.mp4", text]


def test_lines_of_csv_end_as_rfc_4180_says():
    file = io.StringIO(newline="")
    write_csv(file, ["a", "b"], [[1.5, None]])
    assert file.getvalue() == "a,b\r\n1.5,\r\n"
