"""Copy a whole database into an empty one, of the other kind too, and prove that it is the same."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Integer, Table, func, select, text

from annotator.errors import EnvironmentFault, UsageError
from annotator.store.columns import epoch_ms
from annotator.store.engine import Store
from annotator.store.schema import Base

BATCH = 1000  # rows in memory at once
Rows: TypeAlias = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Copied:
    """A table's rows, and the digest of their content in the order of their key."""

    table: str
    rows: int
    sha256: str


def copy(
    source: Store, destination: Store, told: Callable[[int, int], object]
) -> tuple[Copied, ...]:
    """Copy all tables and read them back; all is there or nothing is.

    Numbers are kept, so that what refers to a clip or task by its number, outside too, stays right.

    Args:
        source: read in one snapshot; others may write to it meanwhile.
        destination: without a row.
        told: how many rows more are written or read back, of how many of both.

    Raises:
        UsageError: the destination holds something.
        EnvironmentFault: what is read back is not what was written, or a database fails.
    """
    tables = Base.metadata.sorted_tables
    with source.snapshot() as old, destination.alone() as new:
        for table in tables:
            if new.execute(select(table).limit(1)).first() is not None:
                raise UsageError(
                    f"{destination.place} holds {table.name} rows already: copy into an empty "
                    "database"
                )
        total = 2 * sum(int(old.scalar(select(func.count()).select_from(t)) or 0) for t in tables)
        written = [_write(old, new, table, lambda rows: told(rows, total)) for table in tables]
        for table, sent in zip(tables, written, strict=True):
            found = _digest(table.name, _batches(new, table), lambda rows: told(rows, total))
            if found != sent:
                raise EnvironmentFault(
                    f"{destination.place} gave back other {table.name} rows than were written "
                    f"({found.rows} of {sent.rows}): nothing was kept; copy again"
                )
            _count_on(new, table)
    return tuple(written)


def _write(old: Connection, new: Connection, table: Table, told: Callable[[int], object]) -> Copied:
    def passing() -> Iterator[Rows]:
        names = table.columns.keys()
        for rows in _batches(old, table):
            new.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
            yield rows

    return _digest(table.name, passing(), told)


def _batches(connection: Connection, table: Table) -> Iterator[Rows]:
    """In the order of the key; no more than a batch is in memory."""
    ordered = select(table).order_by(*table.primary_key.columns)
    streaming = connection.execution_options(yield_per=BATCH)
    for rows in streaming.execute(ordered).partitions():
        yield [tuple(row) for row in rows]


def _digest(name: str, batches: Iterator[Rows], told: Callable[[int], object]) -> Copied:
    digest, count = hashlib.sha256(), 0
    for rows in batches:
        for row in rows:
            digest.update(json.dumps(row, sort_keys=True, default=_plain).encode() + b"\n")
        count += len(rows)
        told(len(rows))
    return Copied(name, count, digest.hexdigest())


def _plain(value: object) -> str | int:
    """What JSON lacks: bytes and moments."""
    if isinstance(value, datetime):
        return epoch_ms(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"no column holds a {type(value).__name__}")


def _count_on(connection: Connection, table: Table) -> None:
    """Have PostgreSQL number new rows after those that came with their numbers."""
    key = list(table.primary_key.columns)
    if connection.dialect.name != "postgresql" or [column.name for column in key] != ["id"]:
        return
    last = connection.scalar(select(func.max(key[0])))
    if last is not None and isinstance(key[0].type, Integer):
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"),
            {"table": table.name, "last": last},
        )
