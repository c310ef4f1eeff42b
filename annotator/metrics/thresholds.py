"""Thresholds that serve F1 best. For the validation split only: from a test split they flatter.

Between two neighbouring probabilities every threshold decides alike, so the midpoints are all that
need be tried, and the search is exact. Among equally good ones the nearest to 0.5 is taken. A label
that is present nowhere keeps 0.5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from annotator.metrics.inputs import Array, checked
from annotator.metrics.multilabel import PRESENT
from annotator.metrics.ranking import steps

DEFAULT = 0.5
NEVER = np.nextafter(1.0, 2.0)  # no probability reaches it


@dataclass(frozen=True, slots=True)
class _Cuts:
    """What each threshold worth trying would do for one label: (cuts,) each, and its positives."""

    threshold: Array
    tp: Array
    chosen: Array
    positives: float

    def best(self, score: Array) -> int:
        """The place of the highest score; among equals the threshold nearest to 0.5."""
        return int(np.lexsort((np.abs(self.threshold - DEFAULT), -score))[0])


def f1_thresholds(probability: ArrayLike, target: ArrayLike) -> Array:
    """The threshold (q,) with the best F1 of each label by itself: the best macro-F1.

    >>> f1_thresholds([[0.1], [0.3], [0.4], [0.2]], [[0], [1], [1], [0]])
    array([0.25])
    """
    return np.array([_f1_threshold(cuts) for cuts in _all_cuts(probability, target)])


def micro_f1_thresholds(probability: ArrayLike, target: ArrayLike) -> Array:
    """The thresholds (q,) with the best micro-F1 of all labels together.

    Micro-F1 is a ratio A / B of sums over labels. For a given value F of it, the best of each label
    is what maximises its part of A − F·B, whatever the others choose; then F is renewed until it
    stays (Dinkelbach 1967, "On Nonlinear Fractional Programming"). This finds the true optimum.

    >>> micro_f1_thresholds([[0.1, 0.6], [0.3, 0.7], [0.4, 0.2]], [[0, 1], [1, 0], [1, 0]])
    array([0.2, 0.4])
    """
    labels = _all_cuts(probability, target)
    value = 0.0
    while True:
        chosen = [(cuts, cuts.best(2 * cuts.tp - value * cuts.chosen)) for cuts in labels]
        right = sum(2 * cuts.tp[place] for cuts, place in chosen)
        both = sum(cuts.chosen[place] + cuts.positives for cuts, place in chosen)
        renewed = float(right / both) if right else 0.0
        if renewed <= value:
            return np.array([cuts.threshold[place] for cuts, place in chosen])
        value = renewed


def _f1_threshold(cuts: _Cuts) -> float:
    f1 = 2 * cuts.tp / np.maximum(cuts.chosen + cuts.positives, 1)
    return float(cuts.threshold[cuts.best(f1)])


def _all_cuts(probability: ArrayLike, target: ArrayLike) -> list[_Cuts]:
    p, y = checked(probability, target)
    return [_cuts(p[:, label], y[:, label]) for label in range(p.shape[1])]


def _cuts(p: Array, y: Array) -> _Cuts:
    """Every way to part the known probabilities (n,), or only 0.5 if the label is nowhere."""
    known = ~np.isnan(y)
    p, present = p[known], y[known] >= PRESENT
    if not present.any():
        chosen = (p >= DEFAULT).sum(keepdims=True)
        return _Cuts(np.array([DEFAULT]), np.zeros(1), chosen.astype(np.float64), 0.0)
    falling = steps(-p)
    scores = p[falling.order][falling.ends]
    above, below = np.append(NEVER, scores), np.append(scores, 0.0)
    middle = (above + below) / 2
    # The midpoint of two neighbouring floats may be the lower one, which it must leave out.
    threshold = np.where(middle > below, middle, above)
    ones = np.ones(len(p))
    tp, chosen = falling.sums(ones * present), falling.sums(ones)
    return _Cuts(threshold, np.append(0, tp), np.append(0, chosen), float(present.sum()))
