"""The frozen data of a clip's way: source → media → segment → features → prediction.

Times are integer milliseconds from the start of the file. Arrays are numpy; the steps of a
sequence run along axis 0. Modalities are indexed visual 0, audio 1, text 2 everywhere, which
is the order of LDDU's released code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Modality = Literal["visual", "audio", "text"]
MODALITIES: tuple[Modality, ...] = ("visual", "audio", "text")

Bounds = tuple[int, int]  # of a clip within its file: start and end, milliseconds

DEFAULT_LABELS = ("happy", "sad", "anger", "surprise", "disgust", "fear")

MAX_STEPS = 500  # of one modality of one clip: LDDU's longest unaligned sequence


class SegmentMode(StrEnum):
    """Where clip bounds come from (`--segment`); AUTO takes the first that exists, top down."""

    AUTO = "auto"
    MANIFEST = "manifest"
    SIDECAR = "sidecar"
    VAD = "vad"
    WINDOWS = "windows"
    FILE = "file"


class TranscriptMode(StrEnum):
    """Where transcripts come from (`--transcripts`); AUTO is sidecar, embedded track, then ASR."""

    AUTO = "auto"
    SIDECAR = "sidecar"
    ASR = "asr"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Segment:
    """One clip's bounds and what is known of it before any model has run.

    `origin` says where the bounds came from: manifest, sidecar, eaf, vad, windows or file.
    `text_origin` says where the transcript came from: manifest, sidecar, embedded, asr, or None.
    `labels` are the label values given with the corpus, not predictions.
    """

    start_ms: int
    end_ms: int
    origin: str
    text: str | None = None
    text_origin: str | None = None
    speaker: str | None = None
    split: str | None = None
    labels: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.start_ms < self.end_ms:
            raise ValueError(
                f"a segment needs 0 <= start < end, got {self.start_ms}, {self.end_ms}"
            )


@dataclass(frozen=True, slots=True)
class Source:
    """A media file the scan found, before it is opened."""

    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path the scan passed over, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The video stream chosen for decoding; width and height as displayed, after rotation.

    `reordered` says that the stream has B-frames, which are shown before what they are made from.
    """

    index: int
    codec: str
    width: int
    height: int
    fps: float | None
    rotation: int
    reordered: bool = False


@dataclass(frozen=True, slots=True)
class AudioStream:
    """The audio stream chosen for decoding."""

    index: int
    codec: str
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """A text subtitle track inside the container."""

    index: int
    codec: str
    language: str | None


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a probe of a file found."""

    container: str
    duration_ms: int
    video: VideoStream | None
    audio: AudioStream | None
    subtitles: tuple[SubtitleStream, ...] = ()


@dataclass(frozen=True, slots=True)
class Features:
    """One modality of one clip: values (steps, dimension), 1 <= steps <= MAX_STEPS."""

    values: NDArray[np.float16]
    extractor: str

    @property
    def steps(self) -> int:
        """The true length."""
        return int(self.values.shape[0])


@dataclass(frozen=True, slots=True)
class Absent:
    """A modality the clip does not have, and why; it is masked, never filled with zeros."""

    reason: str
    extractor: str


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """The three modalities of one clip, and the transcript the text features were made from."""

    visual: Features | Absent
    audio: Features | Absent
    text: Features | Absent
    transcript: str | None = None
    transcript_origin: str | None = None

    def modality(self, name: Modality) -> Features | Absent:
        """The modality of that name.

        >>> absent = Absent("no face", "faces@1")
        >>> ClipFeatures(absent, absent, absent).modality("audio").reason
        'no face'
        """
        chosen: Features | Absent = getattr(self, name)
        return chosen

    @property
    def present(self) -> dict[Modality, NDArray[np.float16]]:
        """The values of the modalities that are there."""
        found = {name: self.modality(name) for name in MODALITIES}
        return {name: one.values for name, one in found.items() if isinstance(one, Features)}

    @property
    def extractors(self) -> dict[Modality, str]:
        """What made each modality, or found it absent."""
        return {name: self.modality(name).extractor for name in MODALITIES}

    @property
    def steps(self) -> int:
        """Of the longest modality."""
        return max(map(len, self.present.values()), default=0)

    def fits(self, extractors: Mapping[Modality, str]) -> bool:
        """Whether these extractors made all of it, and there is anything to ask a model about."""
        return bool(self.present) and self.extractors == dict(extractors)
