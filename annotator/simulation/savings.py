"""From learning curves to what a way to choose clips saves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.metrics.bootstrap import LEVEL, Interval

Floats = NDArray[np.float64]
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """A measure after each round (seeds, rounds), and how many clips were labelled (rounds,)."""

    labelled: Floats
    values: Floats

    def mean(self) -> Floats:
        """(rounds,) over the seeds."""
        mean: Floats = self.values.mean(axis=0)
        return mean


def labels_to_reach(labelled: Floats, values: Floats, target: float) -> float:
    """How many clips must be labelled for a curve to reach a value; infinite if it never does.

    Between two rounds the curve is taken as straight; a first round that is there already tells no
    more than its own number.

    >>> labels_to_reach(np.array([100.0, 200.0]), np.array([0.4, 0.6]), target=0.5)
    150.0
    >>> labels_to_reach(np.array([100.0, 200.0]), np.array([0.4, 0.6]), target=0.7)
    inf
    """
    there = np.flatnonzero(values >= target)
    if not len(there):
        return float("inf")
    place = int(there[0])
    if place == 0:
        return float(labelled[0])
    low, high = values[place - 1], values[place]
    part = (target - low) / (high - low)
    return float(labelled[place - 1] + part * (labelled[place] - labelled[place - 1]))


def saved(curves: Curves, random: Curves, target: float, *, seed: int = 0) -> Interval:
    """The share of labels saved against choosing by lot, at equal value: 1 - ours / random's.

    Of the mean curves over seeds, with the interval of a bootstrap over seeds, which are drawn for
    both together: a seed begins with the same clips in both. It is -∞ if only the random curve gets
    there, and NaN if that does not.

    Raises:
        ValueError: the two are not of the same seeds.
    """
    if len(curves.values) != len(random.values):
        raise ValueError(f"expected {len(random.values)} seeds, got {len(curves.values)}")
    seeds = len(curves.values)
    drawn = np.random.default_rng(seed).integers(seeds, size=(RESAMPLES, seeds))
    value, *draws = (
        _saved(curves, random, target, list(chosen)) for chosen in (range(seeds), *drawn)
    )
    return _interval(value, draws if seeds > 1 else [])


def gained(curves: Curves, random: Curves, *, seed: int = 0) -> Interval:
    """The mean over rounds and seeds of the measure, less that of choosing by lot; as `saved`."""
    difference = (curves.values - random.values).mean(axis=1)
    random_seeds = np.random.default_rng(seed)
    drawn = random_seeds.integers(len(difference), size=(RESAMPLES, len(difference)))
    draws = list(difference[drawn].mean(axis=1)) if len(difference) > 1 else []
    return _interval(float(difference.mean()), draws)


def _saved(curves: Curves, random: Curves, target: float, seeds: Sequence[int]) -> float:
    ours, theirs = (
        labels_to_reach(one.labelled, one.values[seeds].mean(axis=0), target)
        for one in (curves, random)
    )
    return 1 - ours / theirs if np.isfinite(theirs) else float("nan")


def _interval(value: float, draws: Sequence[float]) -> Interval:
    """Percentiles; unknown without draws, or where half of them are."""
    defined = np.array([draw for draw in draws if not np.isnan(draw)])
    if 2 * len(defined) <= len(draws):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return Interval(value, float(low), float(high))
