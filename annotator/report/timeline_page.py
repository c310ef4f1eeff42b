"""A timeline as a page: the wave form, and under it a row for each label."""

import numpy as np
from markupsafe import Markup

from annotator.report.charts.panel import Margins, Panel
from annotator.report.charts.svg import Drawing, shorten
from annotator.report.page import render_timeline
from annotator.report.section import Figure, Table
from annotator.report.section import Panel as Picture
from annotator.report.timeline import Timeline
from annotator.report.words import count, duration, quoted

WIDTH = 1080.0
LEFT, RIGHT = 130.0, 16.0
SOUND, ROW, GAP, FOOT = 64.0, 66.0, 24.0, 44.0
HEAD = 8.0  # above the first plot, for the upper half of its highest tick
LOOKS = 6  # colours that the rows take in turn


def page(found: Timeline) -> str:
    """The HTML of a timeline."""
    strongest = found.labels[int(found.probability.mean(axis=0).argmax())]
    mean = found.probability.mean(axis=0).max()
    title = f"{quoted(strongest)} is the strongest emotion, {mean:.2f} on average"
    figure = Figure(
        title,
        [Picture(_picture(found, title))],
        caption(found),
        _table(found),
    )
    clips = count(len(found.bounds_ms), "clip", "clips")
    facts = f"Model {found.model} on {clips}, {duration(found.duration_ms)}"
    return render_timeline(found.path.name, facts, figure)


def caption(found: Timeline) -> str:
    """What the bands mean, with their numbers."""
    low, high = float(found.sigma.min()), float(found.sigma.max())
    silence = f" No wave form: {found.silence}." if found.silence else ""
    return (
        "Lines: the probability of each label in each clip. Bands: the model's uncertainty of that "
        f"label, narrowest at a ‖σ‖ of {low:.2f} and widest at {high:.2f}, the least and the most "
        f"in this file; their width is no interval of the probability.{silence}"
    )


def _picture(found: Timeline, title: str) -> Markup:
    top = SOUND + GAP + HEAD if found.peaks is not None else HEAD
    height = top + (ROW + GAP) * len(found.labels) + FOOT
    drawing = Drawing(WIDTH, height, title)
    end = found.duration_ms / 1000
    if found.peaks is not None:
        _wave(_plot(drawing, height, 0.0, SOUND, end, (-1.0, 1.0)), found, end)
    for place, label in enumerate(found.labels):
        at = top + (ROW + GAP) * place
        plot = _plot(drawing, height, at, ROW, end, (0.0, 1.0))
        plot.y_axis(most=3)
        drawing.write(LEFT - 40, at + ROW / 2 + 4, shorten(label, 14), anchor="end",
                      kind="name strong")  # fmt: skip
        _row(plot, found, place)
    plot.x_axis("seconds", most=10)
    return drawing.markup()


def _plot(
    drawing: Drawing, height: float, top: float, tall: float, end: float, y: tuple[float, float]
) -> Panel:
    margins = Margins(LEFT, RIGHT, top, height - top - tall)
    return Panel((WIDTH, height), "", (0.0, end), y, margins, drawing)


def _wave(plot: Panel, found: Timeline, end: float) -> None:
    if found.peaks is None:
        return
    scale = float(np.abs(found.peaks).max()) or 1.0
    times = (np.arange(len(found.peaks)) + 0.5) / len(found.peaks) * end
    rows = zip(times, *(found.peaks / scale).T, strict=True)
    plot.band([(float(t), float(low), float(high)) for t, low, high in rows], kind="wave")
    plot.drawing.write(LEFT - 40, (plot.y.start + plot.y.end) / 2 + 4, "sound", anchor="end",
                       kind="name")  # fmt: skip


def _row(plot: Panel, found: Timeline, label: int) -> None:
    kind = f"s{label % LOOKS}"
    rows = list(
        zip(
            found.seconds.tolist(),
            found.probability[:, label].tolist(),
            found.low[:, label].tolist(),
            found.high[:, label].tolist(),
            strict=True,
        )
    )
    plot.band(
        *([(t, low, high) for t in bounds] for bounds, _, low, high in rows), kind=f"{kind} strong"
    )
    plot.line(*([(t, p) for t in bounds] for bounds, p, _, _ in rows), kind=f"{kind} thick")


def _table(found: Timeline) -> Table:
    return Table(
        ("from, s", "to, s", "words", *(f"{label} (‖σ‖)" for label in found.labels)),
        [
            (f"{start:.2f}", f"{stop:.2f}", text or "",
             *(f"{p:.3f} ({s:.2f})" for p, s in zip(ps, sigmas, strict=True)))
            for (start, stop), text, ps, sigmas in zip(
                found.seconds, found.texts, found.probability, found.sigma, strict=True)
        ],
    )  # fmt: skip
