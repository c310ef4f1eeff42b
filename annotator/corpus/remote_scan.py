"""Find the media files of a corpus that lies elsewhere: one listing, nothing is opened.

As `scan` does on this machine: hidden names are passed over, and what cannot be kept under its name
is told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from annotator.corpus.scan import MEDIA_EXTENSIONS
from annotator.errors import EnvironmentFault, UsageError
from annotator.media.filesystem import filesystem, said
from annotator.media.remote import RemotePath, name_flaw
from annotator.types import Skipped, Source

_CHANGED = ("LastModified", "last_modified", "updated", "modified", "mtime")
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """All files below the URLs that the user named, whatever their kind, by path.

    Size and time of change are as the listing tells them; a time that it does not tell is 0.
    """

    files: Mapping[Path, Source] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()

    @property
    def media(self) -> Iterator[Source]:
        """Those that a scan would take, sorted by path."""
        return (
            self.files[path]
            for path in sorted(self.files, key=str)
            if path.suffix.lower() in MEDIA_EXTENSIONS
        )

    @property
    def other(self) -> Counter[str]:
        """How many are no media, by extension in lower case."""
        kinds = (path.suffix.lower() for path in self.files)
        return Counter(kind for kind in kinds if kind not in MEDIA_EXTENSIONS)

    @property
    def names(self) -> Mapping[Path, Sequence[str]]:
        """The names in each folder."""
        folders: defaultdict[Path, list[str]] = defaultdict(list)
        for path in self.files:
            folders[path.parent].append(path.name)
        return folders


def list_remote(roots: Sequence[RemotePath]) -> Listing:
    """List what lies below URLs, or the files that they name.

    Raises:
        UsageError: there is nothing under one of them.
        EnvironmentFault: it cannot be listed.
    """
    files: dict[Path, Source] = {}
    skipped: dict[str, Skipped] = {}
    for root in roots:
        there = False
        for url, info in _found(str(root)):
            there = True
            if (flaw := name_flaw(url)) is not None:
                skipped[url] = Skipped(root, f"{url!r}: {flaw}")
            else:
                path = RemotePath(url)
                files[path] = Source(path, int(info.get("size") or 0), _changed_ns(info))
        if not there:
            raise UsageError(f"there is no file under {root}: check the URL")
    return Listing(files, tuple(skipped[url] for url in sorted(skipped)))


def _found(root: str) -> Iterator[tuple[str, Json]]:
    """The files under a URL, each by its own, without hidden ones and marks of folders."""
    system, name = filesystem(root)
    system.invalidate_cache()  # of an earlier listing: what has changed since is what matters
    try:
        found: Mapping[str, Json] = system.find(name, detail=True)
    except Exception as error:  # each library has its own
        raise EnvironmentFault(
            f"cannot list {root} ({said(error)}): check that you may, and that it is reachable"
        ) from error
    for key, info in found.items():
        below = key.removeprefix(name)
        if info.get("type") != "directory" and not below.endswith("/") and not _is_hidden(below):
            yield f"{root}{below}", info


def _is_hidden(below: str) -> bool:
    return any(part.startswith(".") and part.strip(".") for part in below.split("/"))


def _changed_ns(info: Json) -> int:
    """When it was last written, nanoseconds since 1970."""
    for name in _CHANGED:
        moment = info.get(name)
        if isinstance(moment, str):
            try:
                moment = datetime.fromisoformat(moment)
            except ValueError:
                continue
        if isinstance(moment, datetime):
            return int(moment.timestamp() * 1_000_000) * 1_000
        if isinstance(moment, int | float):
            return int(moment * 1_000_000) * 1_000
    return 0
