"""A plot: a drawing with two scales, their ticks, and the marks that the charts are made of."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from annotator.report.charts.scale import Scale, plain, ticks
from annotator.report.charts.svg import Drawing, number

Points = Iterable[tuple[float, float]]
Bounds = tuple[float, float]
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels around the plot."""

    left: float = 44
    right: float = 12
    top: float = 10
    bottom: float = 36


class Panel:
    """A plot of a size in pixels over bounds of x and y."""

    def __init__(
        self,
        size: tuple[float, float],
        label: str,
        x: Bounds,
        y: Bounds,
        margins: Margins = Margins(),
        drawing: Drawing | None = None,
    ) -> None:
        width, height = size
        self.drawing = drawing or Drawing(width, height, label)
        self.x = Scale(*x, margins.left, width - margins.right)
        self.y = Scale(*y, height - margins.bottom, margins.top)

    def x_axis(self, title: str = "", form: Format = plain, most: int = 5) -> None:
        """Ticks below the plot, the axis' title under them."""
        for value in ticks(self.x.low, self.x.high, most):
            self.drawing.write(self.x(value), self.y.start + 16, form(value), anchor="middle")
        self._rule(self.x.start, self.y.start, self.x.end, self.y.start, "axis")
        if title:
            middle = (self.x.start + self.x.end) / 2
            self.drawing.write(middle, self.y.start + 32, title, anchor="middle", kind="name")

    def y_axis(self, form: Format = plain, most: int = 5) -> None:
        """Ticks left of the plot, and faint lines across it."""
        for value in ticks(self.y.low, self.y.high, most):
            at = self.y(value)
            self._rule(self.x.start, at, self.x.end, at, "grid")
            self.drawing.write(self.x.start - 7, at + 4, form(value), anchor="end")

    def line(self, *pieces: Points, kind: str) -> None:
        """A line through points, or several, all in one path."""
        d = "".join(map(self._through, pieces))
        self.drawing.add("path", kind=f"line {kind}", d=d)

    def band(self, *pieces: Sequence[tuple[float, float, float]], kind: str) -> None:
        """The area between two lines, points of x, low and high; or several, all in one path."""
        d = "".join(
            self._through(
                [*((x, high) for x, _, high in piece), *((x, low) for x, low, _ in piece[::-1])]
            )
            + "Z"
            for piece in pieces
        )
        self.drawing.add("path", kind=f"band {kind}", d=d)

    def bar(self, left: float, right: float, top: float, kind: str, base: float = 0.0) -> None:
        """A rectangle from `base` to `top`."""
        x, width = self.x(left), self.x(right) - self.x(left)
        y, height = self.y(top), self.y(base) - self.y(top)
        self.drawing.add("rect", kind=f"fill {kind}", x=x, y=y, width=max(0.5, width),
                         height=max(0.0, height))  # fmt: skip

    def dots(self, points: Points, kind: str) -> None:
        """Dots, all in one path: a dozen bytes each."""
        d = "".join(f"M{number(self.x(x))} {number(self.y(y))}h0" for x, y in points)
        if d:
            self.drawing.add("path", kind=f"dots {kind}", d=d)

    def _through(self, points: Points) -> str:
        return "M" + "L".join(f"{number(self.x(x))} {number(self.y(y))}" for x, y in points)

    def _rule(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.drawing.add("path", kind=kind, d=f"M{number(x1)} {number(y1)}"
                         f"L{number(x2)} {number(y2)}")  # fmt: skip
