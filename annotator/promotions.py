"""Which model version a workspace uses, and how that came to be: a file that is only added to.

A line is a promotion or a rollback, which takes back the last promotion that still holds. A line is
written at once; one that a kill has torn has no end and is passed over, and the next line begins
behind it. So any number of processes may write.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from annotator.errors import EnvironmentFault, UsageError

FILE = "promotions.jsonl"
MAX_BYTES = 16 << 20  # of the file: more is not a record of promotions
MAX_REASON = 1000  # characters: a line must go out in one write


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
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(f"{file} is larger than {MAX_BYTES >> 20} MiB: not a record of ours")
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnvironmentFault(f"{file} cannot be read: {error.strerror}") from error
    entries = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        if entry := _entry(line, file, number):
            entries.append(entry)
    return entries


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
    file = models / FILE
    line = json.dumps(asdict(entry)) + "\n"
    try:
        handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, (_mend(handle) + line).encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise EnvironmentFault(f"{file} cannot be written: {error.strerror}") from error
    return entry


def _mend(handle: int) -> str:
    """What ends a line that a kill has torn."""
    size = os.fstat(handle).st_size
    return "\n" if size and os.pread(handle, 1, size - 1) != b"\n" else ""


def _entry(line: str, file: Path, number: int) -> Promotion | None:
    """None of a torn line, which holds the beginning of an object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    try:
        entry = Promotion(**found)
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
