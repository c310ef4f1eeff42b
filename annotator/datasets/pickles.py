"""Pickles of plain data, read without running any.

Corpora are handed around as pickles, and a pickle is a program: see `pickle_machine` for how it is
read. `torch.save` writes one too, inside a zip file, or before PyTorch 1.6 after three others.
"""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from annotator.datasets.pickle_machine import Source, evaluate
from annotator.datasets.pickled_arrays import Refused
from annotator.errors import UsageError

MAX_BYTES = 32 << 30  # of a file; CMU-MOSEI unaligned is 8.5 GB in float32, 17 in float64
TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # the first of four pickles in an old file of PyTorch
ZIP_MAGIC = b"PK\x03\x04"

_DAMAGE = (
    ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError, MemoryError,
    RecursionError, struct.error, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError,
    RuntimeError,
)  # fmt: skip


def read_pickle(path: Path) -> Any:
    """The plain data in a pickle or a file of `torch.save`; arrays of it may not be writable.

    Raises:
        UsageError: it cannot be read, is damaged, or holds or does anything else.
    """
    try:
        with _opened(path) as (file, size):
            source = Source(file, size)
            value = evaluate(source)
            if type(value) is int and value == TORCH_MAGIC:
                evaluate(source), evaluate(source)  # PyTorch's version, the machine's sizes
                value = evaluate(source)
            return value
    except OSError as error:
        raise UsageError(
            f"cannot read {path.name!r} ({error.strerror or error}): check it"
        ) from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(
            f"cannot read {path.name!r}: {reason}; expected an undamaged pickle of numpy arrays, "
            "lists, text and numbers: save it again as such"
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise Refused(f"it has more than {MAX_BYTES >> 30} GiB")
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
        file.seek(0)
        if not is_zip:
            yield file, size
            return
        with zipfile.ZipFile(file) as archive:
            pickles = [one for one in archive.infolist() if one.filename.endswith("/data.pkl")]
            if len(pickles) != 1 or pickles[0].compress_type != zipfile.ZIP_STORED:
                raise Refused("it is a zip file, but not one that PyTorch wrote")
            with archive.open(pickles[0]) as member:
                yield cast(BinaryIO, member), min(pickles[0].file_size, size)
