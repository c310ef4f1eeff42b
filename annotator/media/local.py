"""A file to open: the medium itself, or of one that lies elsewhere a copy here for the time being.

ffmpeg is never given a URL. Copies lie in the folder for temporary files (TMPDIR), under names of
our own; whoever makes one holds a lock on it, so that what a killed process left can be told from
what is in use, and is removed by the next.
"""

import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from annotator.errors import EnvironmentFault, StageFailure
from annotator.media.filesystem import FETCH, filesystem, said
from annotator.media.remote import RemotePath

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")  # some formats are known by it
RESERVE_BYTES = 256 * 2**20  # of the disk, left to others
GRACE_S = 120.0  # that a copy may take however small the file
SLOWEST = 50_000  # bytes a second it has to come at beyond that


class Stopped(Exception):
    """A copy was given up because its maker was asked to stop."""


class LocalMedia:
    """A context manager; `path` can be opened until it ends, and costs a copy when first asked.

    Several threads may ask: there is one copy.

    >>> with LocalMedia(Path("/corpus/a.mp4")) as media:
    ...     media.path, media.is_elsewhere
    (PosixPath('/corpus/a.mp4'), False)
    """

    def __init__(self, source: Path, stopping: Callable[[], bool] = lambda: False) -> None:
        self._source = source
        self._stopping = stopping
        self._copy: _Draft | None = None
        self._fetching = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._copy is not None:
            self._copy.remove()
            self._copy = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether `path` is or will be a copy."""
        return isinstance(self._source, RemotePath)

    @property
    def path(self) -> Path:
        """The file to open.

        Raises:
            StageFailure: it cannot be fetched, is not what it was said to be, or drips.
            EnvironmentFault: there is no room for it, or no package that knows its scheme.
            Stopped: it was asked to.
        """
        if not isinstance(self._source, RemotePath):
            return self._source
        with self._fetching:
            if self._copy is None:
                self._copy = self._fetched(self._source)
            return self._copy.path

    def _fetched(self, source: RemotePath) -> "_Draft":
        draft = _Draft(_folder(), source.suffix if _SUFFIX.fullmatch(source.suffix) else "")
        with ExitStack() as unless_whole:
            unless_whole.callback(draft.remove)
            _fetch(str(source), draft.path, self._stopping)
            unless_whole.pop_all()
        return draft


class _Draft:
    """An empty file of our own, locked until it is removed."""

    def __init__(self, folder: Path, suffix: str) -> None:
        while True:
            self._descriptor, name = tempfile.mkstemp(suffix=suffix, dir=folder)
            self.path = Path(name)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if self.path.stat().st_ino == os.fstat(self._descriptor).st_ino:
                    return
            os.close(self._descriptor)  # removed as left behind, before it was locked

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def _folder() -> Path:
    """The folder of copies of this user, rid of what others left behind."""
    folder = Path(tempfile.gettempdir()) / f"annotate-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise EnvironmentFault(
            f"cannot make {folder} ({error.strerror}): name another folder in TMPDIR"
        ) from error
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EnvironmentFault(
            f"{folder} is not a folder of yours alone: remove it, or name another in TMPDIR"
        )
    for left in folder.iterdir():
        _remove_unless_held(left)
    return folder


def _remove_unless_held(path: Path) -> None:
    with suppress(OSError):  # gone meanwhile, or held: no business of ours
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)


def _fetch(url: str, out: Path, stopping: Callable[[], bool]) -> None:
    """Copy a file here, all of it or not at all."""
    found, name = filesystem(url)
    from fsspec.callbacks import Callback

    try:
        size = int(found.info(name)["size"])
        _check_room(out.parent, size, url)
        limit = _Limit(size, stopping)
        found.get_file(name, str(out), callback=Callback(hooks={"limit": limit}))
    except (StageFailure, EnvironmentFault, Stopped):
        raise
    except Exception as error:  # each library has its own
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise EnvironmentFault(_no_room(out.parent, url)) from error
        raise StageFailure(FETCH, f"cannot be fetched ({said(error)})") from error
    if out.stat().st_size != size:
        raise StageFailure(
            FETCH, f"{out.stat().st_size} bytes came of {size}: it changed meanwhile, or was cut"
        )


class _Limit:
    """Told of each block that has come; raises once there is a reason not to go on."""

    def __init__(self, size: int, stopping: Callable[[], bool]) -> None:
        self._size = size
        self._stopping = stopping
        self._deadline = time.monotonic() + GRACE_S + size / SLOWEST

    def __call__(self, _total: int | None, come: int, **_: object) -> None:
        if self._stopping():
            raise Stopped
        if come > self._size:
            raise StageFailure(FETCH, f"more than the {self._size} bytes came that it has")
        if time.monotonic() > self._deadline:
            raise StageFailure(FETCH, f"it drips: {come} bytes of {self._size} came in time")


def _check_room(folder: Path, size: int, url: str) -> None:
    if shutil.disk_usage(folder).free < size + RESERVE_BYTES:
        raise EnvironmentFault(_no_room(folder, url))


def _no_room(folder: Path, url: str) -> str:
    return f"no room in {folder} for a copy of {url}: make some, or name another folder in TMPDIR"
