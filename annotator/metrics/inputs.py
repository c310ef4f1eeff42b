"""What every metric checks first, and the sums they share.

n clips, q labels. A probability is (n, q) within [0, 1]; a target is (n, q) within [0, 1], the
share of raters who saw the label, or NaN where nobody was asked, which is left out of everything.

`weight` says how often each clip counts: whole numbers, (n,), or (..., n) with leading axes such as
the resamples of a bootstrap. A metric keeps these axes, so one formula gives the value and all its
resamples. None counts each clip once. What is undefined is NaN, never 0.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


def checked(probability: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """Both as float64.

    Raises:
        ValueError: they are not (n, q) each, or leave [0, 1]; only a target may be NaN.
    """
    p, y = np.asarray(probability, np.float64), np.asarray(target, np.float64)
    if p.ndim != 2 or p.shape != y.shape:
        raise ValueError(
            f"expected probability and target both as (clips, labels), got {p.shape} and {y.shape}"
        )
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("expected probabilities from 0 to 1, got a value outside or NaN")
    if ((y < 0) | (y > 1)).any():
        raise ValueError("expected targets from 0 to 1, or NaN for unknown, got a value outside")
    return p, y


def counts(weight: ArrayLike | None, clips: int) -> Array:
    """The weight as float64 (..., n).

    Raises:
        ValueError: its last axis is not the clips, or it is not whole numbers from 0.
    """
    w = np.ones(clips) if weight is None else np.asarray(weight, np.float64)
    if w.ndim == 0 or w.shape[-1] != clips:
        raise ValueError(f"expected a weight for each of {clips} clips, got shape {w.shape}")
    if not ((w >= 0) & (w == np.floor(w))).all():
        raise ValueError("expected weights that count clips, 0, 1, 2 ..., got something else")
    return w


def ratio(part: ArrayLike, whole: ArrayLike) -> Array:
    """Divide, with NaN where whole is 0.

    >>> ratio([1.0, 0.0], [2.0, 0.0])
    array([0.5, nan])
    """
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    undefined = np.full(whole.shape, np.nan)
    quotient: Array = np.divide(part, whole, out=undefined, where=whole != 0)
    return quotient


def mean_clips(values: Array, weight: Array) -> Array:
    """The weighted mean over clips of what is not NaN: (n,) or (n, q) → (...,) or (..., q)."""
    known = ~np.isnan(values)
    return ratio(weight @ np.where(known, values, 0), weight @ known)


def mean_labels(values: ArrayLike) -> Array:
    """The mean over the labels for which the value is defined: (..., q) → (...,).

    >>> float(mean_labels([0.5, float("nan"), 1.0]))
    0.75
    """
    values = np.asarray(values, np.float64)
    return ratio(np.nansum(values, axis=-1), (~np.isnan(values)).sum(axis=-1))
