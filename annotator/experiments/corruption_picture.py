"""The curves of a corruption test, a column for each modality."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from annotator.experiments.corruption_curves import CorruptionCurves, Curve
from annotator.experiments.pictures import (
    COLOURS,
    FAINT,
    MARKERS,
    PALE,
    Look,
    legend_below,
    new_figure,
    save,
    write_title,
)
from annotator.types import MODALITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = {
    "variance": "‖σ‖ against clean",
    "entropy": "entropy of ŷ, bits",
    "micro_f1": "micro-F1",
    "mean_average_precision": "mean AP",
}


def draw_curves(found: CorruptionCurves, out: Path) -> tuple[Path, Path]:
    """Draw uncertainty and quality over the strength, a column for each modality.

    Args:
        found: at least one curve.
        out: without a suffix; .png and .svg are added.

    Returns:
        The two files.

    Raises:
        EnvironmentFault: matplotlib is missing, or the disk refuses.
    """
    present = [m for m in MODALITIES if any(curve.modality == m for curve in found.curves)]
    kinds = dict.fromkeys(curve.kind for curve in found.curves)
    looks: dict[str, Look] = dict(
        zip(kinds, zip(cycle(MARKERS), cycle(COLOURS), strict=False), strict=False)
    )
    with new_figure((2.2 + 2.7 * len(present), 9.0)) as figure:
        grid = figure.subplots(len(ROWS), len(present), sharex=True, sharey="row", squeeze=False)
        for column, modality in enumerate(present):
            curves = [curve for curve in found.curves if curve.modality == modality]
            for row, name in enumerate(ROWS):
                axes = grid[row, column]
                for curve in curves:
                    _draw_curve(axes, curve, name, looks[curve.kind])
                _draw_floor(axes, curves, name)
            grid[0, column].set_title(modality, fontsize=10, fontweight="bold")
            grid[-1, column].set_xlabel("strength of the corruption")
        for row, title in enumerate(ROWS.values()):
            grid[row, 0].set_ylabel(title)
        figure.align_ylabels()
        figure.subplots_adjust(left=0.1, right=0.97, top=0.88, bottom=0.16, hspace=0.14, wspace=0.1)
        write_title(figure, f"Corruptions of {found.dataset}, {found.split}", found.proxy)
        legend_below(figure, {**looks, "the same answer for every clip": ("", FAINT)})
        return save(figure, out)


def _draw_curve(axes: "Axes", curve: Curve, name: str, look: Look) -> None:
    values = np.array([getattr(point, name) for point in curve.points])
    if name == "variance":
        values = values / values[0]
    marker, colour = look
    strengths = [point.strength for point in curve.points]
    axes.plot(strengths, values, color=colour, marker=marker, markersize=4, linewidth=1.4)
    axes.grid(axis="y", color=PALE, linewidth=0.5)


def _draw_floor(axes: "Axes", curves: Sequence[Curve], name: str) -> None:
    """What knowing nothing gets: the mean over curves of almost the same clips, not media's few."""
    whole = [curve for curve in curves if curve.spoilt != "media"] or curves
    floors = [curve.falls[name] for curve in whole if name in curve.falls]
    if floors:
        prior = float(np.mean([floor.prior for floor in floors]))
        axes.axhline(prior, color=FAINT, linewidth=1, linestyle="--")
