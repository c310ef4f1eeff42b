"""What earlier runs know of media files, so that their features are found without opening them."""

from collections.abc import Collection
from pathlib import Path

from annotator.store.records import OpenedMedia
from annotator.workspace import Workspace


def known_media(workspace: Workspace, wanted: Collection[Path]) -> dict[Path, OpenedMedia]:
    """Those of the wanted files that a run has opened and that have not changed since.

    Raises:
        EnvironmentFault: the database is locked, damaged or from a newer version.
    """
    with workspace.open_store() as store:
        opened = store.opened_media()
    return {
        path: known
        for path in wanted
        if (known := opened.get(path)) is not None and _is_unchanged(path, known)
    }


def _is_unchanged(path: Path, known: OpenedMedia) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)
