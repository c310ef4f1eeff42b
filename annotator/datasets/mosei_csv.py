"""The label tables of CMU-MOSEI: a segment a row, its emotions from 0 to 3, mostly with its words.

Columns vary: `video` or `id` with `start_time` and `end_time` or `interval_start` and
`interval_end`, or only a `file_name`; `happy`, `sad`, `anger`, `surprise`, `disgust`, `fear`; and
`text`. Text features are made here, by the extractor a run uses, and kept in a feature cache under
the hash of the text, so that the next time costs nothing.
"""

import csv
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.datasets.assemble import assemble, file_hash
from annotator.datasets.splits import split_by_group, split_named
from annotator.errors import UsageError
from annotator.features.cache import FeatureCache
from annotator.features.extractor import (
    DEFAULT_EXTRACTORS,
    Identified,
    TextExtractor,
    extractor_spec,
    load_extractor,
)
from annotator.learning.dataset import Dataset, Example
from annotator.types import DEFAULT_LABELS, Absent, ClipFeatures, Features, Segment
from annotator.workspace import Workspace

NAME = "CMU-MOSEI texts"
RATERS = 3
MAX_MEAN = 3.0  # of the raters

Row = Mapping[str, str]

_VIDEO = ("video", "video_id", "id")
_START = ("start_time", "interval_start", "start")
_END = ("end_time", "interval_end", "end")

_log = logging.getLogger(__name__)


def is_mosei_table(columns: Sequence[str]) -> bool:
    """Whether these are the columns of such a table; a manifest has `path` as well."""
    return set(DEFAULT_LABELS) <= set(columns) and "path" not in columns


def read_mosei_table(path: Path, asked: Sequence[str] | None, cache: Path | None) -> Dataset:
    """The dataset of a table with words; split by video where it has no column `split`.

    Args:
        path: the table.
        asked: the labels to keep.
        cache: the workspace whose feature cache keeps the text features; None keeps none.

    Raises:
        UsageError: not UTF-8, without text, or a row without a video, words or means from 0 to 3.
        EnvironmentFault: the extractor's weights are missing, or the cache cannot be written.
    """
    files = file_hash(path)
    columns, rows = _table(path)
    if "text" not in columns:
        raise UsageError(
            f"{path.name!r} has labels but no column 'text', so there is nothing to learn from: "
            "add the words; or, with the videos at hand, write a manifest with the columns path, "
            f"start, end and label:{DEFAULT_LABELS[0]} and so on (1 where the mean is above 0), "
            "and give it to `annotate run` and then to `annotate train`"
        )
    if not set(_VIDEO) & set(columns):
        _log.warning("%s names no videos: parts of one may be in both splits", path.name)
    encoder = _Encoder(None if cache is None else FeatureCache(Workspace(cache).features))
    means = np.array([_means(path, number, row) for number, row in rows], np.float32)
    examples = [
        _example(path, number, row, mean, encoder)
        for (number, row), mean in zip(rows, means, strict=True)
    ]
    return assemble(
        NAME,
        DEFAULT_LABELS,
        _splits(path, rows, examples),
        files,
        asked=asked,
        extractors={"text": encoder.id},
    )


def _table(path: Path) -> tuple[list[str], list[tuple[int, Row]]]:
    """The columns, and the rows with their numbers as an editor shows them, the header being 1."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            columns = [column.strip().lower() for column in next(reader, [])]
            rows: list[tuple[int, Row]] = [
                (number, dict(zip(columns, cells, strict=False)))
                for number, cells in enumerate(reader, 2)
                if any(cells)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {path.name!r}: {error}; expected CSV in UTF-8") from error
    if not rows:
        raise UsageError(f"{path.name!r} has no rows: expected labelled segments")
    return columns, rows


def _means(path: Path, number: int, row: Row) -> list[float]:
    found = []
    for label in DEFAULT_LABELS:
        try:
            mean = float(row.get(label, ""))
        except ValueError:
            mean = -1.0
        if not 0 <= mean <= MAX_MEAN:
            cell = row.get(label, "")
            raise UsageError(
                f"{path.name!r} row {number}: {label} is {cell!r:.40}, expected a mean of the "
                f"raters from 0 to {MAX_MEAN:g}"
            )
        found.append(mean)
    return found


def _example(
    path: Path, number: int, row: Row, means: NDArray[np.float32], encoder: "_Encoder"
) -> Example:
    video, start, end = (_first(row, names) for names in (_VIDEO, _START, _END))
    name = f"{video}[{start}-{end}]" if video and start else video or row.get("file_name", "")
    if not name or not row.get("text", "").strip():
        raise UsageError(f"{path.name!r} row {number}: expected a video or file name, and text")
    words = row["text"].strip()
    return Example(
        id=name,
        group=video or name,
        features={"text": encoder.encode(words)},
        target=(means > 0).astype(np.float32),
        raters=RATERS,
        intensity=means,
        words=words,
    )


def _first(row: Row, names: Sequence[str]) -> str:
    return next((row[name].strip() for name in names if row.get(name)), "")


def _splits(
    path: Path, rows: Sequence[tuple[int, Row]], examples: Sequence[Example]
) -> Mapping[str, Sequence[Example]]:
    if not any("split" in row for _, row in rows):
        return split_by_group(examples)
    splits: dict[str, list[Example]] = {}
    for (number, row), example in zip(rows, examples, strict=True):
        split = split_named(row.get("split", ""))
        if split is None:
            raise UsageError(
                f"{path.name!r} row {number}: split is {row.get('split', '')!r:.40}, "
                "expected train, valid or test"
            )
        splits.setdefault(split, []).append(example)
    return splits


@dataclass(frozen=True, slots=True)
class _Nothing:
    """What makes the modalities that a text lacks."""

    id: str = "none"


@dataclass(frozen=True, slots=True)
class _TextOnly:
    """The extractors of a text for the feature cache."""

    text: Identified
    visual: Identified = _Nothing()
    audio: Identified = _Nothing()
    asr: Identified | None = None


class _Encoder:
    """Makes the features of texts; its weights are loaded for the first text not in the cache."""

    def __init__(self, cache: FeatureCache | None) -> None:
        self._name = DEFAULT_EXTRACTORS["text"]
        self.id = extractor_spec(self._name).id
        self._cache = cache

    def encode(self, text: str) -> NDArray[np.float16]:
        """The features (steps, dimension) of a text that is not blank."""
        if self._cache is None:
            return self._extractor.embed(text)
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        # A text has no bounds; the cache wants some, so all texts have the same.
        segment = Segment(0, 1, "text", text=text, text_origin="text")
        cached = self._cache.get(key, segment, _TextOnly(self))
        if isinstance(cached, ClipFeatures) and isinstance(cached.text, Features):
            return cached.text.values
        values, none = self._extractor.embed(text), Absent("only text", _Nothing().id)
        features = ClipFeatures(none, none, Features(values, self.id), text, "text")
        self._cache.put(key, segment, features, _TextOnly(self))
        return values

    @cached_property
    def _extractor(self) -> TextExtractor:
        return load_extractor(self._name, "text")
