"""What a page consists of: sections of figures, each with its numbers in a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

Cell = str | int | float | None
MOST_PANELS = 24  # of a figure
MOST_ROWS = 50  # of a table whose length the corpus decides


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers behind a figure: the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @classmethod
    def first(cls, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> "Table":
        """A table of the first `MOST_ROWS`, with how many more there are.

        >>> Table.first(("n", "n²"), [(n, n * n) for n in range(60)]).rows[-1]
        ('and 10 more', '')
        """
        if len(rows) <= MOST_ROWS:
            return cls(columns, rows)
        rest = (f"and {len(rows) - MOST_ROWS} more", *[""] * (len(columns) - 1))
        return cls(columns, [*rows[:MOST_ROWS], rest])


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a figure's legend; `kind` is the look that the drawing uses, as in "s0"."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a figure, with a title of its own where there are several."""

    svg: Markup
    title: str = ""
    legend: Sequence[Key] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """Pictures side by side, what they show in a title and a caption, and the numbers."""

    title: str
    panels: Sequence[Panel]
    caption: str
    table: Table
    legend: Sequence[Key] = ()

    @property
    def layout(self) -> str:
        """How much room each picture is given."""
        return {1: "", 2: "large"}.get(len(self.panels), "small")


@dataclass(frozen=True, slots=True)
class Player:
    """A clip to look at: its still and its film as data URIs, where they could be made."""

    name: str
    where: str
    text: str | None
    score: str
    labels: Sequence[tuple[str, float]]
    still: str | None = None
    film: str | None = None
    lacking: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    `missing` says what it needs and, between backticks, which command gives that.
    """

    id: str
    name: str  # in the contents
    headline: str  # what is seen
    text: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[tuple[str, Table]] = ()
    players: Sequence[tuple[str, Sequence[Player]]] = ()
    missing: str | None = None
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)


def lacking(section_id: str, name: str, missing: str) -> Section:
    """A section that cannot be shown yet."""
    return Section(section_id, name, f"{name}: not yet", missing=missing)
