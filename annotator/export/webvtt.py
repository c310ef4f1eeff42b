"""Emotions as captions: WebVTT, https://www.w3.org/TR/webvtt1/.

A cue a clip. A line for the model, with the labels from their thresholds on and the surest first,
and one for people, with the labels that any of them saw.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from annotator.corpus.cues import clean_text
from annotator.export.contents import Contents, Row
from annotator.export.export import facts
from annotator.export.timed import Document
from annotator.metrics.thresholds import DEFAULT

NONE = "neutral"


def webvtt(document: Document) -> str:
    """The file as text; what could end a cue or be taken for a tag is escaped."""
    note = [f"{name} {_escaped(value)}" for name, value in facts(document.contents).items()]
    blocks = ["WEBVTT", "\n".join(["NOTE", *note])]
    for row in document.rows:
        lines = list(_lines(document.contents, row))
        if lines:
            span = f"{_clock(row.clip.start_ms)} --> {_clock(row.clip.end_ms)}"
            blocks.append("\n".join([f"clip {row.clip.clip_id}", span, *lines]))
    return "\n\n".join(blocks) + "\n"


def _lines(contents: Contents, row: Row) -> Iterator[str]:
    if row.clip.scores is not None and contents.model is not None:
        yield "model: " + _said(
            contents, row, contents.model_labels, contents.of_model,
            lambda label: 1 if contents.hard else contents.thresholds.get(label, DEFAULT),
        )  # fmt: skip
    if row.human is not None:
        people = f"people ({row.human.voters}): "
        if row.human.soft is None or (contents.hard and row.human.state != "labelled"):
            yield people + row.human.state
        else:
            yield people + _said(
                contents, row, contents.human_labels, contents.of_people, lambda _label: 1e-9
            )


def _said(
    contents: Contents,
    row: Row,
    labels: Sequence[str],
    value: Callable[[Row, str], float | None],
    least: Callable[[str], float],
) -> str:
    found = [(label, value(row, label) or 0.0) for label in labels]
    present = sorted(
        ((n, label) for label, n in found if n >= least(label)), key=lambda one: -one[0]
    )
    return ", ".join(_worded(present, hard=contents.hard)) or NONE


def _worded(present: Iterable[tuple[float, str]], *, hard: bool) -> Iterator[str]:
    for number, label in present:
        name = _escaped(clean_text(label))
        yield name if hard else f"{name} {number:.2f}"


def _escaped(text: str) -> str:
    """Text without a tag, an entity or an arrow in it.

    >>> _escaped("a --> <b> & c")
    'a --&gt; &lt;b&gt; &amp; c'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{rest:03}"
