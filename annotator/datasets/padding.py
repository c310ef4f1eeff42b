"""True lengths: foreign corpora pad their sequences with zeros, some at the end, some in front."""

from typing import Any

import numpy as np

from annotator.learning.dataset import Array


def without_padding(values: Array, length: int | None = None) -> Array | None:
    """The true steps of `values` (steps, dimension), as a view; None if all is zero.

    Without a length, rows of zeros at both ends are padding: what MMSA hands on from MulT is
    padded in front, its own BERT states and sequences with lengths at the end. Where a length is
    given, it counts from the end if only the front is zero.

    >>> padded = np.array([[0.0], [0.0], [1.0], [0.0], [2.0]])
    >>> without_padding(padded).ravel().tolist()
    [1.0, 0.0, 2.0]
    """
    used = np.flatnonzero(values.any(axis=1))
    if not used.size or length == 0:
        return None
    if length is None:
        return values[used[0] : used[-1] + 1]
    in_front = used[0] > 0 and used[-1] >= length
    return values[-length:] if in_front else values[:length]


def finite(values: Array) -> tuple[Array, int]:
    """The values with 0 for those that are not finite, and how many were not; a copy if any.

    >>> finite(np.array([[1.0, -np.inf]]))
    (array([[1., 0.]]), 1)
    """
    bad = ~np.isfinite(values)
    count = int(np.count_nonzero(bad))
    zero: Any = values.dtype.type(0)
    return (np.where(bad, zero, values) if count else values), count
