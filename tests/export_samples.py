"""Clips with a model's answers and people's, in short."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from annotator.export.contents import Contents
from annotator.export.timed import Document
from annotator.store.records import ClipScores, LabelScores, MediaClip
from annotator.store.review_records import Answer, ClipAnswer, GivenLabel

LABELS = ("happy", "sad")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Facts:
    """A model version."""

    name: str = "starter"
    weights_hash: str = "ab" * 32
    labels: tuple[str, ...] = LABELS
    config: dict[str, object] = field(default_factory=dict)
    extractors: dict[str, str] = field(default_factory=lambda: {"visual": "faces@1"})
    trained: bool = True
    path: Path | None = None
    parent: str | None = None


def said(clip_id: int, person: str, *labels: str, unusable: bool = False) -> ClipAnswer:
    """One person's answer in project 1."""
    given = () if unusable else tuple(GivenLabel(label, None, None) for label in labels)
    state = "unusable" if unusable else "labelled"
    neutral = not unusable and not labels
    answer = Answer(1, 1, person, state, given, neutral, None, None, None, (), NOW, NOW)
    return ClipAnswer(clip_id, 1, answer)


def clip(
    start_ms: int,
    end_ms: int,
    p: tuple[float, ...] | None = (0.9, 0.25),
    *answers: ClipAnswer,
    labels: tuple[str, ...] = LABELS,
    media: str = "/c/a.mp4",
    clip_id: int = 7,
    duration_ms: int | None = None,
) -> MediaClip:
    """A clip of a file, with the probability of each label."""
    scores = None
    if p is not None:
        named = zip(labels, p, strict=True)
        answered = tuple(LabelScores(n, one, 0.1, 0.2, 0.3, None, 1, 2) for n, one in named)
        scores = ClipScores(answered, 1.5, 0.25, 0.75, None)
    return MediaClip(
        clip_id, Path(media), "h", duration_ms, start_ms, end_ms, "hi", None, None, scores,
        "0.1.0", answers,
    )  # fmt: skip


def document(*clips: MediaClip, hard: bool = False, labels: tuple[str, ...] = LABELS) -> Document:
    """The clips with what both the model and people say."""
    contents = Contents(Facts(labels=labels), {1: labels}, hard=hard)
    return Document(clips[0].path, [contents.row(one) for one in clips], contents)
