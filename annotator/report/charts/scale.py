"""Where a value lies in a picture, and which values are written on its axes."""

import math
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight scale from values to pixels.

    >>> Scale(0.0, 2.0, 100.0, 0.0)(0.5)
    75.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values within the bounds, at most about so many.

    >>> ticks(0.0, 1.0), ticks(3.0, 48.0)
    ([0.0, 0.25, 0.5, 0.75, 1.0], [20.0, 40.0])
    """
    if not high > low:
        return [low]
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s for s in STEPS if s * power >= rough * (1 - 1e-9)) * power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]


def plain(value: float) -> str:
    """A tick's value, with thousands parted and no needless zeros.

    >>> plain(0.25), plain(12000.0), plain(3.0)
    ('0.25', '12,000', '3')
    """
    return f"{value:,.3f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"


def whole(value: float) -> str:
    """The tick of a count; none between two whole numbers.

    >>> whole(12000.0), whole(2.5)
    ('12,000', '')
    """
    return "" if value % 1 else plain(value)


def percent(value: float) -> str:
    """A share as a tick.

    >>> percent(0.25)
    '25 %'
    """
    return f"{plain(round(100 * value, 3))} %"
