"""A manifest's labels joined to the features that `annotate run` has left in a workspace.

No media is opened: the database of the workspace knows the content of each file by its path, and
the feature cache has a file for each clip. A row counts if its clip's features are there, were made
from the transcript that the row gives, and by the extractors that most rows' features come from.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.corpus import manifest_rows
from annotator.corpus.manifest import ManifestEntry, read_manifest
from annotator.corpus.segment import entry_span
from annotator.datasets.assemble import assemble, file_hash
from annotator.datasets.known_media import known_media
from annotator.datasets.splits import split_by_group, split_named
from annotator.errors import UsageError
from annotator.features.cache import FeatureCache
from annotator.learning.dataset import Dataset, Example, Place
from annotator.store.records import OpenedMedia
from annotator.types import MODALITIES, Bounds, ClipFeatures, Modality
from annotator.workspace import Workspace, open_workspace

REMEDY = "run `annotate run` on the manifest first"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with labels and, if the cache has them, its clip's features."""

    media: Path
    entry: ManifestEntry
    bounds: Bounds
    features: ClipFeatures | None


def read_manifest_dataset(path: Path, asked: Sequence[str] | None, workspace_root: Path) -> Dataset:
    """The labelled rows of a manifest that have features; split by speaker or file if it has none.

    A label that a row does not state is absent (0) where the row lists names, and was not asked
    for (NaN) where it has a column of its own or the row maps names to values.

    Raises:
        UsageError: no workspace, no usable or no labelled row, no features for any, or a split in
            some rows only.
        EnvironmentFault: the workspace's database cannot be read.
    """
    files, manifest = file_hash(path), read_manifest(path)
    if manifest.problems:
        first = manifest.problems[0]
        _log.warning(
            "%s: %d rows left out; row %d: %s",
            path.name,
            len(manifest.problems),
            first.row,
            first.reason,
        )
    labelled = {
        media: [entry for entry in entries if entry.labels]
        for media, entries in manifest.entries.items()
    }
    labels = tuple(
        dict.fromkeys(name for rows in labelled.values() for row in rows for name in row.labels)
    )
    if not labels:
        raise UsageError(f"{path.name!r} has no labels: expected a column labels or label:NAME")
    rows = list(_rows(labelled, open_workspace(workspace_root, create=False)))
    kept, extractors = _with_features(path, rows)
    own_columns = _has_own_columns(path)
    examples = [_example(row, labels, own_columns=own_columns) for row in kept]
    return assemble(
        path.stem,
        labels,
        _splits(path, kept, examples),
        files,
        asked=asked,
        extractors=extractors,
    )


def _rows(labelled: Mapping[Path, Sequence[ManifestEntry]], workspace: Workspace) -> Iterator[_Row]:
    known, cache = known_media(workspace, labelled.keys()), FeatureCache(workspace.features)
    for media, entries in labelled.items():
        facts = known.get(media)
        for entry in entries:
            if facts is None:
                yield _Row(media, entry, (entry.start_ms or 0, entry.end_ms or 0), None)
                continue
            bounds = entry_span(entry, facts.duration_ms)
            yield _Row(media, entry, bounds, _cached(cache, facts, bounds, entry))


def _cached(
    cache: FeatureCache, facts: OpenedMedia, bounds: Bounds, entry: ManifestEntry
) -> ClipFeatures | None:
    """The clip's features, whatever made them; None if there are none of this transcript."""
    features = cache.peek(facts.content_hash, bounds)
    if features is None or entry.text not in (None, features.transcript):
        return None
    return features


def _with_features(path: Path, rows: Sequence[_Row]) -> tuple[list[_Row], Mapping[Modality, str]]:
    """The rows whose features come from the same extractors, and these."""
    made = Counter(ids for row in rows if (ids := _extractors(row)) is not None)
    if not made:
        first = rows[0]
        raise UsageError(
            f"{path.name!r}: none of {len(rows)} labelled rows has features, "
            f"{first.media.name!r} the first: {REMEDY}"
        )
    usual = made.most_common(1)[0][0]
    kept = [row for row in rows if _extractors(row) == usual]
    if len(kept) < len(rows):
        first = next(row for row in rows if _extractors(row) != usual)
        _log.warning(
            "%s: %d of %d labelled rows left out, as they have no features of %s, %s at %.3f s "
            "the first: %s",
            path.name,
            len(rows) - len(kept),
            len(rows),
            ", ".join(usual),
            first.media.name,
            first.bounds[0] / 1000,
            REMEDY,
        )
    return kept, dict(zip(MODALITIES, usual, strict=True))


def _extractors(row: _Row) -> tuple[str, ...] | None:
    if row.features is None:
        return None
    return tuple(row.features.extractors[name] for name in MODALITIES)


def _has_own_columns(path: Path) -> bool:
    """Whether the labels have columns of their own, where an empty cell means not asked."""
    columns = next((row for _, row in manifest_rows.rows(path) if not isinstance(row, str)), {})
    return any(column.startswith(manifest_rows.LABEL_PREFIXES) for column in columns)


def _example(row: _Row, labels: Sequence[str], *, own_columns: bool) -> Example:
    if row.features is None:
        raise ValueError("an example needs features")
    present = row.features.present
    start_ms, end_ms = row.bounds
    return Example(
        id=f"{row.media}[{start_ms}-{end_ms}]",
        group=row.entry.speaker or str(row.media),
        features=present,
        target=_target(row.entry.labels, labels, own_columns=own_columns),
        words=row.features.transcript if "text" in present else None,
        place=Place(row.media, row.bounds),
    )


def _target(
    stated: Mapping[str, float], labels: Sequence[str], *, own_columns: bool
) -> NDArray[np.float32]:
    """The values in the order of the labels.

    >>> _target({"happy": 1.0}, ("happy", "sad"), own_columns=False).tolist()
    [1.0, 0.0]
    >>> _target({"happy": 0.7}, ("happy", "sad"), own_columns=False).tolist()[1]
    nan
    """
    lists_names = not own_columns and all(value == 1 for value in stated.values())
    rest = 0.0 if lists_names else np.nan
    return np.array([stated.get(label, rest) for label in labels], np.float32)


def _splits(
    path: Path, rows: Sequence[_Row], examples: Sequence[Example]
) -> Mapping[str, Sequence[Example]]:
    given = [row.entry.split for row in rows]
    if not any(given):
        return split_by_group(examples)
    if not all(given):
        raise UsageError(
            f"{path.name!r}: {given.count(None)} labelled rows have no split while others do: "
            "give every row one, or none"
        )
    splits: dict[str, list[Example]] = {}
    for name, example in zip(given, examples, strict=True):
        splits.setdefault(split_named(name or "") or "", []).append(example)
    return splits
