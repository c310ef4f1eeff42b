"""The labels of a manifest row: a cell `labels`, and columns of their own."""

import json
from collections.abc import Iterator, Mapping

from annotator.corpus.cues import clean_text
from annotator.corpus.manifest_cells import is_missing, shown, unit
from annotator.corpus.manifest_rows import LABEL_PREFIXES, Columns

MAX_LABELS = 200  # of a row
MAX_LABEL_NAME = 100  # characters


def labels_of(columns: Columns) -> dict[str, float]:
    """The labels a row states, values 0 to 1; a missing cell states nothing.

    The cell `labels` is a list of names, a mapping from name to value, or text: names with
    semicolons between, or a JSON list or object. A listed name has the value 1.

    Raises:
        ValueError: another type, a value outside 0 to 1, a label twice or too many.

    >>> labels_of({"labels": '{"happy": 0.7}', "label:sad": "0"})
    {'happy': 0.7, 'sad': 0.0}
    """
    labels: dict[str, float] = {}
    for name, value in [*_cell(columns.get("labels")), *_own_columns(columns)]:
        if name in labels:
            raise ValueError(f"label {name!r} is given twice")
        labels[name] = value
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{len(labels)} labels, more than {MAX_LABELS}")
    return labels


def _own_columns(columns: Columns) -> Iterator[tuple[str, float]]:
    for column, cell in columns.items():
        if column.startswith(LABEL_PREFIXES) and not is_missing(cell):
            yield _name(column[len(LABEL_PREFIXES[0]) :]), unit(cell)


def _cell(cell: object) -> Iterator[tuple[str, float]]:
    if is_missing(cell):
        return
    if isinstance(cell, str):
        cell = _parsed(cell)
    if isinstance(cell, list) and all(isinstance(item, tuple) for item in cell):
        cell = dict(cell)  # how pyarrow gives a map
    if isinstance(cell, Mapping):
        for name, value in cell.items():
            if not is_missing(value):
                yield _name(name), unit(value)
    elif isinstance(cell, list):
        for name in cell:
            yield _name(name), 1.0
    else:
        raise ValueError(f"labels {shown(cell)} is neither names nor a mapping to values")


def _parsed(text: str) -> object:
    if text.lstrip()[0] not in "[{":
        return [name for name in text.split(";") if name.strip()]
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"labels {shown(text)} is not JSON") from None
    return value


def _name(name: object) -> str:
    text = clean_text(name) if isinstance(name, str) else ""
    if not text or len(text) > MAX_LABEL_NAME:
        raise ValueError(f"label {shown(name)} is not a name of 1 to {MAX_LABEL_NAME} characters")
    return text
