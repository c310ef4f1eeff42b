"""Where an export goes: a file that is replaced as a whole, or standard output."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO
from uuid import uuid4

from annotator.errors import EnvironmentFault, UsageError


@contextmanager
def destination(out: Path | None) -> Iterator[TextIO]:
    """A text file in UTF-8 to write to; None is standard output.

    A file of that name is replaced once everything is written and on disk; until then, and if
    anything goes wrong, it stays as it was.

    Raises:
        UsageError: the name is no file's, or its folder is not there.
        EnvironmentFault: the disk is full, or the folder cannot be written to.
        BrokenPipeError: nobody reads standard output any more.
    """
    try:
        with _standard_output() if out is None else _replaced(_writable(out)) as text:
            yield text
    except BrokenPipeError:
        raise  # who reads standard output has had enough
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write {out or 'to standard output'} ({error.strerror}): make room, or name "
            "another file with --out"
        ) from error


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    text = _text(sys.stdout.buffer)
    try:
        yield text
        text.flush()
    finally:
        text.detach()  # or it would close standard output


@contextmanager
def _replaced(file: Path) -> Iterator[TextIO]:
    draft = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        with draft.open("xb") as binary, _text(binary) as text:
            yield text
            text.flush()
            os.fsync(text.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _text(file: BinaryIO) -> io.TextIOWrapper:
    r"""UTF-8; bytes of a path that are not are spelled as JSON spells them, by `\udcXX`."""
    return io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")


def _writable(out: Path) -> Path:
    """The file that is meant, behind links."""
    file = Path(os.path.realpath(out))
    if not file.parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {file.parent}, make it first")
    if file.exists() and not file.is_file():
        raise UsageError(f"cannot write {out}: it is no file; - is standard output")
    return file
