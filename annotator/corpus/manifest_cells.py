"""The cells of a manifest row, each parsed or refused with a reason that fits in one line."""

import math
import re

from annotator.corpus.cues import clean_text

MAX_TRANSCRIPT = 20_000  # characters: more than an hour of speech in one clip is a mistake
MAX_NAME = 200  # characters of a speaker or a split
MAX_SHOWN = 42  # characters of a cell in a message
MAX_SECONDS = 10_000_000.0  # 115 days: larger is another unit or a broken cell

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}

_CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2}(?:[.,][0-9]{1,9})?)")


def is_missing(cell: object) -> bool:
    """Whether a cell is empty, null, or NaN as pandas writes null.

    >>> is_missing(float("nan")), is_missing(" "), is_missing(0)
    (True, True, False)
    """
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def shown(cell: object) -> str:
    """A cell as an error message shows it: one line, not long.

    >>> shown("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
    """
    is_huge = isinstance(cell, int) and abs(cell) > MAX_SECONDS**4  # repr fails past 4,300 digits
    text = "a huge number" if is_huge else repr(cell)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def milliseconds(name: str, cell: object) -> int | None:
    """A time cell in milliseconds; empty, null and NaN (pandas' null) are missing."""
    if is_missing(cell):
        return None
    seconds = _seconds(cell)
    if seconds is None or not 0 <= seconds <= MAX_SECONDS:
        raise ValueError(f"{name} {shown(cell)} is neither seconds nor HH:MM:SS.mmm")
    return round(seconds * 1000)


def _seconds(cell: object) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        return None
    if isinstance(cell, str) and (clock := _CLOCK.fullmatch(cell.strip())):
        hours, minutes, seconds = clock.groups()
        return (int(hours or 0) * 60 + int(minutes)) * 60 + float(seconds.replace(",", "."))
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return None


def text_of(name: str, cell: object, limit: int) -> str | None:
    """A text cell in one line; whole numbers (speaker 7, or 7.0 from pandas) become text."""
    if is_missing(cell):
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, bool) or not isinstance(cell, (str, int)):
        raise ValueError(f"{name} {shown(cell)} is not text")
    text = clean_text(str(cell))
    if len(text) > limit:
        raise ValueError(f"{name} has {len(text)} characters, more than {limit}")
    return text or None


def split_of(cell: object) -> str | None:
    """The split under its one name: a test set must be known as one however it is spelled."""
    name = text_of("split", cell, MAX_NAME)
    if name is None:
        return None
    if name.lower() not in SPLITS:
        raise ValueError(f"split {name!r} is not train, val or test")
    return SPLITS[name.lower()]


def unit(cell: object) -> float:
    """A number from 0 to 1, as a number, a truth value or text.

    >>> unit("0.7"), unit(True)
    (0.7, 1.0)
    """
    if isinstance(cell, (bool, int, float, str)):
        try:
            number = float(cell)
        except (ValueError, OverflowError):
            number = math.nan
        if 0 <= number <= 1:
            return number
    raise ValueError(f"label value {shown(cell)} is not a number from 0 to 1")
