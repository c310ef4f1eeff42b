"""A number with what it stands on, or the reason why there is none."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Figure:
    """A value from so many clips; an undefined one is None, never NaN, and `reason` says why.

    `low` and `high` bound its 95 % interval where one was asked for and the clips support it.

    Raises:
        ValueError: it has both a value and a reason or neither, or the value is not finite.
    """

    value: float | None
    clips: int
    reason: str | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError("expected a value, or the reason why there is none")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"expected a finite value, got {self.value}")


def mean(values: Iterable[float], clips: int, reason: str) -> Figure:
    """The mean of the values, or the reason where there are none.

    >>> mean([1.0, 0.5], clips=2, reason="no votes").value
    0.75
    >>> mean([], clips=0, reason="no votes")
    Figure(value=None, clips=0, reason='no votes', low=None, high=None)
    """
    given = list(values)
    return Figure(fmean(given), clips) if given else Figure(None, clips, reason)
