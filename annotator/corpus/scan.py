"""Find the media files of a corpus: names, sizes and times only; nothing is opened.

A path keeps the spelling it was found under (made absolute, links kept), because that is the
name people know a file by. Two names of one file, by a link or by overlapping arguments, count
once; the file's own place wins over a link to it.
"""

import os
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import UsageError
from annotator.types import Skipped, Source

# fmt: off
VIDEO_EXTENSIONS = frozenset((
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".mpg",
    ".mpeg", ".ts", ".mts", ".3gp", ".ogv", ".wmv",
))
AUDIO_EXTENSIONS = frozenset((
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus",
    ".m4a", ".aac", ".aif", ".aiff", ".wma", ".amr",
))
# fmt: on
MEDIA_EXTENSIONS = VIDEO_EXTENSIONS | AUDIO_EXTENSIONS


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found.

    `other` counts the files that are not media by extension in lower case ("" for none):
    sidecars, tables, pictures. They are no problem, so they are not listed one by one.
    """

    sources: tuple[Source, ...]
    skipped: tuple[Skipped, ...]
    other: Mapping[str, int]


def scan(paths: Sequence[Path]) -> ScanResult:
    """Walk folders and take files; sources and skipped paths come sorted by path.

    Hidden names inside folders are passed over silently (a hidden path named by the user is
    taken). Whatever cannot be read, broken links and special files become `Skipped`.

    Raises:
        UsageError: a path does not exist.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.MP4").write_bytes(b"x")
    ...     _ = (Path(folder) / "a.srt").write_bytes(b"")
    ...     found = scan([Path(folder)])
    >>> [source.path.name for source in found.sources], dict(found.other)
    (['a.MP4'], {'.srt': 1})
    """
    walk = _Walk()
    for path in paths:
        walk.take(str(absolute(path)), named_by_user=True)
    walk.finish()
    return ScanResult(
        tuple(sorted(walk.sources.values(), key=lambda source: str(source.path))),
        tuple(sorted(walk.skipped, key=lambda skip: str(skip.path))),
        dict(sorted(walk.other.items())),
    )


def absolute(path: Path) -> Path:
    """The one absolute spelling of a path, links kept.

    Only a path with `..` is resolved: what `..` means depends on the links before it, and the
    same file must have the same name in every run.

    >>> absolute(Path("/data/./a.mp4")).as_posix()
    '/data/a.mp4'
    """
    return Path(os.path.realpath(path)) if ".." in path.parts else path.absolute()


class _Walk:
    """The state of one scan. Links wait until the end, so that a file's own place wins."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}  # by real path
        self.skipped: list[Skipped] = []
        self.other: Counter[str] = Counter()
        self._folders_seen: set[tuple[int, int]] = set()
        self._others_seen: set[str] = set()
        self._links: list[str] = []
        self._folders: list[str] = []

    def take(self, path: str, *, named_by_user: bool = False) -> None:
        """Take a file or a folder with all below it, through a link if it is one."""
        try:
            status = Path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            if named_by_user and not Path(path).is_symlink():
                raise UsageError(f"{path!r} does not exist; check the path") from None
            self._skip(path, "broken link: what it points to does not exist")
        except OSError as error:
            self._skip(path, _reason(error))
        else:
            if stat.S_ISDIR(status.st_mode):
                self._folders.append(path)
                self._drain()
            else:
                self._file(path, os.path.realpath(path), status)

    def finish(self) -> None:
        """Follow the links met on the way; each may lead to more of them."""
        while self._links:
            batch, self._links = sorted(self._links), []
            for path in batch:
                self.take(path)

    def _drain(self) -> None:
        while self._folders:
            folder = self._folders.pop()
            try:
                self._folder(folder)
            except OSError as error:
                self._skip(folder, f"folder cannot be read: {_reason(error)}")

    def _folder(self, folder: str) -> None:
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self._folders_seen:  # a loop of links, or a folder reached twice
            return
        self._folders_seen.add(identity)
        real = os.path.realpath(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    self._entry(entry, os.path.join(real, entry.name))  # noqa: PTH118 (speed)

    def _entry(self, entry: os.DirEntry[str], real: str) -> None:
        try:
            if entry.is_symlink():
                self._links.append(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                self._folders.append(entry.path)
            else:
                self._file(entry.path, real, entry.stat(follow_symlinks=False))
        except OSError as error:
            self._skip(entry.path, _reason(error))

    def _file(self, path: str, real: str, status: os.stat_result) -> None:
        extension = os.path.splitext(path)[1].lower()  # noqa: PTH122 (speed)
        if not stat.S_ISREG(status.st_mode):
            self._skip(path, f"{_kind(status.st_mode)}, not a regular file")
        elif extension not in MEDIA_EXTENSIONS:
            if real not in self._others_seen:
                self._others_seen.add(real)
                self.other[extension] += 1
        elif not os.access(path, os.R_OK):
            self._skip(path, "no permission to read it")
        elif real not in self.sources:
            self.sources[real] = Source(Path(path), status.st_size, status.st_mtime_ns)

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(Path(path), reason))


def _reason(error: OSError) -> str:
    """The system's words without the path, which stands beside them anyway."""
    return (error.strerror or type(error).__name__).lower()


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"
