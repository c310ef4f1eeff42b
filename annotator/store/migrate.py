"""Brings a database to the present schema when it is opened, with a backup made first."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect

import migrations
from annotator.errors import EnvironmentFault
from annotator.store.database import queue, writing

if TYPE_CHECKING:
    from alembic.config import Config

# The newest revision in `migrations/versions`, here so that opening an up-to-date database need
# not import Alembic; a test holds the two together.
HEAD = "0004"
SCRIPTS = Path(migrations.__path__[0])


def upgrade(engine: Engine, place: str) -> None:
    """Create the tables of a fresh database, or bring an older one up to date.

    Of two processes that open it at once, one waits for the other's lock and finds it done.

    Raises:
        EnvironmentFault: the database is from a newer version of the tool, or not ours.
    """
    with engine.begin() as connection:
        if revision_of(connection, place) == HEAD:
            return
    with writing(engine).connect() as connection:
        # A revision that rebuilds a table drops the old one; enforced foreign keys would take
        # the rows that refer to it along. SQLite ignores this pragma inside a transaction.
        _foreign_keys(connection, enforced=False)
        try:
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    queue(connection, shared=False)
                _upgrade_locked(connection, place)
        finally:
            _foreign_keys(connection, enforced=True)


def check_known(revision: str, place: str) -> None:
    """Refuse a revision that only a newer version of the tool can have made.

    Raises:
        EnvironmentFault: it is none of ours.
    """
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision not in known:
        raise EnvironmentFault(
            f"{place} is from a newer version of annotate (schema {revision}, this one knows "
            f"{HEAD}): upgrade with `pip install --upgrade annotate-emotions`"
        )


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return config


def _upgrade_locked(connection: Connection, place: str) -> None:
    revision = revision_of(connection, place)
    if revision == HEAD:
        return
    from alembic import command

    if revision is not None:
        check_known(revision, place)
    config = _config()
    config.attributes["connection"] = connection
    if revision is not None and connection.dialect.name == "sqlite":
        _back_up(connection, revision)
    command.upgrade(config, HEAD)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise EnvironmentFault(
                f"{place} holds {len(broken)} rows that refer to missing ones and was left as it "
                "was: restore a backup from beside it"
            )


def revision_of(connection: Connection, place: str) -> str | None:
    """The revision the database is at; None for an empty one.

    Raises:
        EnvironmentFault: it is not ours.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise EnvironmentFault(
            f"{place} is not an annotate database: name another with --workspace"
        )
    revision: str | None = connection.exec_driver_sql(
        "SELECT version_num FROM alembic_version"
    ).scalar()
    return revision


def _back_up(connection: Connection, revision: str) -> None:
    """Copy the database beside itself, as it was before this transaction."""
    source = Path(connection.engine.url.database or "")
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = source.with_name(f"{source.name}.backup-{revision}-{moment}")
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
    except sqlite3.Error:
        copy.unlink(missing_ok=True)  # half a backup is worse than none
        raise


def _foreign_keys(connection: Connection, *, enforced: bool) -> None:
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        raw.execute(f"PRAGMA foreign_keys={'ON' if enforced else 'OFF'}").close()
