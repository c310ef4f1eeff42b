"""What goes into the store and comes out of it: frozen dataclasses, never ORM objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from annotator.store.review_records import ClipAnswer, ProjectCounts
from annotator.types import Bounds, ClipFeatures, Modality, Segment

Score = Literal["variance", "entropy", "margin", "bald"]
SCORES: tuple[Score, ...] = ("variance", "entropy", "margin", "bald")

RunState = Literal["running", "done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class LabelScores:
    """One model's answer for one label of one clip.

    `p` is the final probability; `p_mu`, `p_sigma` and `p_direct` are those of its parts. The
    sigmas are the norms of the standard deviation of the label's Gaussian
    in each modality, None where it is absent.
    """

    label: str
    p: float
    p_mu: float
    p_sigma: float
    p_direct: float
    sigma_visual: float | None
    sigma_audio: float | None
    sigma_text: float | None


@dataclass(frozen=True, slots=True)
class ClipScores:
    """One model's answer for one clip; `bald` is None without Monte Carlo dropout."""

    labels: tuple[LabelScores, ...]
    variance: float
    entropy: float
    margin: float
    bald: float | None


@dataclass(frozen=True, slots=True)
class TwoAnswers:
    """The probabilities by label that two models gave the same clip."""

    first: Mapping[str, float]
    second: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FreshScores(ClipScores):
    """An answer as a network gives it, with the clip's latent; the store reads that by itself.

    `latent` is d numbers, float16 and little endian: μ, the mean over labels and over the
    modalities that the clip has.
    """

    latent: bytes


@dataclass(frozen=True, slots=True)
class ClipResult:
    """A clip that is through: of its features only lengths, absences and transcript are kept."""

    clip_id: int
    features: ClipFeatures
    scores: ClipScores


@dataclass(frozen=True, slots=True)
class PendingMedia:
    """A file with work to do; `clips` counts those waiting, None if it is yet to be planned.

    `duration_ms` is known once a run has opened it.
    """

    media_id: int
    path: Path
    size: int
    content_hash: str | None
    clips: int | None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OpenedMedia:
    """A file as the run found it that opened it last."""

    size: int
    mtime_ns: int
    content_hash: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class PendingClip:
    """A clip that waits for a model's answer, as it was planned."""

    clip_id: int
    segment: Segment


class ModelFacts(Protocol):
    """What the store wants to know of a model version; the registry's class fits."""

    @property
    def name(self) -> str:
        """Unique in a workspace."""

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the weights."""

    @property
    def labels(self) -> Sequence[str]:
        """The label set, in the order of the outputs."""

    @property
    def config(self) -> Mapping[str, object]:
        """What builds the network; JSON types."""

    @property
    def extractors(self) -> Mapping[Modality, str]:
        """Extractor and version by modality."""

    @property
    def trained(self) -> bool:
        """False for weights drawn at random."""

    @property
    def path(self) -> Path | None:
        """Where the weights lie."""

    @property
    def parent(self) -> str | None:
        """The name of the model it was trained from."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A registered model version."""

    model_id: int
    name: str
    weights_hash: str
    labels: tuple[str, ...]
    config: Mapping[str, object]
    extractors: Mapping[Modality, str]
    trained: bool
    created_at: datetime
    path: Path | None
    parent: str | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run, as far as it got; a killed one stays "running"."""

    run_id: int
    model: str
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    settings: Mapping[str, object]
    tool_version: str
    counts: Mapping[str, object]
    stage_seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Failure:
    """A file or clip that failed; the last three are None for a file."""

    path: Path
    stage: str
    reason: str
    clip_id: int | None
    start_ms: int | None
    end_ms: int | None


@dataclass(frozen=True, slots=True)
class FailureCount:
    """How many files, or clips, failed alike."""

    kind: Literal["media", "clip"]
    stage: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Whose claims they are, and how long each holds unless it is renewed."""

    owner: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Held:
    """How many files are claimed, and by how many runs."""

    files: int
    owners: int


@dataclass(frozen=True, slots=True)
class Status:
    """The store at a glance: counts by state, predictions by model name.

    `clips` counts those of the present plans; `retired_clips` those an earlier plan had.
    """

    media: Mapping[str, int]
    clips: Mapping[str, int]
    retired_clips: int
    predictions: Mapping[str, int]
    media_ms: int
    failures: tuple[FailureCount, ...]
    models: tuple[ModelRecord, ...]
    last_run: RunRecord | None
    projects: tuple[ProjectCounts, ...] = ()
    held: Held = Held(0, 0)


@dataclass(frozen=True, slots=True)
class RankedClip:
    """A clip in a ranking; `score` is what it was ranked by.

    `content_hash` is that of its file; `tool_version` that of the run which gave the scores.
    `answers` are people's present ones, if they were asked for.
    """

    clip_id: int
    path: Path
    content_hash: str
    start_ms: int
    end_ms: int
    text: str | None
    speaker: str | None
    split: str | None
    score: float
    scores: ClipScores
    tool_version: str
    answers: tuple[ClipAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaClip:
    """A clip at its place in its file, with people's present answers.

    `duration_ms` is its file's; `scores` are one model's, and with the version of the run that
    gave them None where it has given none.
    """

    clip_id: int
    path: Path
    content_hash: str | None
    duration_ms: int | None
    start_ms: int
    end_ms: int
    text: str | None
    speaker: str | None
    split: str | None
    scores: ClipScores | None
    tool_version: str | None
    answers: tuple[ClipAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownClip:
    """A clip as it is now, by the content of its file.

    `text` is the transcript of the last answer; `scores` are one model's, None without an answer.
    """

    content_hash: str
    bounds: Bounds
    text: str | None
    scores: ClipScores | None


@dataclass(frozen=True, slots=True)
class ClipPlace:
    """Where a clip lies as its file is now, who speaks, and the split that it came with."""

    clip_id: int
    path: Path
    content_hash: str
    bounds: Bounds
    speaker: str | None
    split: str | None


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """One model's answer for one clip, with its provenance."""

    model: str
    run_id: int
    created_at: datetime
    scores: ClipScores


@dataclass(frozen=True, slots=True)
class ClipDetail:
    """All that is known of one clip.

    `segment.text` is the transcript the last answer was given on, whatever its origin. A modality
    is in `steps` (its length) or in `absent` (why), and in neither before features were made.
    """

    clip_id: int
    path: Path
    segment: Segment
    active: bool
    state: str
    stage: str | None
    reason: str | None
    steps: Mapping[Modality, int]
    absent: Mapping[Modality, str]
    predictions: tuple[StoredPrediction, ...]
    answers: tuple[ClipAnswer, ...] = ()
