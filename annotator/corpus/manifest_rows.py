"""Read the rows of a manifest file, CSV, JSON Lines or Parquet, as plain dictionaries.

A row is `(number, columns)`, or `(number, reason)` where it cannot be read; the number is
the one a spreadsheet or an editor shows (a CSV's header is 1). Column names are folded by
`fold`, values are as the format gives them.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from annotator.errors import UsageError

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

Columns = Mapping[str, object]
Row = tuple[int, Columns | str]

COLUMNS = ("path", "start", "end", "transcript", "speaker", "split", "labels")
LABEL_PREFIXES = ("label:", "label_")
EXTENSIONS = (".csv", ".jsonl", ".ndjson", ".parquet")

MAX_LINE = 2**20  # characters of a JSON line; csv has its own limit of 128 KiB a field
BATCH_ROWS = 4096
MAX_ROW_GROUP_BYTES = 2**30  # uncompressed, of a Parquet row group: what a batch may cost


def fold(name: str) -> str:
    """The column name as compared: trimmed, lower case but for the label in `label:Joy`.

    >>> fold(" Path "), fold("Label:Joy")
    ('path', 'label:Joy')
    """
    name = name.strip()
    for prefix in LABEL_PREFIXES:
        if name.lower().startswith(prefix):
            return prefix + name[len(prefix) :].strip()
    return name.lower()


def is_known(column: str) -> bool:
    """Whether a folded column means something here."""
    return column in COLUMNS or column.startswith(LABEL_PREFIXES)


def rows(path: Path) -> Iterator[Row]:
    """The rows of a manifest, read as they are asked for.

    Raises:
        UsageError: not readable, not UTF-8, a column twice, or not what its extension says.
    """
    reader = {".csv": _csv_rows, ".parquet": _parquet_rows}.get(path.suffix.lower(), _json_rows)
    try:
        yield from reader(path)
    except UnicodeDecodeError as error:
        found = error.object[error.start]
        raise UsageError(
            f"manifest {path.name!r} is not UTF-8 (byte 0x{found:02X}); save it as UTF-8"
        ) from None
    except OSError as error:
        reason = " ".join(str(error.strerror or error).split())
        raise UsageError(f"manifest {path.name!r} cannot be read ({reason}): check it") from None


def _csv_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        records = _csv_records(csv.reader(handle, skipinitialspace=True))
        header = next(records, [])
        if isinstance(header, str):
            raise UsageError(
                f"manifest {path.name!r} has no readable header ({header}): its first row names "
                "the columns, one of them path"
            )
        names = _folded(path, header)
        for number, record in enumerate(records, 2):
            if isinstance(record, str):
                yield number, record
            elif len(record) > len(names):
                yield number, f"{len(record)} cells under {len(names)} columns"
            elif any(record):
                yield number, dict(zip(names, record, strict=False))


def _csv_records(reader: Iterator[list[str]]) -> Iterator[list[str] | str]:
    """The records, each one that csv refuses (a huge field) as its reason."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield str(error)


def _folded(path: Path, names: Sequence[str]) -> list[str]:
    folded = [fold(name) for name in names]
    for name in folded:
        if is_known(name) and folded.count(name) > 1:
            raise UsageError(f"manifest {path.name!r} has the column {name!r} twice; keep one")
    return folded


def _json_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as handle:
        number = 0
        while line := handle.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and not line.endswith("\n"):
                _skip_line(handle)
                yield number, f"the line is longer than {MAX_LINE} characters"
            elif line.strip():
                yield number, _json_row(line)


def _skip_line(handle: TextIO) -> None:
    while (rest := handle.readline(MAX_LINE)) and not rest.endswith("\n"):
        pass


def _json_row(line: str) -> Columns | str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(value, dict):
        return "not a JSON object"
    columns = {fold(name): cell for name, cell in value.items()}
    return columns if len(columns) == len(value) else "a column is given twice"


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as table:
            given = table.schema_arrow.names
            names = dict(zip(given, _folded(path, given), strict=True))
            _check_row_groups(path, table.metadata)
            known = [name for name, column in names.items() if is_known(column)]
            unknown = {column: None for column in names.values() if not is_known(column)}
            batches = table.iter_batches(batch_size=BATCH_ROWS, columns=known)
            every_row = (row for batch in batches for row in batch.to_pylist())
            for number, row in enumerate(every_row, 1):
                yield number, unknown | {names[name]: cell for name, cell in row.items()}
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"manifest {path.name!r} is not sound Parquet ({reason}): write it again"
        ) from None


def _check_row_groups(path: Path, metadata: "FileMetaData") -> None:
    sizes = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if max(sizes, default=0) > MAX_ROW_GROUP_BYTES:
        raise UsageError(
            f"manifest {path.name!r} has a row group over {MAX_ROW_GROUP_BYTES >> 20} MiB; "
            "write it with smaller ones"
        )
