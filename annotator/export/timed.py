"""The clips of one medium on its time line, as formats of annotation tools have it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.corpus.cues import clean_text
from annotator.export.contents import Contents, Row

MODEL, HUMAN = "model:", "human:"  # begin the name of a tier


@dataclass(frozen=True, slots=True)
class Span:
    """A text and when it holds, in milliseconds."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Tier:
    """Spans in order of time, none of which overlaps another."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What is written about one medium."""

    media: Path
    rows: Sequence[Row]
    contents: Contents

    @property
    def end_ms(self) -> int:
        """Where the medium ends, or the last clip if that is known to be later."""
        durations = (getattr(row.clip, "duration_ms", None) or 0 for row in self.rows)
        return max(*durations, *(row.clip.end_ms for row in self.rows))


def tiers(document: Document) -> list[Tier]:
    """A tier for each label of the model, then of people; several where clips overlap.

    A span holds the probability or share, or with yes and no the label, where it is a yes. Names
    are unique and, as texts, of one line.
    """
    contents = document.contents
    found: list[Tier] = []
    for source, labels, value in (
        (MODEL, contents.model_labels, contents.of_model),
        (HUMAN, contents.human_labels, contents.of_people),
    ):
        for label in labels:
            spans = _spans(document, label, value)
            lanes = list(_lanes(spans)) or [()]
            found += (
                Tier(clean_text(f"{source}{label}") + (f" ({place})" if place > 1 else ""), lane)
                for place, lane in enumerate(lanes, 1)
            )
    return _named_once(found)


def _spans(
    document: Document, label: str, value: Callable[[Row, str], float | None]
) -> Iterator[Span]:
    for row in document.rows:
        number = value(row, label)
        if number is None or (document.contents.hard and not number):
            continue
        text = clean_text(label) if document.contents.hard else f"{number:.3f}"
        yield Span(row.clip.start_ms, row.clip.end_ms, text)


def _lanes(spans: Iterable[Span]) -> Iterator[tuple[Span, ...]]:
    """Spans that do not overlap together, each in the first lane that is free by then."""
    lanes: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: (span.start_ms, span.end_ms)):
        free = next((lane for lane in lanes if lane[-1].end_ms <= span.start_ms), None)
        if free is None:
            lanes.append([span])
        else:
            free.append(span)
    return map(tuple, lanes)


def _named_once(found: Iterable[Tier]) -> list[Tier]:
    """Two labels may look alike once they are of one line."""
    used: set[str] = set()
    renamed: list[Tier] = []
    for tier in found:
        name, count = tier.name, 1
        while name in used:
            count += 1
            name = f"{tier.name} [{count}]"
        used.add(name)
        renamed.append(Tier(name, tier.spans))
    return renamed
