"""Right and wrong decisions on several labels at once.

A label is decided present where its probability reaches its threshold, and is present where the
target reaches one half. Shapes, weights and unknown targets as in `inputs`.

Micro measures add the decisions of all labels, macro ones are the mean over labels, sample ones
the mean over clips (Zhang and Zhou 2014, "A Review on Multi-Label Learning Algorithms", 3.3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from annotator.metrics.inputs import Array, Mask, checked, counts, mean_clips, ratio
from annotator.metrics.ranking import before, steps

PRESENT = 0.5  # share of raters from which a label counts as present


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided, what is so, and where that is known: (n, q) each, False if unknown."""

    chosen: Mask
    present: Mask
    known: Mask


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of true and false positives and negatives, (..., q), or (...,) once pooled.

    >>> counted = count([[0.9, 0.2], [0.8, 0.7]], [[1, 0], [0, 1]])
    >>> counted.precision, counted.recall
    (array([0.5, 1. ]), array([1., 1.]))
    >>> round(float(counted.pooled().f1), 3)
    0.8
    """

    tp: Array
    fp: Array
    fn: Array
    tn: Array

    def pooled(self) -> "Counts":
        """Added over the labels: the counts of micro measures."""
        return Counts(*(part.sum(axis=-1) for part in (self.tp, self.fp, self.fn, self.tn)))

    @property
    def precision(self) -> Array:
        """TP / (TP + FP): of what was chosen, the share that is so. NaN if nothing was chosen."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Array:
        """TP / (TP + FN): of what is so, the share that was chosen. NaN if nothing is so."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> Array:
        """2 TP / (2 TP + FP + FN); NaN if nothing is so and nothing was chosen.

        scikit-learn's `zero_division=nan`; its default, like torchmetrics', says 0 there.
        """
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def uar(self) -> Array:
        """Unweighted average recall, (TP / (TP + FN) + TN / (TN + FP)) / 2; NaN if a side is empty.

        The "weighted accuracy" of the CMU-MOSEI papers.
        """
        return (self.recall + ratio(self.tn, self.tn + self.fp)) / 2


def decide(probability: ArrayLike, target: ArrayLike, thresholds: ArrayLike = 0.5) -> Decisions:
    """Cut at the thresholds, one number or (q,).

    Raises:
        ValueError: see `inputs.checked`; or the thresholds are not one or q numbers.
    """
    p, y = checked(probability, target)
    cut = np.asarray(thresholds, np.float64)
    if cut.shape not in {(), p.shape[1:]} or np.isnan(cut).any():
        raise ValueError(
            f"expected one threshold or {p.shape[1]}, one a label, without NaN, got {cut}"
        )
    known = ~np.isnan(y)
    return Decisions((p >= cut) & known, y >= PRESENT, known)


def count(
    probability: ArrayLike,
    target: ArrayLike,
    thresholds: ArrayLike = 0.5,
    weight: ArrayLike | None = None,
) -> Counts:
    """Count the decisions label by label."""
    decided = decide(probability, target, thresholds)
    w = counts(weight, len(decided.known))
    tp = w @ (decided.chosen & decided.present)
    chosen, present, known = w @ decided.chosen, w @ decided.present, w @ decided.known
    return Counts(tp, chosen - tp, present - tp, known - chosen - present + tp)


def sample_jaccard(
    probability: ArrayLike,
    target: ArrayLike,
    thresholds: ArrayLike = 0.5,
    *,
    empty: float = 0.0,
) -> Array:
    """|chosen ∩ present| / |chosen ∪ present| of each clip: (n,), NaN if nothing is known of it.

    `empty` is the value where nothing is present and nothing was chosen. 0 is what the published
    numbers use (`get_accuracy` in the released code of TAILOR and CARAT, which LDDU's tables
    follow), although the silence is right; 1 rewards it.

    >>> sample_jaccard([[0.9, 0.9], [0.1, 0.1]], [[1, 0], [0, 0]])
    array([0.5, 0. ])
    """
    decided = decide(probability, target, thresholds)
    both = (decided.chosen & decided.present).sum(axis=1)
    either = (decided.chosen | decided.present).sum(axis=1)
    jaccard = np.where(either == 0, empty, both / np.maximum(either, 1))
    return np.where(decided.known.any(axis=1), jaccard, np.nan)


def accuracy(
    probability: ArrayLike,
    target: ArrayLike,
    thresholds: ArrayLike = 0.5,
    weight: ArrayLike | None = None,
) -> Array:
    """The mean of `sample_jaccard`: what TAILOR, CARAT and LDDU call accuracy."""
    jaccard = sample_jaccard(probability, target, thresholds)
    return mean_clips(jaccard, counts(weight, len(jaccard)))


def sample_precision(
    probability: ArrayLike,
    target: ArrayLike,
    thresholds: ArrayLike = 0.5,
    weight: ArrayLike | None = None,
) -> Array:
    """The mean over clips of |chosen ∩ present| / |chosen|, where something was chosen.

    scikit-learn's `average="samples"` with `zero_division=nan`; its default counts the others as 0.
    """
    decided = decide(probability, target, thresholds)
    share = ratio((decided.chosen & decided.present).sum(axis=1), decided.chosen.sum(axis=1))
    return mean_clips(share, counts(weight, len(share)))


def sample_recall(
    probability: ArrayLike,
    target: ArrayLike,
    thresholds: ArrayLike = 0.5,
    weight: ArrayLike | None = None,
) -> Array:
    """The mean over clips of |chosen ∩ present| / |present|, where something is present.

    scikit-learn's `average="samples"` with `zero_division=nan`; its default counts the others as 0.
    """
    decided = decide(probability, target, thresholds)
    share = ratio((decided.chosen & decided.present).sum(axis=1), decided.present.sum(axis=1))
    return mean_clips(share, counts(weight, len(share)))


def average_precision(
    probability: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None
) -> Array:
    """Σ_k (R_k − R_{k−1}) P_k over the distinct probabilities, highest first: (..., q).

    The definition of scikit-learn and torchmetrics, without interpolation. NaN if the label is
    present nowhere (scikit-learn says 0). Their mean over labels is the mean AP.

    >>> average_precision([[0.9], [0.8], [0.7]], [[1], [0], [1]]).round(4)
    array([0.8333])
    """
    p, y = checked(probability, target)
    w = counts(weight, len(p))
    columns = [_average_precision(p[:, label], y[:, label], w) for label in range(p.shape[1])]
    return np.stack(columns, axis=-1) if columns else np.empty((*w.shape[:-1], 0))


def _average_precision(p: Array, y: Array, weight: Array) -> Array:
    known = ~np.isnan(y)
    weight, present = weight[..., known], y[known] >= PRESENT
    falling = steps(-p[known])
    chosen, right = falling.sums(weight), falling.sums(weight * present)
    precision = right / np.maximum(chosen, 1)  # where nothing was chosen yet, nothing is right
    total = (weight * present).sum(axis=-1)
    return ratio(((right - before(right)) * precision).sum(axis=-1), total)
