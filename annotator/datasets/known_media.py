"""What earlier runs know of media files, so that their features are found without opening them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from annotator.store.database import BUSY_TIMEOUT_S, make_engine, parse_target
from annotator.store.faults import translated
from annotator.store.schema import Media
from annotator.workspace import Workspace


@dataclass(frozen=True, slots=True)
class KnownMedia:
    """A file as the last run found it."""

    content_hash: str
    duration_ms: int


def known_media(workspace: Workspace, wanted: Collection[Path]) -> dict[Path, KnownMedia]:
    """Those of the wanted files that a run has opened and that have not changed since.

    Raises:
        EnvironmentFault: the database is locked, damaged or from a newer version.
    """
    workspace.open_store().close()  # brings an older database up to date
    rows = select(
        Media.path, Media.size, Media.mtime_ns, Media.content_hash, Media.duration_ms
    ).where(Media.content_hash.is_not(None), Media.duration_ms.is_not(None))
    engine = make_engine(parse_target(workspace.database), BUSY_TIMEOUT_S)
    try:
        with translated(str(workspace.database)), engine.begin() as connection:
            found = {Path(row.path): row for row in connection.execute(rows)}
    finally:
        engine.dispose()
    return {
        path: KnownMedia(row.content_hash, row.duration_ms)
        for path in wanted
        if (row := found.get(path)) is not None and (row.size, row.mtime_ns) == _facts(path)
    }


def _facts(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
