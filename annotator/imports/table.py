"""Answers in a table: CSV or JSON Lines, a row a clip and person.

Columns: `clip` (our number of it), or `path` with `start` and `end` as in a manifest; labels as in
a manifest (`labels`, `label:NAME`), a column named after a label, or `human:NAME` as exports have
them; and if you like `annotator`, `comment`, and `state` or `unusable`.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from annotator.corpus import manifest_rows
from annotator.corpus.manifest_cells import (
    MAX_NAME,
    is_missing,
    milliseconds,
    shown,
    text_of,
    unit,
)
from annotator.corpus.manifest_labels import labels_of
from annotator.errors import UsageError
from annotator.imports.stated import Stated
from annotator.store.targets import MAX_ID

MAX_COMMENT = 10_000  # characters, as of Label Studio's
MAX_PATH = 4096
HUMAN = "human:"  # begins the columns of an export
OF_A_MODEL = "weights_sha256"  # a column that exports of a model have
UNUSABLE = "unusable"

_COLUMNS = ("clip", "annotator", "comment", "state", "human_state", UNUSABLE)
_YES, _NO = {"1", "1.0", "true", "yes", "x"}, {"0", "0.0", "false", "no"}


def stated_in_table(path: Path, labels: Sequence[str]) -> Iterator[tuple[str, Stated | str]]:
    """Each row, by where it stands, as what it states or the reason why it cannot be read.

    Raises:
        UsageError: not readable, or it holds a model's answers and nobody's.
    """
    for number, columns in manifest_rows.rows(path):
        place = f"row {number}"
        if isinstance(columns, str):
            yield place, columns
            continue
        _refuse_model(path, columns)
        try:
            yield place, _stated(place, columns, labels)
        except ValueError as error:
            yield place, str(error)


def _refuse_model(path: Path, columns: Mapping[str, object]) -> None:
    if OF_A_MODEL in columns and not any(name.startswith(HUMAN) for name in columns):
        raise UsageError(
            f"{path.name!r} holds a model's answers and nobody's: expected labels that people "
            f"gave, in columns {HUMAN}NAME"
        )


def _stated(place: str, columns: Mapping[str, object], labels: Sequence[str]) -> Stated:
    person = text_of("annotator", columns.get("annotator"), MAX_NAME)
    name = columns.get("path")
    if not is_missing(name) and not isinstance(name, str):
        raise ValueError(f"path {shown(name)} is not text")
    if isinstance(name, str) and len(name) > MAX_PATH:
        raise ValueError(f"path has {len(name)} characters, more than {MAX_PATH}")
    return Stated(
        place,
        clip=_number(columns.get("clip")),
        media=(name,) if isinstance(name, str) and name.strip() else (),
        start_ms=milliseconds("start", columns.get("start")),
        end_ms=milliseconds("end", columns.get("end")),
        person=person,
        values=_values(columns, labels),
        unusable=_is_unusable(columns),
        comment=text_of("comment", columns.get("comment"), MAX_COMMENT),
        ignored=_ignored(columns, labels),
    )


def _ignored(columns: Mapping[str, object], labels: Sequence[str]) -> frozenset[str]:
    """Columns that mean nothing; an export's are known for what they are."""
    if any(name.startswith(HUMAN) for name in columns):
        return frozenset()
    known = {*_COLUMNS, *(label.casefold() for label in labels)}
    return frozenset(
        name for name in columns if name not in known and not manifest_rows.is_known(name)
    )


def _number(cell: object) -> int | None:
    if is_missing(cell):
        return None
    try:
        number = Decimal(str(cell))  # exact, and of 7.0 as pandas writes it
    except (InvalidOperation, ValueError):  # ValueError: a whole number of thousands of digits
        number = Decimal("NaN")
    if not number.is_finite() or not 0 < number <= MAX_ID or number % 1:
        raise ValueError(f"clip {shown(cell)} is not the number of a clip")
    return int(number)


def _values(columns: Mapping[str, object], labels: Sequence[str]) -> dict[str, float]:
    """What is stated of labels; people's columns of an export stand before all others."""
    people = {
        name.removeprefix(HUMAN): cell for name, cell in columns.items() if name.startswith(HUMAN)
    }
    if people:
        return {name: unit(cell) for name, cell in people.items() if not is_missing(cell)}
    found = labels_of(columns)
    plain = {label.casefold() for label in labels} - set(manifest_rows.COLUMNS)
    for name in plain & columns.keys():
        if not is_missing(columns[name]):
            if name in found:
                raise ValueError(f"label {name!r} is given twice")
            found[name] = unit(columns[name])
    return found


def _is_unusable(columns: Mapping[str, object]) -> bool:
    states = [columns.get(name) for name in ("state", "human_state")]
    if UNUSABLE in states:
        return True
    cell = columns.get(UNUSABLE)
    if is_missing(cell):
        return False
    word = str(cell).strip().lower()
    if word not in _YES | _NO:
        raise ValueError(f"unusable {shown(cell)} is neither yes nor no")
    return word in _YES
