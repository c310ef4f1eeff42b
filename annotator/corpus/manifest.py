"""Manifests: tables that say which files, which parts of them, and what is known of each.

Columns: `path` (relative to the manifest's folder), and optionally `start` and `end` (seconds
or HH:MM:SS.mmm), `transcript`, `speaker`, `split`, `labels`, and one column a label named
`label:happy` or `label_happy`. A bad row is a `Problem`, not a crash.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from annotator.corpus import manifest_rows
from annotator.corpus.manifest_cells import (
    MAX_NAME,
    MAX_TRANSCRIPT,
    milliseconds,
    split_of,
    text_of,
)
from annotator.corpus.manifest_labels import labels_of
from annotator.corpus.manifest_rows import Columns
from annotator.corpus.scan import absolute
from annotator.errors import UsageError
from annotator.media.remote import RemotePath, is_url, media_path


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """What a row says of a file, or of the part of it from `start_ms` to `end_ms`.

    A missing bound is the file's own. `labels` holds only what the row states, values 0 to 1.
    """

    start_ms: int | None = None
    end_ms: int | None = None
    text: str | None = None
    speaker: str | None = None
    split: str | None = None
    labels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was left out: its number as an editor shows it, and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The entries by absolute path in the order of the table, and what was left out."""

    entries: Mapping[Path, tuple[ManifestEntry, ...]]
    problems: tuple[Problem, ...] = ()
    ignored_columns: tuple[str, ...] = ()


def is_manifest(path: Path) -> bool:
    """Whether a path given by the user names a manifest, by its extension.

    >>> is_manifest(Path("corpus.CSV")), is_manifest(Path("talk.mp4"))
    (True, False)
    """
    return path.suffix.lower() in manifest_rows.EXTENSIONS


def read_manifest(path: Path) -> Manifest:
    r"""Read a CSV, JSON Lines (.jsonl, .ndjson) or Parquet manifest.

    Raises:
        UsageError: unreadable, not UTF-8, no rows, no `path` column, or no usable row.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.wav").write_bytes(b"x")
    ...     _ = (Path(folder) / "m.csv").write_text("path,start,labels\na.wav,1.5,happy;sad")
    ...     manifest = read_manifest(Path(folder) / "m.csv")
    >>> [(entry.start_ms, dict(entry.labels)) for (entry,) in manifest.entries.values()]
    [(1500, {'happy': 1.0, 'sad': 1.0})]
    """
    reader = _Reader(absolute(path).parent)
    for number, columns in manifest_rows.rows(path):
        reader.add(number, columns)
    reader.check(path)
    return Manifest(
        {media: tuple(entries) for media, entries in reader.entries.items()},
        tuple(reader.problems),
        tuple(sorted(name for name in reader.seen if not manifest_rows.is_known(name))),
    )


class _Reader:
    """Collects entries and problems row by row."""

    def __init__(self, folder: Path) -> None:
        self.entries: dict[Path, list[ManifestEntry]] = {}
        self.problems: list[Problem] = []
        self.seen: dict[str, None] = {}  # columns in order of appearance
        self._folder = folder
        self._files: dict[str, Path | str] = {}  # a file, or why it is none, by its cell
        self._first_rows: dict[tuple[Path, int | None, int | None], int] = {}

    def add(self, number: int, columns: Columns | str) -> None:
        """Take a row, or the reason why it could not be read."""
        if isinstance(columns, str):
            self.problems.append(Problem(number, columns))
            return
        self.seen.update(dict.fromkeys(columns))
        try:
            media, entry = self._media(columns.get("path")), _entry(columns)
            first = self._first_rows.setdefault((media, entry.start_ms, entry.end_ms), number)
            if first != number:
                raise ValueError(f"same path, start and end as row {first}")
        except ValueError as error:
            self.problems.append(Problem(number, str(error)))
        else:
            self.entries.setdefault(media, []).append(entry)

    def check(self, path: Path) -> None:
        """Raise the UsageError of a manifest that gave nothing."""
        if self.entries:
            return
        if not self.seen and not self.problems:
            raise UsageError(f"manifest {path.name!r} has no rows: give it one a clip")
        if self.seen and "path" not in self.seen:
            found, expected = ", ".join(self.seen), ", ".join(manifest_rows.COLUMNS)
            raise UsageError(
                f"manifest {path.name!r} has no column 'path'; found: {found}; "
                f"expected: {expected} (only path is required) or label:NAME"
            )
        first = self.problems[0]
        raise UsageError(
            f"manifest {path.name!r}: none of {len(self.problems)} rows is usable; "
            f"row {first.row}: {first.reason}; mend the rows"
        )

    def _media(self, cell: object) -> Path:
        if not isinstance(cell, str) or not cell:
            raise ValueError("path is missing")
        if cell not in self._files:
            self._files[cell] = _existing_file(self._folder, cell)
        found = self._files[cell]
        if isinstance(found, str):
            raise ValueError(found)
        return found


def _existing_file(folder: Path, cell: str) -> Path | str:
    """The file a path cell names, or the reason why there is none. A URL is not followed."""
    if is_url(cell):
        return _elsewhere(cell)
    try:
        path = absolute(folder / cell)
        is_file = stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # ValueError: a NUL, or characters no file name can have
        is_file = False
    return path if is_file else f"path {cell[:MAX_NAME]!r} is not an existing file"


def _elsewhere(cell: str) -> Path | str:
    try:
        path = media_path(cell)
    except UsageError as error:
        return str(error)
    if not isinstance(path, RemotePath):
        return f"path {cell[:MAX_NAME]!r} is a URL of this machine; give its path"
    return path


def _entry(columns: Columns) -> ManifestEntry:
    start, end = (milliseconds(name, columns.get(name)) for name in ("start", "end"))
    if end is not None and end <= (start or 0):
        raise ValueError(f"end ({end / 1000:g} s) is not after start ({(start or 0) / 1000:g} s)")
    return ManifestEntry(
        start,
        end,
        text_of("transcript", columns.get("transcript"), MAX_TRANSCRIPT),
        text_of("speaker", columns.get("speaker"), MAX_NAME),
        split_of(columns.get("split")),
        labels_of(columns),
    )
