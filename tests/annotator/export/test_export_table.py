"""Columns: unique names, and the right cell of the right clip in each."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from annotator.export.contents import Contents
from annotator.export.table import columns, label_columns
from annotator.store.records import ClipScores, LabelScores, RankedClip
from annotator.store.review_records import Answer, ClipAnswer, GivenLabel

NOW = datetime(2026, 1, 1, tzinfo=UTC)

NAMES = (
    "human:joy",
    "human:human:joy",
    "raters",
    "path",
    "start",
    "variance",
    "model",
    "trained",
    "split",
    "label:path",
    "happy",
    "joy",
)


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


def cells(contents: Contents, of: RankedClip) -> dict[str, object]:
    row = contents.row(of)
    return {column.name: column.cell(row) for column in columns(contents)}


def said(person: str, *labels: str, project: int = 1, state: str = "labelled") -> ClipAnswer:
    given = tuple(GivenLabel(label, None, None) for label in labels)
    neutral = state == "labelled" and not labels
    answer = Answer(1, 1, person, state, given, neutral, None, None, None, (), NOW, NOW)
    return ClipAnswer(7, project, answer)


def test_every_column_of_a_clip():
    found = cells(Contents(Facts()), clip(("happy", 0.9), ("sad", 0.1)))
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
        "clip": 7,
    }
    assert list(found)[:5] == ["path", "start", "end", "happy", "sad"]


def test_a_label_without_an_answer_is_unknown():
    assert cells(Contents(Facts()), clip(("happy", 0.9)))["sad"] is None


@given(st.lists(st.sampled_from(NAMES), unique=True), st.lists(st.sampled_from(NAMES), unique=True))
def test_no_two_columns_share_a_name(labels, asked):
    contents = Contents(Facts(labels=tuple(labels)), {1: asked})
    names = [column.name for column in columns(contents)]
    assert len(names) == len(set(names))
    assert all(
        name.endswith(label) for name, label in zip(label_columns(labels), labels, strict=True)
    )


HUMAN = ("human:happy", "human:sad", "human_state", "human_open", "human_disagreement",
         "raters", "unusable_votes", "neutral_votes")  # fmt: skip


def test_peoples_columns_stand_between_uncertainties_and_provenance():
    answered = replace(clip(("happy", 0.9), ("sad", 0.1)),
                       answers=(said("ann", "happy", "sad"), said("bob", "happy")))  # fmt: skip
    contents = Contents(Facts(), {1: ("sad", "happy")})
    found = cells(contents, answered)
    assert [found[name] for name in HUMAN] == [1.0, 0.5, "open", "tied on sad", 0.5, 2, 0, 0]
    names = list(found)
    start = names.index("bald") + 1
    assert tuple(names[start : start + len(HUMAN)]) == HUMAN
    assert names[start + len(HUMAN)] == "model"
    unanswered = cells(contents, clip(("happy", 0.9)))
    assert [unanswered[name] for name in HUMAN] == [None] * len(HUMAN)


def test_hard_is_one_or_nought_by_thresholds_and_majority():
    answered = replace(clip(("happy", 0.3), ("sad", 0.4)),
                       answers=(said("ann", "happy", "sad"), said("bob", "happy")))  # fmt: skip
    contents = Contents(Facts(), {1: ("happy", "sad")}, hard=True, thresholds={"happy": 0.3})
    found = cells(contents, answered)
    assert [found["happy"], found["sad"]] == [1, 0]
    assert [found["human:happy"], found["human:sad"]] == [1, None]


def test_without_the_model_there_is_nothing_of_it():
    answered = replace(clip(("happy", 0.3)), answers=(said("ann"),))
    found = cells(Contents(None, {1: ("happy",)}), answered)
    assert not {"happy", "variance", "model", "tool_version"} & found.keys()
    assert (found["human:happy"], found["neutral_votes"]) == (0.0, 1)


def test_who_was_not_asked_for_a_label_has_not_said_no():
    answers = (said("ann", "happy", project=1), said("bob", "sad", project=2))
    contents = Contents(None, {1: ("happy",), 2: ("happy", "sad")})
    found = cells(contents, replace(clip(), answers=answers))
    assert (found["human:happy"], found["human:sad"]) == (0.5, 1.0)


def test_unusable_clips_have_no_shares():
    answered = replace(clip(), answers=(said("ann", state="unusable"),))
    found = cells(Contents(None, {1: ("happy",)}), answered)
    assert (found["human:happy"], found["human_state"], found["unusable_votes"]) == (
        None, "unusable", 1,
    )  # fmt: skip
