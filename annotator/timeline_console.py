"""A timeline in the terminal: a sparkline of each label's probability and of its uncertainty."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Column, Table

from annotator.console import literal, out_console, print_json, say
from annotator.report.timeline import Timeline
from annotator.report.words import duration

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-:=+*#"  # where the terminal's encoding lacks blocks
BESIDE = 46  # columns that names, numbers and rules take
FEWEST, MOST = 16, 100  # columns of a sparkline
Floats = NDArray[np.floating]


def print_timeline(found: Timeline, out: Path | None, *, as_json: bool) -> None:
    """Sparklines for people, every number for machines; `out` is the picture that was written."""
    if as_json:
        print_json(_plain(found, out))
        return
    console = out_console()
    width = min(MOST, max(FEWEST, (console.width - BESIDE) // 2))
    glyphs = BLOCKS if _can_show(BLOCKS) else PLAIN
    unsure = "σ" if _can_show("σ") else "sigma"
    title = f"{found.path.name}, {duration(found.duration_ms)}, model {found.model}"
    table = Table(
        "label",
        Column("probability over time, 0 to 1", no_wrap=True),
        Column("mean", justify="right"),
        Column("most", justify="right"),
        Column(f"uncertainty {unsure}", no_wrap=True, style="dim"),
        title=literal(title),
    )
    if found.peaks is not None:
        loud = np.abs(found.peaks).max(axis=1)
        parts = [float(part.max()) for part in np.array_split(loud, width)]
        table.add_row("sound", sparkline(parts, 0.0, max(parts) or 1.0, glyphs), "", "", "")
    at = columns(found, width)
    low, high = float(found.sigma.min()), float(found.sigma.max())
    for k, label in enumerate(found.labels):
        p, sigma = found.probability[:, k], found.sigma[:, k]
        table.add_row(
            literal(label),
            sparkline([None if n is None else float(p[n]) for n in at], 0.0, 1.0, glyphs),
            f"{p.mean():.2f}",
            f"{p.max():.2f}",
            sparkline([None if n is None else float(sigma[n]) for n in at], low, high, glyphs),
        )
    console.print(table)
    if found.silence:
        say(f"No wave form: {found.silence}.")
    if out is not None:
        say(f"Timeline written to {out}.")


def sparkline(values: Sequence[float | None], low: float, high: float, glyphs: str) -> str:
    """A character a value, from the lowest glyph to the highest; None is a blank.

    >>> sparkline([0.0, 0.5, None, 1.0], 0.0, 1.0, "▁▂▃▄▅▆▇█")
    '▁▅ █'
    """
    span = high - low or 1.0
    last = len(glyphs) - 1
    return "".join(
        " " if value is None else glyphs[min(last, max(0, int((value - low) / span * len(glyphs))))]
        for value in values
    )


def columns(found: Timeline, width: int) -> list[int | None]:
    """The clip that is on at the middle of each of `width` equal parts of the file, or None."""
    starts, ends = found.bounds_ms.T
    chosen: list[int | None] = []
    for part in range(width):
        middle = (part + 0.5) / width * found.duration_ms
        on = np.flatnonzero((starts <= middle) & (middle < ends))
        chosen.append(int(on[-1]) if len(on) else None)
    return chosen


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _plain(found: Timeline, out: Path | None) -> dict[str, object]:
    clips = [
        {
            "start_ms": int(start),
            "end_ms": int(end),
            "p": dict(zip(found.labels, map(float, p), strict=True)),
            "sigma": dict(zip(found.labels, map(float, sigma), strict=True)),
        }
        for (start, end), p, sigma in zip(
            found.bounds_ms, found.probability, found.sigma, strict=True
        )
    ]
    return {"path": found.path, "model": found.model, "out": out, "clips": clips}
