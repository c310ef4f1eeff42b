"""Which file or clip the user means."""

import os
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, select

from annotator.errors import UsageError
from annotator.media.remote import named
from annotator.store.schema import Clip, Media

MAX_ID = 2**63 - 1  # the largest integer a database holds


def target(what: int | str | Path) -> int | Path:
    """A clip's number or a file's path; text of digits alone is a number.

    >>> target(7), target("42"), target("a/42.mp4"), target(Path("42"))
    (7, 42, PosixPath('a/42.mp4'), PosixPath('42'))
    """
    if isinstance(what, str):
        return int(what) if what.isdecimal() else named(what)
    return what


def clips_meant(connection: Connection, what: int | Path) -> ColumnElement[bool]:
    """The condition on clips for the clip of that number, or for all clips of that file.

    Raises:
        UsageError: there is no such clip or file.
    """
    if isinstance(what, Path):
        return Clip.media_id == media_meant(connection, what)
    if not has_clip(connection, what):
        raise UsageError(f"no clip {what} in this workspace: `annotate list` shows them")
    return Clip.id == what


def has_clip(connection: Connection, clip_id: int) -> bool:
    """Whether there is a clip of that number."""
    if clip_id > MAX_ID:
        return False
    return connection.scalar(select(Clip.id).where(Clip.id == clip_id)) is not None


def media_meant(connection: Connection, path: Path) -> int:
    """The id of the file of that path, absolute or from the current folder.

    Raises:
        UsageError: there is no such file in the store.
    """
    # As the scan spells paths: `..` is resolved, since what it means depends on links before it.
    spelled = os.path.realpath(path) if ".." in path.parts else os.fspath(path.absolute())
    media_id = connection.scalar(select(Media.id).where(Media.path == spelled))
    if media_id is None:
        raise UsageError(f"no file {path} in this workspace: `annotate run` it first")
    return media_id
