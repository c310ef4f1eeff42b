"""Columns: unique names, and the right cell of the right clip in each."""

from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from annotator.export.table import columns, label_columns
from annotator.store.records import ClipScores, LabelScores, RankedClip

NAMES = ("path", "start", "variance", "model", "trained", "split", "label:path", "happy", "joy")


@dataclass(frozen=True)
class Facts:
    name: str = "starter"
    weights_hash: str = "ab" * 32
    labels: tuple[str, ...] = ("happy", "sad")
    config: dict[str, object] = field(default_factory=dict)
    extractors: dict[str, str] = field(default_factory=lambda: {"visual": "faces@1"})
    trained: bool = True
    path: Path | None = None
    parent: str | None = None


def clip(*labels: tuple[str, float]) -> RankedClip:
    answers = tuple(LabelScores(name, p, 0.1, 0.2, 0.3, None, 1.0, 2.0) for name, p in labels)
    scores = ClipScores(answers, 1.5, 0.25, 0.75, None)
    return RankedClip(
        7, Path("/c/a.mp4"), "hash", 250, 1999, "hi", "ann", "val", 1.5, scores, "0.1.0"
    )


def test_every_column_of_a_clip():
    found = {
        column.name: column.cell(clip(("happy", 0.9), ("sad", 0.1))) for column in columns(Facts())
    }
    assert found == {
        "path": "/c/a.mp4",
        "start": 0.25,
        "end": 1.999,
        "happy": 0.9,
        "sad": 0.1,
        "variance": 1.5,
        "entropy": 0.25,
        "margin": 0.75,
        "bald": None,
        "model": "starter",
        "weights_sha256": "ab" * 32,
        "trained": True,
        "visual_extractor": "faces@1",
        "audio_extractor": None,
        "text_extractor": None,
        "tool_version": "0.1.0",
        "speaker": "ann",
        "split": "val",
        "transcript": "hi",
    }
    assert list(found)[:5] == ["path", "start", "end", "happy", "sad"]


def test_a_label_without_an_answer_is_unknown():
    sad = next(column for column in columns(Facts()) if column.name == "sad")
    assert sad.cell(clip(("happy", 0.9))) is None


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_no_two_columns_share_a_name(labels):
    names = [column.name for column in columns(Facts(labels=tuple(labels)))]
    assert len(names) == len(set(names))
    assert all(
        name.endswith(label) for name, label in zip(label_columns(labels), labels, strict=True)
    )
