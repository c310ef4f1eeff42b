"""How numbers are written in a report."""

import math


def count(number: float, one: str = "", many: str = "") -> str:
    """A whole number with its thousands parted, and what it counts.

    >>> count(12000), count(1, "clip", "clips"), count(2, "clip", "clips")
    ('12,000', '1 clip', '2 clips')
    """
    noun = one if number == 1 else many
    return f"{number:,.0f} {noun}".rstrip()


def share(value: float) -> str:
    """A share in per cent, with a digit more where it is small.

    >>> share(0.5), share(0.012), share(0.0001), share(0.0)
    ('50 %', '1.2 %', 'under 0.1 %', '0 %')
    """
    if 0 < value < 0.001:
        return "under 0.1 %"
    return f"{100 * value:.0f} %" if value >= 0.1 or not value else f"{100 * value:.1f} %"


def duration(milliseconds: float) -> str:
    """How long something takes to watch.

    >>> duration(4200), duration(125_000), duration(7_200_000)
    ('4.2 s', '2.1 minutes', '2.0 hours')
    """
    seconds = milliseconds / 1000
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:,.1f} hours"


def figure(value: float | None) -> str:
    """A measure to three digits after the point; a dash where there is none.

    >>> figure(0.12345), figure(-0.5), figure(None), figure(float("nan"))
    ('0.123', '−0.500', '–', '–')
    """
    known = value is not None and not math.isnan(value)
    return f"{value:.3f}".replace("-", "−") if known else "–"


def quoted(name: str) -> str:
    """A name within a sentence.

    >>> quoted("happy")
    '“happy”'
    """
    return f"“{name}”"
