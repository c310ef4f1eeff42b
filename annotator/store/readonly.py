"""Look into a workspace's SQLite database without changing a byte of it or beside it.

Even a reader makes `-wal` and `-shm` files beside a database in WAL mode. Where none are, nobody
has it open and it can be read as immutable, which makes none. Only of a copy that has the `-wal`
and not the `-shm` SQLite makes the latter anew.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import EnvironmentFault

WAIT_S = 2.0  # for another program's lock
LOOK_S = 20.0  # for damage; a database of ten gigabytes would take minutes
STEPS = 100_000  # of SQLite's machine between two looks at the clock
WAL_MODE = b"\x02"  # of the header's byte 18


@dataclass(frozen=True, slots=True)
class Health:
    """What a database says of itself.

    `revision` is None in a database without tables. `damage` is SQLite's first complaint, empty
    where it has none; `whole` is false where time ran out before it had looked everywhere.
    """

    revision: str | None
    damage: str
    whole: bool


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write.

    Raises:
        OSError: the file cannot be read.
        sqlite3.Error: it cannot be opened.
    """
    with path.open("rb") as file:
        wal = file.read(19)[18:] == WAL_MODE
    log = path.with_name(f"{path.name}-wal")
    how = "immutable=1" if wal and not log.exists() else "mode=ro"
    uri = f"{path.absolute().as_uri()}?{how}"
    with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S)) as connection:
        yield connection


def health(path: Path) -> Health:
    """The schema's revision, and whether the file is sound; bounded in time.

    Raises:
        EnvironmentFault: it cannot be opened, is locked, or is no database of ours.
    """
    from annotator.store.faults import translated

    with translated(str(path)):
        try:
            with reading(path) as connection:
                revision = _revision(connection, path)
                return Health(revision, *_damage(connection))
        except OSError as error:
            raise EnvironmentFault(
                f"cannot read {path} ({error.strerror}): make it readable"
            ) from error


def _revision(connection: sqlite3.Connection, path: Path) -> str | None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise EnvironmentFault(f"{path} is not an annotate database: name another with --workspace")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _damage(connection: sqlite3.Connection) -> tuple[str, bool]:
    """The first complaint, and whether all was looked at."""
    end = time.monotonic() + LOOK_S
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_INTERRUPT":
            raise
        return "", False
    return ("" if said == "ok" else str(said)), True
