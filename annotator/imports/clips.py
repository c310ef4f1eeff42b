"""Which clip of the store is meant: by its number, or by its file and bounds."""

import os
from collections import defaultdict
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from annotator.corpus.manifest_cells import shown
from annotator.imports.stated import Stated
from annotator.media.remote import is_url
from annotator.store.columns import readable
from annotator.store.engine import Store
from annotator.types import Bounds

TOLERANCE_MS = 100  # tools round times, to frames of 40 ms among others


class Clips:
    """The clips of present plans; those of a file are read when it is first named."""

    def __init__(self, store: Store, tolerance_ms: int = TOLERANCE_MS) -> None:
        self._store = store
        self._tolerance_ms = tolerance_ms
        self._by_path: dict[str, Path] = {}
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[Path]] = defaultdict(list)
        for path in store.opened_media():
            self._by_path[readable(os.fspath(path))] = path
            self._by_name[readable(path.name)].append(path)
            self._by_stem[readable(path.stem)].append(path)
        self._bounds: dict[Path, dict[Bounds, int]] = {}
        self._known: dict[int, bool] = {}

    def find(self, stated: Stated, folder: Path) -> int:
        """The number of the clip that is meant.

        Args:
            stated: names it.
            folder: of the file it stands in, from which paths lead.

        Raises:
            ValueError: there is none, or more than one might be meant.
        """
        if stated.clip is not None:
            if not self._is_known(stated.clip):
                raise ValueError(f"no clip {stated.clip} in this workspace")
            return stated.clip
        if not stated.media:
            raise ValueError("it names neither a clip nor a path")
        return self._within(self._media(stated.media, folder), stated.start_ms, stated.end_ms)

    def _is_known(self, clip_id: int) -> bool:
        if clip_id not in self._known:
            self._known[clip_id] = self._store.has_clip(clip_id)
        return self._known[clip_id]

    def _media(self, names: tuple[str, ...], folder: Path) -> Path:
        """By the path; else the only file whose path ends so, or of the same name or stem."""
        for name in names:
            if is_url(name) and name in self._by_path:
                return self._by_path[name]
            exact = readable(os.path.normpath(os.path.join(os.path.abspath(folder), name)))  # noqa: PTH100, PTH118
            if exact in self._by_path:
                return self._by_path[exact]
        for name in names:
            pure = _pure(readable(name))
            called = self._by_name.get(pure.name) or self._by_stem.get(pure.name) or []
            if len(called) > 1 and not pure.is_absolute():
                called = [path for path in called if path.parts[-len(pure.parts) :] == pure.parts]
            if len(called) == 1:
                return called[0]
            if called:
                raise ValueError(f"{len(called)} files of the workspace are called {pure.name!r}")
        raise ValueError(f"no file {shown(names[0])} in this workspace")

    def _within(self, media: Path, start_ms: int | None, end_ms: int | None) -> int:
        if media not in self._bounds:
            self._bounds[media] = self._store.bounds(media)
        bounds = self._bounds[media]
        if start_ms is None and end_ms is None:
            if len(bounds) == 1:
                return next(iter(bounds.values()))
            raise ValueError(f"{media.name!r} has {len(bounds)} clips: start and end are missing")

        def distance(known: Bounds) -> int:
            start = abs(known[0] - start_ms) if start_ms is not None else 0
            return max(start, abs(known[1] - end_ms) if end_ms is not None else 0)

        near = sorted(bounds, key=distance)[:2]
        if not near or distance(near[0]) > self._tolerance_ms:
            raise ValueError(
                f"no clip of {media.name!r} is within {self._tolerance_ms} ms of "
                f"{_seconds(start_ms)} to {_seconds(end_ms)} s"
            )
        if len(near) == 2 and distance(near[0]) == distance(near[1]):
            raise ValueError(
                f"two clips of {media.name!r} are as near to {_seconds(start_ms)} to "
                f"{_seconds(end_ms)} s"
            )
        return bounds[near[0]]


def _pure(name: str) -> PurePath:
    """A path of whatever system; a backslash is part of a name unless there is a drive before."""
    windows = PureWindowsPath(name)
    return windows if windows.drive else PurePosixPath(name)


def _seconds(milliseconds: int | None) -> str:
    return "?" if milliseconds is None else f"{milliseconds / 1000:.3f}"
