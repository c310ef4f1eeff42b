"""Where an export goes: a file or folder that is replaced as a whole, or standard output."""

import io
import os
import shutil
import sys
from collections.abc import Collection, Iterator
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
    if out is not None:
        with binary_destination(out) as binary:
            text = _text(binary)
            try:
                yield text
            finally:
                text.detach()  # flushes; the file is closed by who opened it
        return
    with _faults("to standard output"), _standard_output() as printed:
        yield printed


@contextmanager
def binary_destination(out: Path) -> Iterator[BinaryIO]:
    """The same for bytes, of a file alone."""
    with _faults(str(out)), _replaced(_writable(out)) as binary:
        yield binary


@contextmanager
def folder_destination(out: Path, contents: Collection[str]) -> Iterator[Path]:
    """A folder to fill, which takes the place of one of that name once it is complete.

    Only a folder that holds nothing but `contents` (files of an earlier export) is replaced.

    Raises:
        UsageError: the name is a file's, there is something else in it, or no folder to hold it.
        EnvironmentFault: the disk is full, or the folder cannot be written to.
    """
    folder = Path(os.path.realpath(out))
    if not folder.parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {folder.parent}, make it first")
    if folder.exists():
        if not folder.is_dir():
            raise UsageError(f"cannot write {out}: it is no folder; name a new one")
        others = sorted(entry.name for entry in folder.iterdir() if entry.name not in contents)
        if others:
            raise UsageError(
                f"cannot write {out}: it holds {others[0]!r}, which is of no export: name a new "
                "folder"
            )
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}")
    with _faults(str(out)):
        try:
            draft.mkdir()
            yield draft
            if folder.exists():
                shutil.rmtree(folder)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _faults(where: str) -> Iterator[None]:
    """What the system refuses, in one line."""
    try:
        yield
    except BrokenPipeError:
        raise  # who reads standard output has had enough
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write {where} ({error.strerror}): make room, or name another place with --out"
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
def _replaced(file: Path) -> Iterator[BinaryIO]:
    draft = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        with draft.open("xb") as binary:
            yield binary
            binary.flush()
            os.fsync(binary.fileno())
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
        raise UsageError(f"cannot write {out}: it is no file: name one in it")
    return file
