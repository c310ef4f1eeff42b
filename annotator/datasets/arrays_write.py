"""A labelled corpus as one .npz that any program with NumPy reads, without pickles.

After the layout that MMSA gives CMU-MOSEI: for each split `SPLIT/text`, `SPLIT/audio` and
`SPLIT/vision` hold sequences padded at the end with zeros to the longest, (n, steps, dimension) in
half precision, `SPLIT/text_lengths` and so on their true lengths (0 where the clip lacks the
modality), `SPLIT/labels` (n, q) shares with NaN where nobody was asked, `SPLIT/raters`, and
`SPLIT/id` and `SPLIT/group` text. `SPLIT/predictions` (n, q) are a model's, where both are told.
`label_names` (q) and `extractors` ("text=NAME@VERSION") belong to all splits, `about` is JSON.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from annotator.learning.dataset import Dataset, Example
from annotator.types import Modality

_KEYS: dict[Modality, str] = {"text": "text", "audio": "audio", "visual": "vision"}


def write_arrays(
    file: BinaryIO,
    dataset: Dataset,
    predictions: Mapping[str, NDArray[np.float32]] | None,
    facts: Mapping[str, str],
) -> None:
    """Write the archive; features pass through, one clip in memory at a time.

    Args:
        file: to write to.
        dataset: with its features.
        predictions: (n, q) of each split, beside the labels.
        facts: where the labels come from.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _write(archive, "label_names", np.array(dataset.labels))
        made = [f"{_KEYS[m]}={dataset.extractors[m]}" for m in dataset.dimensions]
        _write(archive, "extractors", np.array(made))
        _write(archive, "about", np.array(json.dumps(dict(facts))))
        lengths = {name: _lengths(dataset, examples) for name, examples in dataset.splits.items()}
        longest = {m: max(ours[m].max() for ours in lengths.values()) for m in dataset.dimensions}
        for name, examples in dataset.splits.items():
            _write_rows(archive, name, examples)
            if predictions is not None:
                _write(archive, f"{name}/predictions", predictions[name])
            for modality, dimension in dataset.dimensions.items():
                key = f"{name}/{_KEYS[modality]}"
                _write(archive, f"{key}_lengths", lengths[name][modality])
                shape = (len(examples), int(longest[modality]), dimension)
                _stream(archive, key, shape, _padded(examples, modality, shape[1:]))


def _write_rows(archive: zipfile.ZipFile, split: str, examples: Iterable[Example]) -> None:
    rows = [(one.id, one.group, one.target, one.raters) for one in examples]
    ids, groups, targets, raters = zip(*rows, strict=True)
    _write(archive, f"{split}/id", np.array(ids))
    _write(archive, f"{split}/group", np.array(groups))
    _write(archive, f"{split}/labels", np.stack(targets))
    _write(archive, f"{split}/raters", np.array([count or 0 for count in raters], np.int32))


def _lengths(dataset: Dataset, examples: Iterable[Example]) -> dict[Modality, NDArray[np.int32]]:
    counts = [{m: len(values) for m, values in one.features.items()} for one in examples]
    return {
        modality: np.array([count.get(modality, 0) for count in counts], np.int32)
        for modality in dataset.dimensions
    }


def _padded(
    examples: Iterable[Example], modality: Modality, shape: tuple[int, int]
) -> Iterator[NDArray[np.float16]]:
    """Each example's steps (steps, dimension) with zeros at the end."""
    for example in examples:
        padded = np.zeros(shape, np.float16)
        values = example.features.get(modality)
        if values is not None:
            padded[: len(values)] = values
        yield padded


def _write(archive: zipfile.ZipFile, key: str, values: NDArray[Any]) -> None:
    with archive.open(_entry(key), "w", force_zip64=True) as file:
        np.lib.format.write_array(file, values, allow_pickle=False)


def _stream(
    archive: zipfile.ZipFile,
    key: str,
    shape: tuple[int, ...],
    rows: Iterable[NDArray[np.float16]],
) -> None:
    """An array of that shape, row by row."""
    kind = np.lib.format.dtype_to_descr(np.dtype(np.float16))
    with archive.open(_entry(key), "w", force_zip64=True) as file:
        header = {"descr": kind, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)
        for row in rows:
            file.write(row.tobytes())


def _entry(key: str) -> zipfile.ZipInfo:
    """Without the time, so that the same corpus gives the same bytes."""
    entry = zipfile.ZipInfo(f"{key}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
