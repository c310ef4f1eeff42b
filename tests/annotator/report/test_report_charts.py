"""Scales, ticks and marks of the charts."""

import re
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.report.charts.plots import Axis, Curve, curves, field, outlines, shares
from annotator.report.charts.rows import Bar, Range, bars, matrix, ranges
from annotator.report.charts.scale import Scale, ticks
from annotator.report.charts.svg import Drawing, clean, number

FINITE = st.floats(-1e6, 1e6)


@given(FINITE, st.floats(1e-3, 1e6), st.integers(2, 12))
def test_ticks_lie_within_the_bounds_evenly_and_not_too_many(low, span, most):
    found = ticks(low, low + span, most)
    assert all(low - 1e-6 * span <= tick <= low + span + 1e-6 * span for tick in found)
    assert len(found) <= most + 1
    steps = np.diff(found)
    assert np.allclose(steps, steps[:1] if len(steps) else 0, rtol=1e-4)


@given(FINITE, st.floats(1e-3, 1e6), st.floats(0, 1))
def test_a_scale_is_straight(low, span, share):
    scale = Scale(low, low + span, 10.0, 110.0)
    assert scale(low + share * span) == pytest.approx(10 + 100 * share, abs=1e-3)


def test_a_scale_of_one_value_does_not_divide_by_nothing():
    assert Scale(3.0, 3.0, 0.0, 10.0)(3.0) == 0.0


@given(st.text())
def test_any_text_gives_a_picture_that_can_be_read(text):
    drawing = Drawing(10, 10, text)
    drawing.write(1, 2, text)
    root = fromstring(str(drawing.markup()))
    assert root.get("aria-label") == clean(text)
    assert (root[0].text or "") == clean(text)


@given(st.floats(-1e7, 1e7))
def test_numbers_are_short_and_close(value):
    assert float(number(value)) == pytest.approx(value, abs=0.006)
    assert "e" not in number(value)


def drawn(markup: object, kind: str) -> list[dict[str, str]]:
    """The attributes of the elements of a class."""
    root = fromstring(str(markup))
    return [dict(e.attrib) for e in root.iter() if kind in e.get("class", "").split()]


def test_bars_are_as_long_as_their_values():
    picture = bars([Bar("a", 1.0, "1"), Bar("b", 4.0, "4", beside=2.0)], "x", "y")
    short, long = (float(bar["width"]) for bar in drawn(picture, "fill"))
    assert long == pytest.approx(4 * short, rel=0.01)
    (mark,) = drawn(picture, "mark")
    left = float(drawn(picture, "fill")[0]["x"])
    at = float(re.match(r"M([\d.]+)", mark["d"])[1])
    assert at - left == pytest.approx(long / 2, rel=0.01)


def test_a_row_without_a_value_has_no_dot():
    rows = [Range("a", 0.5, 0.2, 0.8), Range("b", None, text="–")]
    picture = ranges(rows, "x", "y", (0.0, 1.0))
    assert len([e for e in drawn(picture, "fill") if "cx" in e]) == 1


def test_a_cell_is_shaded_by_its_value():
    picture = matrix(["a", "b"], [[(1.0, "100"), (0.0, "0")], [(0.5, "50"), (1.0, "100")]], "x")
    shades = [float(cell["fill-opacity"]) for cell in drawn(picture, "cell")]
    assert shades[1] < shades[2] < shades[0] == shades[3] == 1.0


def test_a_line_rises_where_its_values_rise():
    axis = Axis((0.0, 1.0))
    picture = curves([Curve([(0.0, 0.0), (1.0, 1.0)], "s0")], "x", axis, axis)
    (line,) = drawn(picture, "line")
    (x0, y0), (x1, y1) = ((float(x), float(y)) for x, y in
                          re.findall(r"([\d.]+) ([\d.]+)", line["d"]))  # fmt: skip
    assert x1 > x0
    assert y1 < y0  # up is less in SVG


def test_a_field_keeps_its_shape():
    picture = field({"s0": [(0.0, 0.0), (100.0, 0.0), (0.0, 50.0)]}, "x")
    (dots,) = drawn(picture, "dots")
    (ax, ay), (bx, by), (cx, cy) = (
        (float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)", dots["d"])
    )
    assert bx - ax == pytest.approx(2 * (ay - cy), rel=0.02)
    assert (ay, ax) == (by, cx)


def test_shares_add_up_with_what_lies_outside():
    values = np.array([-5.0, 0.5, 0.6, 1.5, 99.0])
    assert shares(values, np.array([0.0, 1.0, 2.0])).tolist() == [0.6, 0.4]


def test_an_outline_of_nothing_is_still_a_picture():
    edges = np.linspace(0, 1, 4)
    assert drawn(outlines(edges, {}, "x", "y", 1.0), "axis")
