"""Charts with a row for each name: bars, intervals, a matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from annotator.report.charts.panel import Format, Margins, Panel
from annotator.report.charts.scale import plain
from annotator.report.charts.svg import Drawing, shorten

WIDTH = 640.0
ROW = 26.0
NAME_LENGTH = 22  # characters of a name
CHARACTER = 7.2  # pixels of one, at most
FOOT = 40.0
CELL = 44.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of `bars`; `beside` is a second value, drawn as a mark."""

    name: str
    value: float
    text: str
    beside: float | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """A row of `ranges`: a value, where there is one, and the bounds of its interval."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    text: str = ""


def bars(rows: Sequence[Bar], label: str, title: str, form: Format = plain) -> Markup:
    """Horizontal bars from 0, each with its value written beside it; `form` is of the ticks."""
    most = max([max(row.value, row.beside or 0.0) for row in rows], default=0.0) or 1.0
    panel = _panel([row.name for row in rows], label, (0.0, most * 1.02), right=70.0)
    panel.x_axis(title, form)
    for place, row in enumerate(rows):
        y = _middle(place)
        _name(panel, place, row.name)
        panel.drawing.add("rect", kind="fill s0", x=panel.x.start, y=y - 8, rx=2.0, height=16.0,
                          width=max(1.0, panel.x(row.value) - panel.x.start))  # fmt: skip
        end = panel.x(row.value)
        if row.beside is not None:
            at = panel.x(row.beside)
            panel.drawing.add("path", kind="mark", d=f"M{at:.1f} {y - 11:.1f}v22")
            end = max(end, at)
        panel.drawing.write(end + 8, y + 4, row.text, kind="value")
    return panel.drawing.markup()


def ranges(
    rows: Sequence[Range],
    label: str,
    title: str,
    bounds: tuple[float, float],
    form: Format = plain,
) -> Markup:
    """A dot and a line for its interval in each row; a row without a value says why."""
    panel = _panel([row.name for row in rows], label, bounds, right=110.0)
    panel.x_axis(title, form)
    for place, row in enumerate(rows):
        y = _middle(place)
        _name(panel, place, row.name)
        panel.drawing.add("path", kind="grid", d=f"M{panel.x.start:.1f} {y:.1f}H{panel.x.end:.1f}")
        if row.low is not None and row.high is not None:
            low, high = panel.x(row.low), panel.x(row.high)
            panel.drawing.add("path", kind="line s0 thick", d=f"M{low:.1f} {y:.1f}H{high:.1f}")
        if row.value is not None:
            panel.drawing.add("circle", kind="fill s0", cx=panel.x(row.value), cy=y, r=5.0)
        panel.drawing.write(panel.x.end + 10, y + 4, row.text, kind="value")
    return panel.drawing.markup()


def matrix(
    names: Sequence[str], cells: Sequence[Sequence[tuple[float, str]]], label: str
) -> Markup:
    """Shaded squares: of each cell the shade, from 0 to 1, and what is written in it."""
    side, left_of = CELL * len(names), _room(names)
    top = 20 + 0.7 * CHARACTER * min(12, max(map(len, names)))
    drawing = Drawing(left_of + side + 40, top + side + 8, label)
    for row, name in enumerate(names):
        y = top + CELL * row
        drawing.write(left_of - 8, y + CELL / 2 + 4, shorten(name, NAME_LENGTH), anchor="end",
                      kind="name")  # fmt: skip
        x = left_of + CELL * (row + 0.5)
        drawing.add("text", shorten(name, 12), kind="name",
                    transform=f"translate({x:.1f} {top - 8:.1f}) rotate(-45)")  # fmt: skip
        for column, (shade, text) in enumerate(cells[row]):
            left = left_of + CELL * column
            drawing.add("rect", kind="cell", x=left + 1, y=y + 1, width=CELL - 2,
                        height=CELL - 2, rx=3.0, fill_opacity=0.06 + 0.94 * shade)  # fmt: skip
            kind = "value" if shade < 0.6 else "on-middle" if shade < 0.85 else "on-full"
            drawing.write(left + CELL / 2, y + CELL / 2 + 4, text, anchor="middle", kind=kind)
    return drawing.markup()


def _panel(names: Sequence[str], label: str, bounds: tuple[float, float], right: float) -> Panel:
    margins = Margins(left=_room(names), right=right, top=4.0, bottom=FOOT)
    return Panel((WIDTH, ROW * len(names) + FOOT + 4), label, bounds, (0.0, 1.0), margins)


def _middle(place: int) -> float:
    return 4 + ROW * (place + 0.5)


def _name(panel: Panel, place: int, name: str) -> None:
    x, y = panel.x.start - 10, _middle(place) + 4
    panel.drawing.write(x, y, shorten(name, NAME_LENGTH), anchor="end", kind="name")


def _room(names: Sequence[str]) -> float:
    """Pixels that the longest of the names takes."""
    return 16 + CHARACTER * min(NAME_LENGTH, max(map(len, names), default=0))
