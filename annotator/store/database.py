"""How the store talks to its database: the engine, its pragmas, and SQL both dialects share."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Compiled,
    Connection,
    Dialect,
    Engine,
    Row,
    Select,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import InstrumentedAttribute

from annotator.errors import UsageError
from annotator.store.schema import Base

BUSY_TIMEOUT_S = 30.0  # a transaction of ours takes well under a second; a slow disk may queue some

CHUNK = 1000  # values in one IN (...): SQLite takes 32,766 parameters, but parses long SQL slowly

AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]
Values = tuple[str | int | float | bytes | None, ...]

_QUEUE = 0x616E6E6F  # of our writers in PostgreSQL; any number that is always the same
_BEGIN = "sqlite_begin"  # execution option: which BEGIN opens the transaction


def parse_target(target: str | Path | URL) -> URL:
    """The URL of a database given as one, or as the path of an SQLite file.

    Raises:
        UsageError: the URL cannot be read, or names a database other than the two supported.

    >>> parse_target("sqlite:////tmp/a.db").database, parse_target(Path("b #1?.db")).database
    ('/tmp/a.db', 'b #1?.db')
    """
    if isinstance(target, Path) or (isinstance(target, str) and "://" not in target):
        return URL.create("sqlite", database=str(target))
    try:
        url = make_url(target)
    except ArgumentError as error:
        raise UsageError(
            "the database URL cannot be read: expected a path, sqlite:///PATH or postgresql://..."
        ) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError(
            f"no support for {url.get_backend_name()}: the store needs SQLite or PostgreSQL"
        )
    return url


def described(url: URL) -> str:
    """What to call a database in messages: the file, or the URL without its password.

    >>> described(parse_target("postgresql://me:secret@host/db"))
    'postgresql://me:***@host/db'
    """
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    return url.render_as_string(hide_password=True)


def make_engine(url: URL, timeout_s: float) -> Engine:
    """The engine; each of its connections waits up to `timeout_s` for SQLite's write lock.

    Raises:
        UsageError: the package that speaks to PostgreSQL is not installed.
    """
    serialize = partial(json.dumps, default=str)  # settings hold paths
    if url.get_backend_name() == "postgresql":
        return _postgresql(url, serialize)
    engine = create_engine(url, json_serializer=serialize, connect_args={"timeout": timeout_s})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(url: URL, serialize: Callable[[object], str]) -> Engine:
    """With psycopg, whatever driver the URL may name."""
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            json_serializer=serialize,
            pool_pre_ping=True,  # the server may have been restarted since the last transaction
        )
    except ModuleNotFoundError as error:
        raise UsageError(
            "PostgreSQL needs a package more: pip install 'annotate-emotions[postgres]'"
        ) from error


def writing(engine: Engine) -> Engine:
    """The same engine, whose transactions hold the write lock from their start.

    A transaction that reads first and then asks for the lock would fail at once, not wait, when
    another has written in between.
    """
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


def queue(connection: Connection, *, shared: bool) -> None:
    """Wait in PostgreSQL for those who write, with `shared` only for those who want to be alone.

    The lock is the transaction's: it goes when that ends, however it ends.
    """
    kind = "_shared" if shared else ""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{kind}({_QUEUE})")


def insert(dialect: Dialect, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ON CONFLICT, which both dialects spell alike but do not share."""
    return sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)


def execute_rows(
    connection: Connection, compiled: Compiled, names: Sequence[str], rows: Sequence[Values]
) -> None:
    """Execute once a row, handing the rows to the driver as they are.

    SQLAlchemy's own executemany converts every parameter of every row, which costs more than
    SQLite's work: label predictions were measured to take about three times as long.

    Args:
        connection: in a transaction.
        compiled: the statement, compiled for the connection's dialect.
        names: its parameters, in the order of the statement.
        rows: values the driver takes: column types are not applied.
    """
    if connection.dialect.positional:
        connection.exec_driver_sql(str(compiled), list(rows))
    else:
        named = [dict(zip(names, row, strict=True)) for row in rows]
        connection.exec_driver_sql(str(compiled), named)


def in_chunks(
    connection: Connection,
    statement: AnySelect,
    column: InstrumentedAttribute[int]
    | InstrumentedAttribute[int | None]
    | InstrumentedAttribute[str],
    values: Sequence[int] | Sequence[str],
) -> Iterator[Any]:
    """The statement's rows where `column` is one of `values`, however many those are."""
    for first in range(0, len(values), CHUNK):
        chunk = values[first : first + CHUNK]
        yield from connection.execute(statement.where(column.in_(chunk)))


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Set up a new SQLite connection."""
    connection.isolation_level = None  # `_begin` begins; the driver would not for DDL and SELECT
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
