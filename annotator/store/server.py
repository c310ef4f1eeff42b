"""Look at a database by its URL without changing it."""

from annotator.store.database import BUSY_TIMEOUT_S, described, make_engine, parse_target
from annotator.store.faults import translated
from annotator.store.migrate import check_known, revision_of


def look(url: str) -> tuple[str, str | None]:
    """What to call the database, without a password, and its schema's revision; None if empty.

    Raises:
        UsageError: the URL is not one of a database the store supports.
        EnvironmentFault: the database does not answer, or is not ours.
    """
    target = parse_target(url)
    name, engine = described(target), make_engine(target, BUSY_TIMEOUT_S)
    try:
        with translated(name), engine.begin() as connection:
            revision = revision_of(connection, name)
    finally:
        engine.dispose()
    if revision is not None:
        check_known(revision, name)
    return name, revision
