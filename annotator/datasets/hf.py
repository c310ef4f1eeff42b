"""Hugging Face `datasets` folders and Parquet files with features and labels.

Columns: `visual` (or `vision`, `video`), `audio` and `text` hold the steps of a clip as lists of
lists of floats. Labels are a column `labels` (or `label`, `emotions`, `emotion`), or a column each,
named as asked for, `label:happy`, `label_happy`, or as the six of CMU-MOSEI. Optional are `id`;
`group`, `speaker` or `video` (as text); `split`; and `raters` or `votes`, how many people answered.
Features that `hf_write` wrote say which extractor made them.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from annotator.corpus.manifest_rows import LABEL_PREFIXES
from annotator.datasets.assemble import assemble, file_hash
from annotator.datasets.hf_columns import class_names, listed, matrices, shares
from annotator.datasets.hf_files import UNSPLIT, Part, read_parts
from annotator.datasets.hf_write import EXTRACTOR_KEY
from annotator.datasets.splits import split_by_group, split_named
from annotator.errors import UsageError
from annotator.learning.dataset import FOREIGN, Array, Dataset, Example
from annotator.types import DEFAULT_LABELS, MODALITIES, Modality

_FEATURES: dict[str, Modality] = {
    "visual": "visual", "vision": "visual", "video": "visual", "audio": "audio", "text": "text",
}  # fmt: skip
_LABELS = ("labels", "label", "emotions", "emotion")
_GROUPS = ("group", "speaker", "video")
_RATERS = ("raters", "votes")

Targets = tuple[tuple[str, ...], NDArray[np.float32]]


def read_hugging_face(path: Path, asked: Sequence[str] | None) -> Dataset:
    """The dataset in a folder; split by group where neither folders nor a column say how.

    Raises:
        UsageError: damaged, without features or labels, or a column is of another kind.
    """
    parts = read_parts(path)
    tables = {split: _Table(path.name, part) for split, part in parts.items()}
    targets = _same_labels(path.name, {s: table.targets(asked) for s, table in tables.items()})
    labels = next(iter(targets.values()))[0]
    splits: dict[str, list[Example]] = {}
    for split, table in tables.items():
        examples = table.examples(split, targets[split][1])
        for name, some in table.by_split(split, examples).items():
            splits.setdefault(name, []).extend(some)
    files: dict[str, str] = {}
    for part in parts.values():
        for file in part.files:
            (hashed,) = file_hash(file).values()
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            files[name] = hashed
    extractors = _extractors(path.name, tables)
    return assemble(path.stem, labels, splits, files, asked=asked, extractors=extractors)


def has_features(columns: Sequence[str]) -> bool:
    """Whether any of the columns holds features, by name."""
    return bool(_FEATURES.keys() & set(columns))


def _extractors(name: str, tables: Mapping[str, "_Table"]) -> dict[Modality, str]:
    """What made the features of each modality: ours where every table says so, else foreign."""
    found: dict[Modality, str] = {}
    for modality in MODALITIES:
        made = {table.extractor(modality) for table in tables.values()}
        if len(made) > 1:
            raise UsageError(
                f"{name} has {modality} features of several extractors: expected those of one"
            )
        found[modality] = made.pop() or f"{FOREIGN} {name} {modality}"
    return found


def _same_labels(name: str, targets: Mapping[str, Targets]) -> dict[str, Targets]:
    """The targets of all splits over the same labels: those of all, if they come from names."""
    every = tuple(dict.fromkeys(label for labels, _ in targets.values() for label in labels))
    if any(set(labels) != set(every) for labels, _ in targets.values()):
        every = tuple(sorted(every))
    found = {}
    for split, (labels, values) in targets.items():
        wide = np.where(np.isnan(values).all(axis=1, keepdims=True), np.nan, 0.0)
        wide = np.repeat(wide, len(every), axis=1).astype(np.float32)
        wide[:, [every.index(label) for label in labels]] = values
        found[split] = (every, wide)
    if not every:
        raise UsageError(f"{name} has no labels: expected a column labels, or one for each label")
    return found


class _Table:
    """One part of the folder, its columns by what they mean."""

    def __init__(self, name: str, part: Part) -> None:
        self.name = name
        self.table: pa.Table = part.table
        self.described = part.features
        columns = set(self.table.column_names)
        self.features = {
            column: modality
            for column, modality in _FEATURES.items()
            if column in columns and not _is_text(self.table, column)
        }
        if not self.features:
            raise UsageError(
                f"{name} has no features among its columns {', '.join(sorted(columns))[:200]}: "
                "expected visual, audio or text as lists of steps"
            )

    def targets(self, asked: Sequence[str] | None) -> Targets:
        """The labels and each row's target."""
        column = self._first(_LABELS)
        if column is not None:
            names = class_names(self.described.get(column))
            return listed(column, self.table[column].to_pylist(), names, asked)
        columns = self._label_columns(asked)
        values = [shares(column, self.table[column].to_pylist()) for column in columns.values()]
        return tuple(columns), np.stack(values, axis=1)

    def extractor(self, modality: Modality) -> str | None:
        """What made its features of a modality, if the column says so."""
        for column, kind in self.features.items():
            noted = self.table.schema.field(column).metadata or {}
            if kind == modality and EXTRACTOR_KEY in noted:
                return str(noted[EXTRACTOR_KEY], "utf-8", "replace")
        return None

    def examples(self, split: str, target: NDArray[np.float32]) -> list[Example]:
        """An example a row."""
        count = self.table.num_rows
        ids = self._texts(("id",)) or [f"{split or 'row'}-{index}" for index in range(count)]
        groups = self._texts(_GROUPS) or ids
        raters = self._raters(count)
        found: list[dict[Modality, Array]] = [{} for _ in range(count)]
        for column, modality in self.features.items():
            for example, values in zip(found, matrices(column, self.table[column]), strict=True):
                if values is not None:
                    example[modality] = values
        return list(map(Example, ids, groups, found, target, raters))

    def by_split(self, split: str, examples: list[Example]) -> Mapping[str, Sequence[Example]]:
        """The examples by split: the folder's, a column's, or ours."""
        if split != UNSPLIT:
            return {split: examples}
        names = self._texts(("split",))
        if names is None:
            return split_by_group(examples)
        found: dict[str, list[Example]] = {}
        for name, example in zip(names, examples, strict=True):
            ours = split_named(name)
            if ours is None:
                raise UsageError(
                    f"{self.name}: split is {name!r:.40}, expected train, valid or test"
                )
            found.setdefault(ours, []).append(example)
        return found

    def _label_columns(self, asked: Sequence[str] | None) -> dict[str, str]:
        """The column of each label."""
        found = {
            column.removeprefix(prefix).strip(): column
            for prefix in LABEL_PREFIXES
            for column in self.table.column_names
            if column.startswith(prefix)
        }
        plain = [label for label in asked or DEFAULT_LABELS if label in self.table.column_names]
        found |= {label: label for label in plain}
        if not found:
            raise UsageError(
                f"{self.name} has no labels: expected a column {_LABELS[0]!r}, or one for each "
                "label named as asked for or label:NAME"
            )
        return found

    def _raters(self, count: int) -> Any:
        column = self._first(_RATERS)
        if column is None:
            return repeat(None, count)
        values = self.table[column].to_pylist()
        if not all(value is None or (isinstance(value, int) and value > 0) for value in values):
            raise UsageError(
                f"column {column!r} holds something that is not a number of people: "
                "expected 1 or more, or none"
            )
        return values

    def _first(self, columns: Sequence[str]) -> str | None:
        return next((column for column in columns if column in self.table.column_names), None)

    def _texts(self, columns: Sequence[str]) -> list[str] | None:
        """The first of the columns that holds text or whole numbers in every row."""
        for column in columns:
            if column in self.table.column_names and _is_text(self.table, column):
                values = self.table[column].to_pylist()
                if all(value is not None for value in values):
                    return [str(value) for value in values]
        return None


def _is_text(table: pa.Table, column: str) -> bool:
    kind = table.schema.field(column).type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)
    )
