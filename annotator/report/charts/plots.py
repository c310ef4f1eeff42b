"""Charts over two axes: histograms, curves with bands, scatters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from annotator.report.charts.panel import Bounds, Format, Margins, Panel
from annotator.report.charts.scale import percent, plain

SMALL = (300.0, 190.0)
WIDE = (640.0, 240.0)
SQUARE = (400.0, 400.0)
Floats = NDArray[np.floating]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of points; `kind` is its look, as in "s0" or "quiet"."""

    points: Sequence[Point]
    kind: str
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis' bounds, title and how its values are written."""

    bounds: Bounds
    title: str = ""
    form: Format = plain


def shares(values: Floats, edges: Floats) -> Floats:
    """The share of the values in each bin, (bins,); what lies outside counts in the outermost.

    >>> shares(np.array([0.1, 0.2, 9.0]), np.array([0.0, 1.0, 2.0])).round(2)
    array([0.67, 0.33])
    """
    count, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    found: Floats = count / max(1, len(values))
    return found


def histogram(edges: Floats, heights: Floats, label: str, title: str, form: Format) -> Markup:
    """One distribution: shares of all in bins."""
    panel = Panel(WIDE, label, (edges[0], edges[-1]), (0.0, _top([heights])))
    panel.y_axis(percent)
    panel.x_axis(title, form, 8)
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        panel.bar(left, right - (right - left) * 0.08, height, "s0")
    return panel.drawing.markup()


def outlines(
    edges: Floats, heights: Mapping[str, Floats], label: str, title: str, top: float
) -> Markup:
    """Several distributions, each an outline over a pale area, in a small plot."""
    panel = Panel(SMALL, label, (edges[0], edges[-1]), (0.0, top))
    panel.y_axis(percent, 3)
    panel.x_axis(title)
    for kind, values in heights.items():
        steps = [(x, h) for n, h in enumerate(values) for x in (edges[n], edges[n + 1])]
        panel.band([(x, 0.0, h) for x, h in steps], kind=kind)
        panel.line(steps, kind=kind)
    return panel.drawing.markup()


def curves(
    found: Sequence[Curve], label: str, x: Axis, y: Axis, size: tuple[float, float] = SMALL
) -> Markup:
    """Lines in one plot."""
    panel = Panel(size, label, x.bounds, y.bounds, Margins(left=48))
    panel.y_axis(y.form)
    panel.x_axis(x.title, x.form)
    for curve in found:
        if len(curve.points) > 1:
            panel.line(curve.points, kind=curve.kind)
        if curve.dots:
            panel.dots(curve.points, f"{curve.kind} large")
    return panel.drawing.markup()


def scatter(
    groups: Mapping[str, Sequence[Point]],
    label: str,
    x: Axis,
    y: Axis,
    size: tuple[float, float] = WIDE,
) -> Markup:
    """Dots in one plot, by look."""
    panel = Panel(size, label, x.bounds, y.bounds, Margins(left=48))
    panel.y_axis(y.form)
    panel.x_axis(x.title, x.form)
    for kind, points in groups.items():
        panel.dots(points, kind)
    return panel.drawing.markup()


def field(groups: Mapping[str, Sequence[Point]], label: str) -> Markup:
    """Dots whose places have no unit, within the square that holds them all."""
    places = np.array([point for points in groups.values() for point in points])
    low, high = places.min(axis=0), places.max(axis=0)
    side = float((high - low).max()) * 1.06 or 1.0
    (x, y) = (float(middle) for middle in (low + high) / 2)
    panel = Panel(SQUARE, label, (x - side / 2, x + side / 2), (y - side / 2, y + side / 2),
                  Margins(6, 6, 6, 6))  # fmt: skip
    for kind, points in groups.items():
        panel.dots(points, f"{kind} medium")
    return panel.drawing.markup()


def _top(heights: Sequence[Floats]) -> float:
    return (
        max((float(values.max()) for values in heights if values.size), default=0.0) * 1.05 or 1.0
    )
