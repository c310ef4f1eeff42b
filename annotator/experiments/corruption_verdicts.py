"""What is asked of a curve: uncertainty must rise with the corruption, quality fall gracefully."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotator.metrics.bootstrap import Interval
from annotator.metrics.inputs import Array, mean_labels
from annotator.metrics.multilabel import PRESENT, average_precision, count

QUALITIES = ("micro_f1", "mean_average_precision")
TOLERANCE = 0.02  # of a quality, by which a curve may rise, or a floor be missed: chance of a split


@dataclass(frozen=True, slots=True)
class Rise:
    """Whether an uncertainty grows with the strength."""

    spearman: float  # ρ of strength and mean; NaN if the mean never changes
    difference: Interval  # the strongest less clean, clip by clip, over groups

    @property
    def rises(self) -> bool | None:
        """The difference is above 0 with all its interval, and ρ is; None if unknown."""
        if np.isnan(self.difference.low):
            return None
        return self.difference.low > 0 and self.spearman > 0


@dataclass(frozen=True, slots=True)
class Fall:
    """Whether a quality falls gracefully: never up again, and never below knowing nothing."""

    lost: float  # clean less the strongest
    steepest: float  # the most lost from one strength to the next
    monotone: bool  # no point is more than the tolerance above one before it
    above_prior: bool  # no point is more than the tolerance below `prior`
    prior: float  # what the same answer for every clip gets

    @property
    def graceful(self) -> bool | None:
        """Both; None if no clip has a label, so that the quality is unknown."""
        if np.isnan(self.lost):
            return None
        return self.monotone and self.above_prior


def prior_quality(train: Array, target: Array) -> dict[str, float]:
    """What the best answer gets that is the same for every clip, by QUALITIES.

    For micro-F1 it is the set of the commonest labels that is best on the train split; average
    precision of a constant is the label's frequency.

    >>> train = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    >>> prior_quality(train, np.array([[1.0, 0.0], [1.0, 1.0]]))
    {'micro_f1': 0.8, 'mean_average_precision': 0.75}
    """
    common = np.argsort(-(train >= PRESENT).sum(axis=0), kind="stable")
    sets = np.zeros((len(common), len(common)))
    for size in range(len(common)):
        sets[size, common[: size + 1]] = 1.0
    f1 = [_constant_f1(chosen, train) for chosen in sets]
    best = sets[int(np.nanargmax(f1))] if not np.isnan(f1).all() else sets[0]
    constant = np.full(target.shape, 0.5)
    return {
        "micro_f1": _constant_f1(best, target),
        "mean_average_precision": float(mean_labels(average_precision(constant, target))),
    }


def fall(values: Sequence[float], prior: float) -> Fall:
    """Judge a quality's values, the clean one first.

    >>> fall([0.8, 0.6, 0.7], prior=0.5).monotone
    False
    """
    lowest = np.minimum.accumulate(values)
    return Fall(
        lost=values[0] - values[-1],
        steepest=float(-np.diff(values).min()),
        monotone=bool((np.asarray(values)[1:] - lowest[:-1] <= TOLERANCE).all()),
        above_prior=bool(min(values) >= prior - TOLERANCE),
        prior=prior,
    )


def _constant_f1(chosen: Array, target: Array) -> float:
    probability = np.broadcast_to(chosen, target.shape)
    return float(count(probability, target).pooled().f1)
