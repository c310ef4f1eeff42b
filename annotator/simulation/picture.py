"""The learning curves of a simulation."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from annotator.experiments.pictures import (
    COLOURS,
    FAINT,
    INK,
    PALE,
    QUIET,
    new_figure,
    save,
    write_title,
)
from annotator.simulation.simulation import ENOUGH, Row, Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_curves(found: Simulation, out: Path) -> tuple[Path, Path]:
    """Draw macro-F1 over labelled clips: a small picture a strategy, with random's curve in each.

    Args:
        found: of `simulate`.
        out: without a suffix; .png and .svg are added.

    Returns:
        The two files.

    Raises:
        EnvironmentFault: matplotlib is missing, or the disk refuses.
    """
    random, *others = found.rows
    shown: Sequence[Row] = others or [random]
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    with new_figure((1.2 + 2.7 * columns, 1.5 + 2.2 * lines)) as figure:
        grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        for axes, row, place in zip(grid.flat, shown, range(len(shown)), strict=False):
            _draw(axes, found, row, COLOURS[place % len(COLOURS)])
        for axes in grid[:, 0]:
            axes.set_ylabel("macro-F1")
        for axes in grid[-1]:
            axes.set_xlabel("clips labelled")
        height = figure.get_figheight()
        figure.subplots_adjust(
            left=0.72 / figure.get_figwidth(),
            right=0.98,
            top=1 - 1.05 / height,
            bottom=0.5 / height,
            wspace=0.1,
            hspace=0.32,
        )
        write_title(
            figure,
            f"What choosing clips is worth: {found.dataset}",
            f"Coloured: the strategy; black: by lot; each the mean of {len(found.seeds)} seeds, "
            f"shaded from the lowest to the highest. Dashed: {ENOUGH:.0%} of all labels' macro-F1.",
        )
        return save(figure, out)


def _draw(axes: "Axes", found: Simulation, row: Row, colour: str) -> None:
    random = found.rows[0].curves
    axes.axhline(found.target, color=FAINT, linestyle="--", linewidth=0.8)
    axes.plot(random.labelled, random.mean(), color=INK, linewidth=1)
    curves = row.curves
    low, high = curves.values.min(axis=0), curves.values.max(axis=0)
    axes.fill_between(curves.labelled, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(curves.labelled, curves.mean(), color=colour, linewidth=1.8)
    if np.isfinite(row.labels):
        axes.plot([row.labels], [found.target], marker="o", color=colour, markersize=4)
    axes.set_title(row.name, fontsize=9, loc="left", color=QUIET)
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
