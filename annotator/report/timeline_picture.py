"""A timeline as a PNG."""

import io
from typing import TYPE_CHECKING

import numpy as np

from annotator.experiments.pictures import COLOURS, FAINT, QUIET, new_figure, write_title
from annotator.report.charts.svg import clean, shorten
from annotator.report.timeline import Floats, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 10.0  # inches
HEAD, ROW, FOOT = 0.85, 0.62, 0.75
LOOKS = 6
NAME_LENGTH = 60


def png(found: Timeline) -> bytes:
    """The picture.

    Raises:
        EnvironmentFault: matplotlib is not installed.
    """
    rows = len(found.labels) + (found.peaks is not None)
    height = HEAD + ROW * rows + FOOT
    with new_figure((WIDTH, height)) as figure:
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        figure.subplots_adjust(left=0.12, right=0.97, top=1 - HEAD / height, bottom=FOOT / height,
                               hspace=0.28)  # fmt: skip
        if found.peaks is not None:
            _wave(axes[0], found)
        for place, label in enumerate(found.labels):
            _row(axes[rows - len(found.labels) + place], found, place, clean(label))
        axes[-1].set_xlim(0, found.duration_ms / 1000)
        axes[-1].set_xlabel("seconds")
        write_title(figure, shorten(clean(found.path.name), NAME_LENGTH), _subtitle(found))
        out = io.BytesIO()
        figure.savefig(out, format="png")
    return out.getvalue()


def _subtitle(found: Timeline) -> str:
    return (
        f"model {found.model}: probability of each label; bands grow with ‖σ‖, from "
        f"{found.sigma.min():.2f} to {found.sigma.max():.2f} in this file"
    )


def _wave(axes: "Axes", found: Timeline) -> None:
    if found.peaks is None:
        return
    times = (np.arange(len(found.peaks)) + 0.5) / len(found.peaks) * found.duration_ms / 1000
    axes.fill_between(times, *found.peaks.T, color=FAINT, linewidth=0)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    _name(axes, "sound")


def _row(axes: "Axes", found: Timeline, label: int, name: str) -> None:
    colour = COLOURS[label % LOOKS]
    times = _apart(found.seconds)
    low, p, high = (
        _apart(np.stack([values[:, label]] * 2, axis=1))
        for values in (found.low, found.probability, found.high)
    )
    axes.fill_between(times, low, high, color=colour, alpha=0.3, linewidth=0)
    axes.plot(times, p, color=colour, linewidth=2)
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([0, 1])
    axes.grid(axis="y", color="#EEEEEE")
    _name(axes, shorten(name, 16))


def _name(axes: "Axes", name: str) -> None:
    axes.set_ylabel(name, rotation=0, ha="right", va="center", color=QUIET)
    axes.yaxis.set_label_coords(-0.03, 0.5)


def _apart(pairs: Floats) -> Floats:
    """Pairs (n, 2) one after the other, with NaN between them: (3n,), which is drawn as a gap."""
    apart: Floats = np.pad(pairs, ((0, 0), (0, 1)), constant_values=np.nan).ravel()
    return apart
