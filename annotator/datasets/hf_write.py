"""A labelled corpus as Parquet files, a split each, that `datasets` and our reader both read.

Columns: `id`, `group`, the features of each modality as lists of steps in half precision, a column
`label:NAME` with a share from 0 to 1 or null, and `raters`; `model:NAME` is what a model says, if
that is told beside people's labels. What made the features stands in the metadata of their column.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from annotator.learning.dataset import Dataset, Example
from annotator.types import Modality

EXTRACTOR_KEY = b"annotate.extractor"  # in the metadata of a column of features
LABEL_PREFIX = "label:"
MODEL_PREFIX = "model:"
ROWS = 512  # written at a time: bounds the memory


def write_hugging_face(
    dataset: Dataset,
    folder: Path,
    predictions: Mapping[str, NDArray[np.float32]] | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write a file for each split into a folder, which is made; a file appears when it is whole.

    Intensities are not written: the format has no place for them.

    Args:
        dataset: the corpus; a part of a split is asked for at a time.
        folder: to write to.
        predictions: (n, q) of each split, what a model says beside the labels.
        facts: where the labels come from, for the metadata of each file.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    schema = _schema(dataset, predicted=predictions is not None).with_metadata(dict(facts or {}))
    for split, examples in dataset.splits.items():
        draft = folder / f".{split}.draft"
        with parquet.ParquetWriter(draft, schema, compression="zstd") as writer:
            for start, rows in _parts(examples):
                said = None if predictions is None else predictions[split][start:][: len(rows)]
                writer.write_table(_table(dataset, rows, schema, said))
        draft.replace(folder / f"{split}.parquet")


def _schema(dataset: Dataset, *, predicted: bool) -> pa.Schema:
    steps = pa.list_(pa.list_(pa.float16()))
    features = [
        pa.field(m, steps, metadata={EXTRACTOR_KEY: dataset.extractors[m].encode()})
        for m in dataset.dimensions
    ]
    labels = [pa.field(LABEL_PREFIX + label, pa.float32()) for label in dataset.labels]
    if predicted:
        labels += [pa.field(MODEL_PREFIX + label, pa.float32()) for label in dataset.labels]
    names = [pa.field("id", pa.string()), pa.field("group", pa.string())]
    return pa.schema([*names, *features, *labels, pa.field("raters", pa.int32())])


def _table(
    dataset: Dataset,
    rows: Sequence[Example],
    schema: pa.Schema,
    predicted: NDArray[np.float32] | None,
) -> pa.Table:
    columns: dict[str, pa.Array] = {
        "id": pa.array([row.id for row in rows]),
        "group": pa.array([row.group for row in rows]),
        "raters": pa.array([row.raters for row in rows], pa.int32()),
    }
    for modality in dataset.dimensions:
        columns[modality] = _steps(rows, modality, dataset.dimensions[modality])
    columns |= _numbers(LABEL_PREFIX, dataset.labels, np.stack([row.target for row in rows]))
    if predicted is not None:
        columns |= _numbers(MODEL_PREFIX, dataset.labels, predicted)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _numbers(
    prefix: str, labels: Sequence[str], values: NDArray[np.float32]
) -> dict[str, pa.Array]:
    """A column a label of values (n, q); null for NaN."""
    return {
        prefix + label: pa.array(column, pa.float32(), mask=np.isnan(column))
        for label, column in zip(labels, values.T, strict=True)
    }


def _steps(rows: Sequence[Example], modality: Modality, dimension: int) -> pa.Array:
    """Lists of steps of equal width; null where a row lacks the modality."""
    found = [row.features.get(modality) for row in rows]
    present = [np.asarray(values, np.float16) for values in found if values is not None]
    flat = np.concatenate([values.ravel() for values in present]) if present else np.empty(0)
    counts = [0 if values is None else len(values) for values in found]
    edges = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    widths = np.arange(edges[-1] + 1, dtype=np.int32) * dimension
    steps = pa.ListArray.from_arrays(pa.array(widths), pa.array(flat.astype(np.float16)))
    absent = pa.array([values is None for values in found])
    return pa.ListArray.from_arrays(pa.array(edges), steps, mask=absent)


def _parts(examples: Sequence[Example]) -> Iterator[tuple[int, Sequence[Example]]]:
    for start in range(0, len(examples), ROWS):
        yield start, examples[start : start + ROWS]
