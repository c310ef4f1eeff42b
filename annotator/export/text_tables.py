"""A table as text: CSV for spreadsheets and statistics, JSON Lines for programs."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TextIO, TypeAlias

from annotator.export.table import Cell

Rows: TypeAlias = Iterable[Sequence[Cell]]


def write_csv(file: TextIO, names: Sequence[str], rows: Rows) -> None:
    """CSV as in RFC 4180, with a header; a cell is empty where nothing is known.

    Text stays as it is stored, also where it begins with =, +, - or @: a mark against that would
    change the data ("- No." is how a subtitle may begin). A spreadsheet takes such a cell for a
    formula unless the columns are imported as text.
    """
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows(map(_plain, row) for row in rows)


def write_jsonl(file: TextIO, names: Sequence[str], rows: Rows) -> None:
    """An object a line, null where nothing is known."""
    for row in rows:
        file.write(json.dumps(dict(zip(names, row, strict=True))) + "\n")


def _plain(cell: Cell) -> str | float:
    if isinstance(cell, bool):
        return str(cell).lower()
    return "" if cell is None else cell


TEXT_TABLES: Mapping[str, Callable[[TextIO, Sequence[str], Rows], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
}
