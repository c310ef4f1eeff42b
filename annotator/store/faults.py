"""What the database cannot do, said in one line with what to do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from annotator.errors import EnvironmentFault

# By the start of SQLite's name for the error; the first that fits. {place} is the database.
_REMEDIES = (
    (
        "SQLITE_BUSY",
        "{place} is locked: another program is writing to it; wait or end it, then retry",
    ),
    (
        "SQLITE_LOCKED",
        "{place} is locked: another program is writing to it; wait or end it, then retry",
    ),
    ("SQLITE_NOTADB", "{place} is not an annotate database: name another with --workspace"),
    ("SQLITE_CORRUPT", "{place} is damaged: restore a backup from beside it, or move it away"),
    ("SQLITE_FULL", "no space left for {place}: free some space, then run the same command again"),
    ("SQLITE_READONLY", "cannot write to {place}: make the file and its folder writable"),
    ("SQLITE_CANTOPEN", "cannot open {place}: its folder must exist and be writable"),
    ("SQLITE_PERM", "cannot open {place}: its folder must exist and be writable"),
    ("SQLITE_IOERR", "cannot read or write {place}: check the disk and the space left on it"),
)

_NO_ENTRY = "{place} does not let you in: check the user, and the password or PGPASSWORD"
_NOT_THERE = "{place} is not there: make it with `createdb`, or correct its name"

# By the start of PostgreSQL's code for the error.
_SERVER_REMEDIES = (
    ("28", _NO_ENTRY),
    ("3D000", _NOT_THERE),
    ("53100", "no space left for {place}: free some on its server, then run the command again"),
    ("53300", "{place} has no connection left: end other programs, or raise max_connections"),
    ("42501", "no permission in {place}: its user must own the database"),
    ("25006", "cannot write to {place}: the server takes no changes now"),
    ("57P", "{place} is shutting down or starting: run the same command again when it is up"),
)

# Before there is a connection there is no code, only the server's words (those of an English one).
_REFUSALS = (
    ("authentication failed", _NO_ENTRY),
    ("no password supplied", _NO_ENTRY),
    ('" does not exist', _NOT_THERE),
)


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn the database's refusals within the block into `EnvironmentFault`.

    What is left is a bug of ours (a broken constraint, wrong SQL) and passes unchanged.

    Args:
        place: how to name the database to the user; never with a password.
    """
    try:
        yield
    except DBAPIError as error:
        fault = _fault(error.orig, place)
        if fault is None and isinstance(error, OperationalError) and not _is_sqlite(error.orig):
            fault = _silence(str(error.orig).strip(), place)
        if fault is None:
            raise
        raise fault from error
    except sqlite3.Error as error:
        fault = _fault(error, place)
        if fault is None:
            raise
        raise fault from error


def _silence(reason: str, place: str) -> EnvironmentFault:
    for words, message in _REFUSALS:
        if words in reason:
            return EnvironmentFault(message.format(place=place))
    line = reason.partition("\n")[0]
    return EnvironmentFault(f"{place} does not answer: {line}; check that it is running")


def _is_sqlite(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.Error)


def _fault(error: BaseException | None, place: str) -> EnvironmentFault | None:
    names = (getattr(error, "sqlite_errorname", ""), getattr(error, "sqlstate", None) or "")
    for name, remedies in zip(names, (_REMEDIES, _SERVER_REMEDIES), strict=True):
        for start, message in remedies:
            if name.startswith(start):
                return EnvironmentFault(message.format(place=place))
    return None
