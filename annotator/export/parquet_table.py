"""A table as Parquet: typed columns, written group by group."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import BinaryIO

import pyarrow as pa
from pyarrow import parquet

from annotator.export.table import Cell, Column

GROUP_ROWS = 16_384  # rows in memory at a time, and of a row group

_TYPES = {
    "text": pa.string(),
    "number": pa.float64(),
    "count": pa.int64(),
    "truth": pa.bool_(),
}


def write_parquet(
    file: BinaryIO,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    facts: Mapping[str, str],
) -> None:
    """Parquet with zstd; `facts` go into the metadata of the schema."""
    fields = [pa.field(column.name, _TYPES[column.kind]) for column in columns]
    schema = pa.schema(fields, metadata=dict(facts))
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(rows):
            cells = zip(*group, strict=True)
            arrays = [
                pa.array(map(_storable, column), field.type)
                for field, column in zip(fields, cells, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _storable(cell: Cell) -> Cell:
    r"""Text in UTF-8: bytes of a path that are not are spelled by `\udcXX`, as in CSV."""
    if isinstance(cell, str):
        return cell.encode("utf-8", "backslashreplace").decode("utf-8")
    return cell


def _groups(rows: Iterable[Sequence[Cell]]) -> Iterator[list[Sequence[Cell]]]:
    remaining = iter(rows)
    while group := list(islice(remaining, GROUP_ROWS)):
        yield group
