"""A database as something to read from and to write to, a transaction at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sqlalchemy import Connection, Engine

from annotator.store.database import queue, writing
from annotator.store.faults import translated


class Transactions:
    """Connections to read and to write; `place` is what the database is called in messages."""

    def __init__(self, engine: Engine, place: str) -> None:
        self._reading = engine
        self._writing = writing(engine)
        self.place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the store cannot be used after."""
        self._reading.dispose()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction to read in, all of it as it was at one moment."""
        with translated(self.place), self._reading.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A transaction to write in, while no other writes; nothing of it stays if it fails."""
        with self._write() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(self.place), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def _write(self, *, beside_others: bool = False) -> Iterator[Connection]:
        """A transaction to write in, while no other writes.

        SQLite has one writer anyway. PostgreSQL has many, and what one of them has read another may
        change before it writes; where a step is safe `beside_others` of its kind, it need not wait
        for those.
        """
        with translated(self.place), self._writing.begin() as connection:
            if connection.dialect.name == "postgresql":
                queue(connection, shared=beside_others)
            yield connection
