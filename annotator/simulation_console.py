"""How a simulation looks: what each way to choose clips saves."""

import math
from pathlib import Path

from rich.table import Table

from annotator.console import literal, out_console, print_json, say
from annotator.metrics.bootstrap import Interval
from annotator.simulation.simulation import ENOUGH, Simulation


def print_simulation(found: Simulation, picture: Path, *, as_json: bool) -> None:
    """A row a strategy, random first."""
    if as_json:
        print_json({**found.to_json(), "picture": picture})
        return
    table = Table("strategy", "labels needed", "saved", "macro-F1 more than random")
    for row in found.rows:
        is_random = row is found.rows[0]
        table.add_row(
            literal(row.name),
            f"{row.labels:.0f}" if math.isfinite(row.labels) else "more than there were",
            "" if is_random else _share(row.saved),
            "" if is_random else _difference(row.gained),
        )
    out_console().print(table)
    say(
        f"Labels needed for a macro-F1 of {found.target:.3f}, {ENOUGH:.0%} of the {found.full:.3f} "
        f"with all labels; means of {len(found.seeds)} seeds, 95 % intervals over them."
    )
    say(f"Curves: {picture}")


def _share(interval: Interval) -> str:
    if not math.isfinite(interval.value):
        return "unknown"
    bounds = _bounds(*(f"{bound:.0%}" for bound in (interval.low, interval.high)))
    return f"{interval.value:.0%}{bounds}"


def _difference(interval: Interval) -> str:
    bounds = _bounds(*(f"{bound:+.3f}" for bound in (interval.low, interval.high)))
    return f"{interval.value:+.3f}{bounds}"


def _bounds(low: str, high: str) -> str:
    return "" if "nan" in low + high else f" ({low} to {high})"
