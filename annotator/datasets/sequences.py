"""What pickled corpora have in common: parts by split, each with lists of one length."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from annotator.datasets.padding import finite, without_padding
from annotator.datasets.splits import split_named
from annotator.errors import UsageError
from annotator.learning.dataset import Array
from annotator.types import Modality

Part = Mapping[str, Any]

_log = logging.getLogger(__name__)


def parts(name: str, data: object) -> dict[str, Part]:
    """The parts of a corpus by our names of the splits.

    Raises:
        UsageError: it is not a dictionary of splits.
    """
    found: dict[str, Part] = {}
    if isinstance(data, dict):
        for key, part in data.items():
            split = split_named(key) if isinstance(key, str) else None
            if split is not None and isinstance(part, dict):
                found[split] = part
    if not found:
        raise UsageError(f"{name} is not a corpus: expected a dictionary of train, valid and test")
    return found


def entries(name: str, part: Part, key: str, count: int) -> Sequence[Any]:
    """The entries of a part under a key, as many as there are examples.

    Raises:
        UsageError: there is no list of that length.
    """
    value = part.get(key)
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if not isinstance(value, list | tuple) or len(value) != count:
        given = len(value) if isinstance(value, list | tuple) else type(value).__name__
        raise UsageError(f"{name}: {key!r} is {given}, expected a list of {count} as of the others")
    return value


def size(name: str, part: Part, key: str) -> int:
    """How many entries a part has under a key.

    Raises:
        UsageError: there is no list.
    """
    value = part.get(key)
    if not isinstance(value, list | tuple) and not (isinstance(value, np.ndarray) and value.ndim):
        raise UsageError(f"{name}: {key!r} is {type(value).__name__}, expected a list or an array")
    return len(value)


def lengths(name: str, part: Part, key: str, count: int) -> list[int]:
    """The true lengths of a part's sequences, given one by one or each in a list of its own.

    Raises:
        UsageError: they are not.
    """
    found = [
        cell[0] if isinstance(cell, list) and len(cell) == 1 else cell
        for cell in entries(name, part, key, count)
    ]
    if not all(isinstance(cell, int | float) and cell >= 0 == cell % 1 for cell in found):
        raise UsageError(
            f"{name}: {key!r} holds something that is not a length: expected whole numbers from 0"
        )
    return [int(cell) for cell in found]


def features(
    name: str,
    part: Part,
    keys: Mapping[str, Modality],
    known: Mapping[str, Sequence[int]],
    count: int,
) -> list[dict[Modality, Array]]:
    """The features of each example of a part, without padding; views of what was loaded.

    Values of audio that are not finite become 0, as MMSA and CARAT do: the logarithms of COVAREP
    are -inf in silence. They are counted in a warning.

    Args:
        name: of the file.
        part: one split's arrays.
        keys: the modalities by the keys they are under, those that are there.
        known: true lengths by key, where the corpus gives any.
        count: of the examples.

    Raises:
        UsageError: no features, or not (steps, dimension) for each example.
    """
    if not keys:
        raise UsageError(f"{name} holds no features: expected text, audio and vision")
    found: list[dict[Modality, Array]] = [{} for _ in range(count)]
    replaced = 0
    for key, modality in keys.items():
        arrays = _arrays(name, key, part[key], count)
        steps: Sequence[int | None] = known.get(key) or [None] * count
        for example, values, length in zip(found, arrays, steps, strict=True):
            bad = 0
            if modality == "audio":
                values, bad = finite(values)  # noqa: PLW2901  the same values, cleaned
            replaced += bad
            true = without_padding(values, length)
            if true is not None:
                example[modality] = true
    if replaced:
        _log.warning("%s: %d values of audio are not finite and taken as 0", name, replaced)
    return found


def _arrays(name: str, key: str, value: object, count: int) -> Sequence[Array]:
    if isinstance(value, np.ndarray) and value.ndim == 3 and value.dtype.kind == "f":
        arrays: Sequence[Any] = value  # type: ignore[assignment]
    elif isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1):
        arrays = list(value)
    else:
        arrays = ()
    kinds = {(v.ndim, v.dtype.kind) if isinstance(v, np.ndarray) else None for v in arrays}
    if len(arrays) != count or not kinds <= {(2, "f")}:
        raise UsageError(
            f"{name}: {key!r} is not the features of {count} examples: expected an array (steps, "
            "dimension) of floats for each"
        )
    return arrays
