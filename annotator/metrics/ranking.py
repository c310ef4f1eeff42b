"""Order with ties: what average precision, risk-coverage and rank correlation have in common.

Scores are sorted once; weights are then summed along that order, so a thousand resamples cost no
further sort. Equal scores form one step, so no result depends on the order of the clips.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.metrics.inputs import Array

Places = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Steps:
    """The distinct scores of (n,) in ascending order.

    `order` sorts the scores, `ends` is the place within the order of each step's last score, and
    `step` says to which step each score belongs.
    """

    order: Places
    ends: Places
    step: Places

    def sums(self, weight: Array) -> Array:
        """The weight of all scores up to and with each step: (..., n) → (..., steps)."""
        summed: Array = np.cumsum(weight[..., self.order], axis=-1)[..., self.ends]
        return summed


def steps(scores: Array) -> Steps:
    """Sort finite scores (n,).

    >>> steps(np.array([0.3, 0.1, 0.3])).sums(np.ones(3))
    array([1., 3.])
    """
    order = np.argsort(scores, kind="stable")
    ascending = scores[order]
    last = np.append(ascending[1:] != ascending[:-1], True)[: len(scores)]
    step = np.empty(len(scores), np.intp)
    step[order] = np.cumsum(last) - last
    return Steps(order, np.flatnonzero(last), step)


def before(sums: Array) -> Array:
    """The sums up to but without each step: (..., steps) → (..., steps)."""
    shifted = np.zeros_like(sums)
    shifted[..., 1:] = sums[..., :-1]
    return shifted
