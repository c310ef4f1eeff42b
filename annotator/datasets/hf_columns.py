"""Columns of an Arrow table as arrays: sequences of steps, labels, names."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.dataset import Array

Offsets = NDArray[np.int64]


def matrices(name: str, column: pa.ChunkedArray) -> Iterator[Array | None]:
    """Each row's steps (n, d), a view of the column; None where it is null or has no steps.

    Raises:
        UsageError: not lists of lists of floats, or of steps of unequal width.
    """
    for chunk in column.chunks:
        yield from _chunk_matrices(name, _storage(chunk))


def _chunk_matrices(name: str, rows: pa.Array) -> Iterator[Array | None]:
    starts, ends, steps = _lists(name, rows)
    step_starts, step_ends, numbers = _lists(name, _storage(steps))
    if not pa.types.is_floating(numbers.type) or numbers.null_count or steps.null_count:
        raise UsageError(f"column {name!r} holds {rows.type}, expected lists of steps of floats")
    flat = numbers.to_numpy(zero_copy_only=True)
    present = rows.is_valid().to_numpy(zero_copy_only=False)
    for start, end, valid in zip(starts, ends, present, strict=True):
        if not valid or start == end:
            yield None
            continue
        widths = step_ends[start:end] - step_starts[start:end]
        if (widths != widths[0]).any() or not widths[0]:
            raise UsageError(f"column {name!r} has steps of unequal width: expected the same")
        yield flat[step_starts[start] : step_ends[end - 1]].reshape(-1, widths[0])


def _lists(name: str, array: pa.Array) -> tuple[Offsets, Offsets, pa.Array]:
    """Where each list begins and ends in the values of all of them."""
    if pa.types.is_fixed_size_list(array.type):
        edges = (array.offset + np.arange(len(array) + 1)) * array.type.list_size
        return edges[:-1], edges[1:], array.values
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        edges = array.offsets.to_numpy().astype(np.int64)
        return edges[:-1], edges[1:], array.values
    raise UsageError(f"column {name!r} holds {array.type}, expected lists of steps of numbers")


def _storage(array: pa.Array) -> pa.Array:
    """The lists below an `Array2D`, whose type is known only where `datasets` is loaded."""
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def class_names(feature: object) -> list[str] | None:
    """The names of a ClassLabel, also of one within a list, in what `datasets` says of a column.

    >>> class_names({"feature": {"names": ["happy", "sad"], "_type": "ClassLabel"}})
    ['happy', 'sad']
    """
    while isinstance(feature, list | dict):
        if isinstance(feature, list):
            feature = feature[0] if len(feature) == 1 else None
            continue
        names = feature.get("names")
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
        feature = feature.get("feature")
    return None


def listed(
    name: str, rows: Sequence[object], names: Sequence[str] | None, asked: Sequence[str] | None
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Labels and targets of a column `labels`, a row a list or one value; null is no label.

    Text is names; integers are places in `names` if the column has any; otherwise a row is one
    value from 0 to 1 for each of the asked labels.

    Raises:
        UsageError: a label that is not among the names, or values nobody has named.
    """
    cells = [row if row is None or isinstance(row, list) else [row] for row in rows]
    flat = [value for row in cells if row is not None for value in row]
    words = [value for value in flat if isinstance(value, str)]
    if len(words) < len(flat) and names is None:
        return _multi_hot(name, cells, asked)
    known = tuple(names or sorted(set(words)))
    by_name: dict[object, int] = {label: place for place, label in enumerate(known)}
    by_place: dict[object, int] = {place: place for place in range(len(known))}
    places = by_name if len(words) == len(flat) else by_place
    target = np.zeros((len(cells), len(known)), np.float32)
    for line, row in zip(target, cells, strict=True):
        if row is None:
            line[:] = np.nan
            continue
        for value in row:
            place = places.get(value) if isinstance(value, str | int) else None
            if place is None:
                raise UsageError(
                    f"column {name!r} holds the unknown label {value!r:.40}: expected one of "
                    f"{', '.join(known)}"
                )
            line[place] = 1
    return known, target


def _multi_hot(
    name: str, cells: Sequence[list[Any] | None], asked: Sequence[str] | None
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    if asked is None:
        raise UsageError(f"column {name!r} holds values without names: give the labels by name")
    if any(row is not None and len(row) != len(asked) for row in cells):
        raise UsageError(
            f"column {name!r} has rows without a value for each of {len(asked)} labels: give "
            "every row as many, or none"
        )
    rows = [[None] * len(asked) if row is None else row for row in cells]
    return tuple(asked), np.stack([shares(name, values) for values in rows])


def shares(name: str, values: Sequence[object]) -> NDArray[np.float32]:
    """Values from 0 to 1; NaN for null: nobody was asked.

    Raises:
        UsageError: something else.

    >>> shares("happy", [True, 0.25, None]).tolist()
    [1.0, 0.25, nan]
    """
    for value in values:
        if value is not None and not (isinstance(value, bool | int | float) and 0 <= value <= 1):
            raise UsageError(f"column {name!r} holds {value!r:.40}, expected a share from 0 to 1")
    return np.array([np.nan if value is None else value for value in values], np.float32)
