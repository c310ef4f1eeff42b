"""Which model version a workspace uses, and how that came to be: a file that is only added to.

A line is a promotion or a rollback, which takes back the last promotion that still holds.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from annotator import journal
from annotator.errors import UsageError

FILE = "promotions.jsonl"
MAX_REASON = 1000  # characters: a line goes out in one write


@dataclass(frozen=True, slots=True)
class Promotion:
    """One entry. A rollback names the version that it takes back."""

    kind: Literal["promotion", "rollback"]
    at: str  # UTC, ISO 8601
    name: str
    weights_sha256: str
    reason: str


def history(models: Path) -> list[Promotion]:
    """All entries, the oldest first.

    Raises:
        UsageError: the record is damaged.
    """
    file = models / FILE
    return [_entry(found, file, number) for number, found in journal.entries(file)]


def holding(entries: Iterable[Promotion]) -> list[Promotion]:
    """The promotions that no rollback took back; the last one is in use.

    >>> one = Promotion("promotion", "", "a", "", "")
    >>> back = Promotion("rollback", "", "a", "", "")
    >>> [entry.name for entry in holding([one, one, back])]
    ['a']
    """
    held: list[Promotion] = []
    for entry in entries:
        if entry.kind == "promotion":
            held.append(entry)
        elif held:
            held.pop()
    return held


def add(
    models: Path,
    kind: Literal["promotion", "rollback"],
    name: str,
    weights_sha256: str,
    reason: str,
    at: datetime,
) -> Promotion:
    """Write an entry and return it.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written to.
    """
    entry = Promotion(kind, at.isoformat(), name, weights_sha256, reason[:MAX_REASON])
    journal.append(models / FILE, asdict(entry))
    return entry


def _entry(found: object, file: Path, number: int) -> Promotion:
    try:
        entry = Promotion(**found) if isinstance(found, dict) else None
    except TypeError:
        entry = None
    if entry is None or entry.kind not in {"promotion", "rollback"} or not _all_text(entry):
        raise UsageError(
            f"line {number} of {file} is no promotion: take the line out, "
            "and see with `annotate models list` which version is in use"
        )
    return entry


def _all_text(entry: Promotion) -> bool:
    return all(isinstance(value, str) for value in asdict(entry).values())
