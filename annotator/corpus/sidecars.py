"""Find the files beside a media file that say what is said in it.

For `talk.mp4`: `talk.srt`, `talk.vtt`, `talk.eaf`, `talk.txt`, also `talk.mp4.srt` and, for
subtitles, `talk.en.srt`. The extension's case does not matter, the name's does.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SUBTITLE_EXTENSIONS = (".srt", ".vtt")
SIDECAR_EXTENSIONS = (*SUBTITLE_EXTENSIONS, ".eaf", ".txt")

# BCP 47 as far as file names use it: en, eng, pt-BR, zh_Hans
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})?")


@dataclass(frozen=True, slots=True)
class Sidecars:
    """The sidecars chosen for a media file."""

    subtitles: Path | None = None
    elan: Path | None = None
    text: Path | None = None


@dataclass(frozen=True, slots=True, order=True)
class _Candidate:
    """A sidecar as one media file sees it; the smallest is chosen."""

    rank: int  # 0 no language in the name, 1 English (the shipped text models'), 2 another
    extension: int  # place in SIDECAR_EXTENSIONS
    name: str


def find_sidecars(media: Path) -> Sidecars:
    """The sidecars of one file; for many files of a folder use one `SidecarFinder`."""
    return SidecarFinder()(media)


class SidecarFinder:
    """Finds sidecars with one listing a folder, so that 10,000 files stay quick.

    It answers from the listing it made first: make a new one for each run. A folder that
    cannot be listed has no sidecars; the scan has already reported it. `elsewhere` holds the names
    in folders that are not on this machine.
    """

    def __init__(self, elsewhere: Mapping[Path, Sequence[str]] | None = None) -> None:
        """Start without any listing of our own."""
        self._elsewhere = elsewhere or {}
        self._folders: dict[Path, dict[str, list[_Candidate]]] = {}

    def __call__(self, media: Path) -> Sidecars:
        """The sidecars of a media file: named after its stem, or after its whole name."""
        folder = media.parent
        if folder not in self._folders:
            names = self._elsewhere.get(folder)
            self._folders[folder] = _by_owner(_listing(folder) if names is None else names)
        owned = self._folders[folder]
        candidates = sorted(owned.get(media.stem, [])) + sorted(owned.get(media.name, []))

        def first(extensions: tuple[str, ...]) -> Path | None:
            places = {SIDECAR_EXTENSIONS.index(extension) for extension in extensions}
            names = (found.name for found in candidates if found.extension in places)
            name = next(names, None)
            return None if name is None else folder / name

        return Sidecars(first(SUBTITLE_EXTENSIONS), first((".eaf",)), first((".txt",)))


def _listing(folder: Path) -> list[str]:
    """The names of a folder's sidecars."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if _is_sidecar(entry.name) and entry.is_file()]
    except OSError:
        return []


def _by_owner(names: Iterable[str]) -> dict[str, list[_Candidate]]:
    """The sidecars among names by the media stem or name they may belong to."""
    owned: dict[str, list[_Candidate]] = defaultdict(list)
    for name in filter(_is_sidecar, names):
        for owner, candidate in _owners(name):
            owned[owner].append(candidate)
    return dict(owned)


def _is_sidecar(name: str) -> bool:
    return Path(name).suffix.lower() in SIDECAR_EXTENSIONS


def _owners(name: str) -> Iterator[tuple[str, _Candidate]]:
    path = Path(name)
    extension = path.suffix.lower()
    place = SIDECAR_EXTENSIONS.index(extension)
    yield path.stem, _Candidate(0, place, name)
    owner, _, language = path.stem.rpartition(".")
    if owner and extension in SUBTITLE_EXTENSIONS and _LANGUAGE.fullmatch(language):
        is_english = language.lower().startswith("en")
        yield owner, _Candidate(1 if is_english else 2, place, name)
