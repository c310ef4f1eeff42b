"""Whether what is uncertain is what is wrong: risk against coverage.

Clips are answered in order of rising uncertainty and the rest is left to people. With K of n clips
answered, coverage is K / n, the selective risk their mean loss, the generalized risk their summed
loss / n (Traub et al. 2024, "Overcoming Common Flaws in the Evaluation of Selective Classification
Systems", arXiv 2407.01032). Equal uncertainties are taken in every order at once: the value is the
mean over all of them, so it does not depend on the order of the clips.

Uncertainty and loss are (n,), weights as in `inputs`; a clip whose loss is NaN is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from annotator.metrics.inputs import Array, counts, mean_clips, ratio
from annotator.metrics.ranking import before, steps


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """A curve with one point for each distinct uncertainty, lowest first: (points,) each.

    Answering what is at most `threshold` uncertain covers `coverage` at the selective `risk`.
    """

    threshold: Array
    coverage: Array
    risk: Array


@dataclass(frozen=True, slots=True)
class Area:
    """The area under a curve beside those of a random order and of the best one: (...,) each."""

    value: Array
    random: Array
    oracle: Array

    @property
    def excess(self) -> Array:
        """What is lost against the best order: 0 at best (Geifman et al. 2019, E-AURC)."""
        return self.value - self.oracle

    @property
    def gain(self) -> Array:
        """The share of the possible gain over a random order: 1 best, 0 random, below 0 worse.

        NaN where no order is better than another.
        """
        # Rounding alone may part the two where all losses are equal.
        equal = np.isclose(self.random, self.oracle, rtol=1e-9, atol=0)
        return ratio(self.random - self.value, np.where(equal, 0, self.random - self.oracle))


def risk_coverage(uncertainty: ArrayLike, loss: ArrayLike) -> RiskCoverage:
    """The curve.

    >>> risk_coverage([0.1, 0.9, 0.5], [0, 1, 0]).risk.round(3)
    array([0.   , 0.   , 0.333])
    """
    u, costs, w = _checked(uncertainty, loss, None)
    rising = steps(u)
    answered = rising.sums(w)
    return RiskCoverage(
        u[rising.order][rising.ends], ratio(answered, len(u)), rising.sums(costs) / answered
    )


def aurc(uncertainty: ArrayLike, loss: ArrayLike, weight: ArrayLike | None = None) -> Area:
    """Area under the risk-coverage curve: 1/n Σ_K risk_K (Geifman et al. 2019, arXiv 1805.08206).

    A random order has the mean loss.

    >>> area = aurc([0.1, 0.9, 0.5, 0.2], [0, 1, 0, 0])
    >>> float(area.value.round(4)), float(area.random), float(area.gain)
    (0.0625, 0.25, 1.0)
    """
    return _area(_aurc, 1.0, uncertainty, loss, weight)


def augrc(uncertainty: ArrayLike, loss: ArrayLike, weight: ArrayLike | None = None) -> Area:
    """Area under the generalized-risk-coverage curve, straight between its points from (0, 0) on.

    The mean loss of an answered clip over all rejection rates, so the risk of a silent failure. A
    random order has half the mean loss; losses of 0 and 1 with share e of 1 give e²/2 at best and
    (1 − AUROC)(1 − e)e + e²/2 in general (Traub et al. 2024; equal to their `RiskCoverageStats`,
    which shows it times 1000).

    >>> float(augrc([0.1, 0.9, 0.5, 0.2], [0, 1, 0, 0]).value)
    0.03125
    """
    return _area(_augrc, 0.5, uncertainty, loss, weight)


def _area(
    rule: Callable[[Array, Array, Array], Array],
    random: float,
    uncertainty: ArrayLike,
    loss: ArrayLike,
    weight: ArrayLike | None,
) -> Area:
    u, costs, w = _checked(uncertainty, loss, weight)
    return Area(rule(u, costs, w), random * mean_clips(costs, w), rule(costs, costs, w))


def _aurc(uncertainty: Array, loss: Array, weight: Array) -> Array:
    """Sum the risks of each step's clips in closed form.

    A step of m clips with mean loss r, after K clips with summed loss C, adds Σ_{j=1..m}
    (C + j r) / (K + j) = m r + (C − K r)(H(K + m) − H(K)), with H the harmonic numbers.
    """
    rising = steps(uncertainty)
    answered, lost = rising.sums(weight), rising.sums(weight * loss)
    earlier, lost_earlier = before(answered), before(lost)
    here, lost_here = answered - earlier, lost - lost_earlier
    mean = lost_here / np.maximum(here, 1)
    harmonic = _harmonic(int(answered.max(initial=0)))
    span = harmonic[answered.astype(np.intp)] - harmonic[earlier.astype(np.intp)]
    total = weight.sum(axis=-1)
    return ratio((lost_here + (lost_earlier - earlier * mean) * span).sum(axis=-1), total)


def _augrc(uncertainty: Array, loss: Array, weight: Array) -> Array:
    rising = steps(uncertainty)
    answered, lost = rising.sums(weight), rising.sums(weight * loss)
    here = answered - before(answered)
    total = weight.sum(axis=-1)
    return ratio((here * (lost + before(lost))).sum(axis=-1), 2 * total**2)


def _harmonic(largest: int) -> Array:
    """H(0) to H(largest)."""
    return np.append(0, np.cumsum(1 / np.arange(1, largest + 1)))


def _checked(
    uncertainty: ArrayLike, loss: ArrayLike, weight: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Those clips whose loss is known."""
    u, costs = np.asarray(uncertainty, np.float64), np.asarray(loss, np.float64)
    if u.ndim != 1 or u.shape != costs.shape:
        raise ValueError(
            f"expected an uncertainty and a loss for each clip, got {u.shape} and {costs.shape}"
        )
    if not np.isfinite(u).all() or np.isinf(costs).any():
        raise ValueError("expected finite uncertainties and losses, got infinity or NaN")
    known = ~np.isnan(costs)
    return u[known], costs[known], counts(weight, len(u))[..., known]
