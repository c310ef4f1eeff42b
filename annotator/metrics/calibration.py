"""Whether a probability means what it says, label by label.

Each label is a yes-or-no question, and its probability is compared with the share of clips where it
is present (not confidence with accuracy, which is for one label among many). A soft target, the
share of raters, counts as that share. Shapes, weights and unknown targets as in `inputs`; the
multi-label number is `inputs.mean_labels` of what these functions return.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotator.metrics.inputs import Array, checked, counts, mean_clips, ratio

Binning = Literal["width", "mass"]
BINS = 15  # Guo et al. 2017, and the default of torchmetrics
SMALLEST = 1e-7  # a float32 sigmoid reaches 0 and 1: one such miss costs 16.1, not infinity


@dataclass(frozen=True, slots=True)
class Reliability:
    """One label's bins, for a picture: (bins,) each, NaN where a bin is empty.

    `confidence` is the mean probability, `frequency` the mean target, `count` the clips.
    """

    confidence: Array
    frequency: Array
    count: NDArray[np.integer[Any]]


def expected_calibration_error(
    probability: ArrayLike,
    target: ArrayLike,
    *,
    bins: int = BINS,
    binning: Binning = "width",
    weight: ArrayLike | None = None,
) -> Array:
    """ECE = Σ_b n_b / n · |confidence_b − frequency_b| of each label: (..., q), NaN if none known.

    Bins of equal width over [0, 1] (Naeini et al. 2015; `binary_calibration_error` of torchmetrics,
    which gives a probability of exactly 1 a bin of its own: here it is in the last one), or of
    equal mass, cut at the quantiles of the label's probabilities (Nixon et al. 2019). Rare labels
    crowd the lowest bin of equal width, so look at both. Equal probabilities share a bin. The
    quantiles are those of all clips whatever their weight: resamples are measured with the same
    bins.

    Raises:
        ValueError: see `inputs`; or `bins` is below 1 or `binning` is another word.

    >>> expected_calibration_error([[0.9], [0.9], [0.1]], [[1], [0], [0]], bins=2).round(3)
    array([0.3])
    """
    p, y = checked(probability, target)
    w = counts(weight, len(p))
    known = ~np.isnan(y)
    excess = np.where(known, p - y, 0)
    error = np.zeros((*w.shape[:-1], p.shape[1]))
    for label in range(p.shape[1]):
        bin_of = _bins(p[:, label], known[:, label], bins, binning)
        member = bin_of[:, None] == np.arange(bins)
        error[..., label] = np.abs(w @ (member * excess[:, label, None])).sum(axis=-1)
    return ratio(error, w @ known)


def reliability(
    probability: ArrayLike, target: ArrayLike, *, bins: int = BINS, binning: Binning = "width"
) -> tuple[Reliability, ...]:
    """The reliability curve of each label, with the bins of `expected_calibration_error`.

    >>> reliability([[0.9], [0.8], [0.1]], [[1], [0], [0]], bins=2)[0].frequency
    array([0. , 0.5])
    """
    p, y = checked(probability, target)
    return tuple(_curve(p[:, k], y[:, k], bins, binning) for k in range(p.shape[1]))


def brier(probability: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """The mean of (p − y)² of each label: (..., q).

    >>> brier([[0.8], [0.4]], [[1], [0]]).round(3)
    array([0.1])
    """
    p, y = checked(probability, target)
    return mean_clips((p - y) ** 2, counts(weight, len(p)))


def log_loss(probability: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """The mean of −y ln p − (1 − y) ln(1 − p) of each label, in nats: (..., q).

    Probabilities are kept `SMALLEST` away from 0 and 1.

    >>> log_loss([[0.5], [0.5]], [[1], [0]]).round(4)
    array([0.6931])
    """
    p, y = checked(probability, target)
    p = np.clip(p, SMALLEST, 1 - SMALLEST)
    return mean_clips(-y * np.log(p) - (1 - y) * np.log1p(-p), counts(weight, len(p)))


def _curve(p: Array, y: Array, bins: int, binning: Binning) -> Reliability:
    known = ~np.isnan(y)
    bin_of = _bins(p, known, bins, binning)[known]
    number = np.bincount(bin_of, minlength=bins)
    sums = (np.bincount(bin_of, values[known], minlength=bins) for values in (p, y))
    confidence, frequency = (ratio(total, number) for total in sums)
    return Reliability(confidence, frequency, number)


def _bins(p: Array, known: Array, bins: int, binning: Binning) -> NDArray[np.intp]:
    """The bin of each probability (n,): [low, high), the last one with its upper end."""
    if bins < 1 or binning not in get_args(Binning):
        raise ValueError(f'expected bins >= 1 and "width" or "mass", got {bins} and {binning!r}')
    parts = np.linspace(0, 1, bins + 1)[1:-1]
    if binning == "mass" and known.any():
        parts = np.quantile(p[known], parts)
    return np.searchsorted(parts, p, side="right")
