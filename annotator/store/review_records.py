"""What the store knows of people's review: frozen dataclasses, never ORM objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TaskState = Literal["sending", "there", "gone"]
TaskReason = Literal["score", "audit"]
AnswerState = Literal["labelled", "unusable", "skipped", "empty"]

IMPORTED = "imported"  # in place of a server, of projects whose answers come from files


@dataclass(frozen=True, slots=True)
class ReviewProject:
    """A Label Studio project of ours; `number` is its id on the server, at its base address.

    Answers that were imported from files have projects of their own, on the server `IMPORTED`.
    `pulled_to` is the newest change that was pulled, None before the first pull.
    """

    project_id: int
    server: str
    number: int
    title: str
    labels: tuple[str, ...]
    pulled_to: datetime | None


@dataclass(frozen=True, slots=True)
class SentTask:
    """A clip in a project; `number` is the task's id on the server, None while that is unknown.

    `shown` says whether the model's answer is there for whoever labels it; it was sent with that of
    `model_id`. `reason` is whether its score chose the clip or the lot of the audit, None for tasks
    of before that was kept.
    """

    sample: str
    clip_id: int
    number: int | None
    state: TaskState
    shown: bool
    model_id: int
    reason: TaskReason | None = None


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """A label that a person gave, its intensity from 1 if any, and where it came from.

    `origin` is Label Studio's: manual, prediction, or prediction-changed.
    """

    label: str
    intensity: int | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's answer about one task as it is on the server; `number` is the annotation's id.

    `annotator` is what the person was called then, their email; `person` is their number there,
    which stays theirs, None where the server has forgotten whose answer it is.
    `neutral`: the person said that none of the emotions is there. `unchanged`: sent as it was
    shown, None where nothing was. `result` is the answer in the server's own words.
    """

    number: int
    task: int
    annotator: str
    state: AnswerState
    labels: tuple[GivenLabel, ...]
    neutral: bool
    comment: str | None
    lead_seconds: float | None
    unchanged: bool | None
    result: Sequence[object]
    created_at: datetime
    updated_at: datetime
    person: int | None = None


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One person's answer about a clip that was given elsewhere; `source` says where it stood."""

    clip_id: int
    annotator: str
    state: AnswerState
    labels: tuple[GivenLabel, ...]
    neutral: bool
    comment: str | None
    source: Sequence[object]


@dataclass(frozen=True, slots=True)
class ClipAnswer:
    """A present answer, with the clip it is about."""

    clip_id: int
    project_id: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class ProjectCounts:
    """A project at a glance: its tasks and people's present answers, by state."""

    server: str
    number: int
    title: str
    tasks: Mapping[str, int]
    answers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SavedAnswers:
    """What came of saving answers: how many were new, changed, deleted, or known as they are."""

    new: int = 0
    changed: int = 0
    deleted: int = 0
    known: int = 0

    def __add__(self, other: "SavedAnswers") -> "SavedAnswers":
        return SavedAnswers(
            self.new + other.new,
            self.changed + other.changed,
            self.deleted + other.deleted,
            self.known + other.known,
        )
