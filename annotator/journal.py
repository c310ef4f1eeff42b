"""Records that are only added to: a JSON object a line.

A line is written at once and is on the disk when `append` returns; one that a kill has torn has no
end and is passed over, and the next line begins behind it. So any number of processes may write.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from annotator.errors import EnvironmentFault, UsageError

MAX_BYTES = 64 << 20  # of a file: more is no record of ours


def append(file: Path, entry: Mapping[str, object]) -> None:
    """Write an entry at the end.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written to.
    """
    line = json.dumps(entry, allow_nan=False) + "\n"
    try:
        handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            _write(handle, (_mend(handle) + line).encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise EnvironmentFault(f"{file} cannot be written: {error.strerror}") from error


def entries(file: Path) -> Iterator[tuple[int, object]]:
    """What the lines say, each with its number from 1; none where there is no file.

    Raises:
        UsageError: the file is too large to be a record.
        EnvironmentFault: it cannot be read.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(f"{file} is larger than {MAX_BYTES >> 20} MiB: not a record of ours")
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise EnvironmentFault(f"{file} cannot be read: {error.strerror}") from error
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            continue  # torn: it holds the beginning of an object


def _write(handle: int, data: bytes) -> None:
    """All of it: the system may take a part where the disk is about to be full."""
    while data:
        data = data[os.write(handle, data) :]


def _mend(handle: int) -> str:
    """What ends a line that a kill has torn."""
    size = os.fstat(handle).st_size
    return "\n" if size and os.pread(handle, 1, size - 1) != b"\n" else ""
