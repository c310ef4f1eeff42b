"""The look of the experiments' pictures, and how they are written as PNG and SVG.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), which people with any kind of
colour vision tell apart. Nothing global of matplotlib is changed, and what is drawn depends on the
numbers only.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from annotator.errors import EnvironmentFault

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Ordered so that the first ones differ most; Okabe and Ito's yellow is darkened for a light ground.
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#1A1A1A",
    "#C9B800",
)
MARKERS = ("o", "s", "^", "D", "v")
Look = tuple[str, str]  # marker and colour; without a marker it is a dashed line
INK, QUIET, FAINT, PALE = "#222222", "#555555", "#888888", "#D9D9D9"
DPI = 160  # of the PNG
STYLE: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # a label may hold a $
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "figure.facecolor": "white",
    "svg.hashsalt": "annotate",  # else every drawing has other ids
}


def write_title(figure: "Figure", title: str, subtitle: str) -> None:
    """In the upper left corner."""
    top = 1 - 0.28 / figure.get_figheight()
    left = 0.28 / figure.get_figwidth()
    figure.text(left, top, title, fontsize=13, fontweight="bold", va="top")
    below = top - 0.26 / figure.get_figheight()
    figure.text(left, below, subtitle, fontsize=8.5, color=QUIET, va="top")


def _handles(looks: Mapping[str, Look]) -> list[Any]:
    lines = needed("matplotlib.lines", "matplotlib")
    return [
        lines.Line2D([], [], marker=marker, color=colour, linestyle="--" if not marker else "none")
        for marker, colour in looks.values()
    ]


def legend_beside(figure: "Figure", title: str, looks: Mapping[str, Look], *, top: float) -> None:
    """A column on the right, from `top`, a share of the height, down."""
    figure.legend(
        _handles(looks),
        list(looks),
        title=title,
        loc="upper left",
        bbox_to_anchor=(0.79, top),
        frameon=False,
        alignment="left",
    )


def legend_below(figure: "Figure", looks: Mapping[str, Look]) -> None:
    """Three columns at the lower edge."""
    figure.legend(_handles(looks), list(looks), loc="lower center", ncols=3, frameon=False)


@contextmanager
def new_figure(inches: tuple[float, float]) -> Iterator["Figure"]:
    """A figure of our style that no window system needs to know of.

    Raises:
        EnvironmentFault: matplotlib is not installed.
    """
    matplotlib = needed("matplotlib", "matplotlib")
    module = needed("matplotlib.figure", "matplotlib")
    with matplotlib.rc_context(dict(STYLE)):
        yield module.Figure(figsize=inches, dpi=DPI)


def save(figure: "Figure", out: Path) -> tuple[Path, Path]:
    """Write `out`.png and `out`.svg.

    Raises:
        EnvironmentFault: the disk refuses.
    """
    png, svg = (out.with_name(out.name + suffix) for suffix in (".png", ".svg"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(png)
        figure.savefig(svg, metadata={"Date": None})
    except OSError as error:
        raise EnvironmentFault(
            f"the picture cannot be written to {out.parent} ({error.strerror}): "
            "choose another folder"
        ) from error
    return png, svg


def needed(module: str, package: str) -> ModuleType:
    """A module that only pictures need.

    Raises:
        EnvironmentFault: its package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise EnvironmentFault(f"pictures need {package}: pip install {package}") from error
