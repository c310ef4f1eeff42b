"""A Praat TextGrid, the long text form: https://www.fon.hum.uva.nl/praat/manual/TextGrid.html.

Interval tiers have no gaps: what no clip covers is an interval without text. Quotes are doubled.
"""

from collections.abc import Iterator

from annotator.export.timed import Document, Span, Tier, tiers


def textgrid(document: Document) -> str:
    """The file as text."""
    return "\n".join(_lines(tiers(document), document.end_ms)) + "\n"


def _lines(ours: list[Tier], end_ms: int) -> Iterator[str]:
    yield 'File type = "ooTextFile"'
    yield 'Object class = "TextGrid"'
    yield ""
    yield from (f"xmin = {_seconds(0)}", f"xmax = {_seconds(end_ms)}")
    yield f"tiers? {'<exists>' if ours else '<absent>'}"
    yield from (f"size = {len(ours)}", "item []:")
    for number, tier in enumerate(ours, 1):
        intervals = list(_without_gaps(tier, end_ms))
        yield f"    item [{number}]:"
        yield '        class = "IntervalTier"'
        yield f"        name = {_quoted(tier.name)}"
        yield from (f"        xmin = {_seconds(0)}", f"        xmax = {_seconds(end_ms)}")
        yield f"        intervals: size = {len(intervals)}"
        for place, span in enumerate(intervals, 1):
            yield f"        intervals [{place}]:"
            yield f"            xmin = {_seconds(span.start_ms)}"
            yield f"            xmax = {_seconds(span.end_ms)}"
            yield f"            text = {_quoted(span.text)}"


def _without_gaps(tier: Tier, end_ms: int) -> Iterator[Span]:
    reached = 0
    for span in tier.spans:
        if span.start_ms > reached:
            yield Span(reached, span.start_ms, "")
        yield span
        reached = span.end_ms
    if reached < end_ms:
        yield Span(reached, end_ms, "")


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


def _quoted(text: str) -> str:
    """Text as Praat quotes it.

    >>> print(_quoted('so "so" so'))
    "so ""so"" so"
    """
    return '"' + text.replace('"', '""') + '"'
