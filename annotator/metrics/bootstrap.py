"""How far a number would move on other clips of the same kind: bootstrap intervals.

Clips of one video or speaker are alike, so whole groups are drawn with replacement, as many as
there are (the cluster bootstrap; Davison and Hinkley 1997, 3.8). A resample is not a list of clips
but how often each one was drawn, which the metrics take as their weight.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from annotator.metrics.inputs import Array

LEVEL = 0.95
RESAMPLES = 1_000  # the bounds' own error is then about a tenth of the interval
CELLS = 100_000  # clips × resamples at once: 0.8 MB an array, which stays in the processor's cache

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the bounds of its 95 % interval; NaN is unknown."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MeanSd:
    """Mean and sample standard deviation over seeds; the latter is NaN for a single seed."""

    mean: float
    sd: float


def mean_sd(values: Sequence[float]) -> MeanSd:
    """NaN if a value is NaN: what one seed leaves unknown has no mean.

    >>> mean_sd([0.25, 0.5, 0.75])
    MeanSd(mean=0.5, sd=0.25)
    """
    if not values:
        raise ValueError("expected the value of at least one seed, got none")
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return MeanSd(float(np.mean(values)), sd)


def resampled(groups: ArrayLike, resamples: int, seed: int) -> Iterator[Array]:
    """How often each clip (n,) is drawn, some resamples at a time: (some, n), `resamples` in all.

    Without groups give each clip its own, `range(n)`.

    >>> [counts] = resampled(["a", "a", "b"], 4, seed=0)
    >>> counts.shape, bool((counts[:, 0] == counts[:, 1]).all())
    ((4, 3), True)
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    at_once = max(1, CELLS // max(1, len(group_of)))
    for start in range(0, resamples, at_once):
        some = min(at_once, resamples - start)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=some)
        yield drawn[:, group_of].astype(np.float64)


def bootstrap(
    measure: Callable[[Array], Mapping[Key, Array]],
    groups: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[Key, Interval]:
    """The value of each metric and its percentile interval (Efron and Tibshirani 1993, 13.3).

    `measure` takes weights (..., n) and returns (...,) for each metric. Resamples in which a metric
    is undefined are passed over; if that is half of them or more, or if all clips are of one group,
    the bounds are unknown. Resampling itself adds to a calibration error, as noise does: its value
    may lie below its interval.

    >>> from annotator.metrics.inputs import mean_clips
    >>> scores = np.array([0.0, 1.0, 1.0, 1.0])
    >>> bootstrap(lambda weight: {"mean": mean_clips(scores, weight)}, range(4), resamples=200)
    {'mean': Interval(value=0.75, low=0.25, high=1.0)}
    """
    clips = np.asarray(groups)
    values = measure(np.ones(len(clips)))
    parts = [measure(weight) for weight in resampled(clips, resamples, seed)]
    one_group = len(np.unique(clips)) < 2
    intervals = {}
    for key, value in values.items():
        draws = np.concatenate([part[key] for part in parts]) if parts else np.empty(0)
        intervals[key] = _interval(float(value), np.empty(0) if one_group else draws)
    return intervals


def _interval(value: float, draws: Array) -> Interval:
    defined = draws[~np.isnan(draws)]
    if np.isnan(value) or 2 * len(defined) <= len(draws):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))
