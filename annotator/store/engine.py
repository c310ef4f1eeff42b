"""The door to the database: `open_store` and the `Store` it returns."""

from pathlib import Path

from sqlalchemy import URL

from annotator.errors import EnvironmentFault
from annotator.store.database import BUSY_TIMEOUT_S, described, make_engine, parse_target
from annotator.store.engine_queries import QueryStore
from annotator.store.engine_reviews import ReviewStore
from annotator.store.engine_runs import RunStore
from annotator.store.faults import translated
from annotator.store.migrate import upgrade


def open_store(
    target: str | Path | URL, *, create: bool = True, timeout_s: float = BUSY_TIMEOUT_S
) -> "Store":
    """Open a database and bring it up to date, with a backup beside it if it is an older one.

    Args:
        target: the path of an SQLite file, or any SQLAlchemy URL of SQLite or PostgreSQL.
        create: whether to make an SQLite file that is not there.
        timeout_s: how long to wait for another program's writing to end.

    Raises:
        UsageError: the URL is not one of a database the store supports.
        EnvironmentFault: the database is missing, locked, damaged, from a newer version of the
            tool or not ours; or the disk is full or not writable.
    """
    url = parse_target(target)
    place = described(url)
    if url.get_backend_name() == "sqlite" and not create and not Path(place).is_file():
        raise EnvironmentFault(f"no database at {place}: `annotate run CORPUS` makes one")
    engine = make_engine(url, timeout_s)
    try:
        with translated(place):
            upgrade(engine, place)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, place)


class Store(RunStore, QueryStore, ReviewStore):
    """A workspace's database. Every method is one transaction and may be called from any thread.

    All of them raise `EnvironmentFault` where the database cannot do it: locked, full, not
    writable. Ids are the database's own.
    """
