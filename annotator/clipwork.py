"""One clip while its file is being decoded: frames and sound in, features out.

Nothing here keeps raw frames: a frame is reduced to a face observation on arrival, and sound to
features every `BLOCK_SECONDS`, so a clip of three hours takes little more memory than a short one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.clock import StageClock
from annotator.errors import StageFailure
from annotator.features.extractor import (
    BLOCK_SECONDS,
    AudioExtractor,
    Observation,
    TextExtractor,
    Transcriber,
    VisualExtractor,
    pool_blocks,
)
from annotator.types import (
    MODALITIES,
    Absent,
    ClipFeatures,
    Features,
    MediaInfo,
    Modality,
    Segment,
)

SAMPLE_RATE = 16_000  # Hz; what Whisper and Silero were trained on
BLOCK_SAMPLES = BLOCK_SECONDS * SAMPLE_RATE
FACES_A_BATCH = 64  # faces embedded at once; bounds memory, not results
SAMPLES_PER_MS = SAMPLE_RATE // 1000

Found = Features | Absent


@dataclass(frozen=True)
class Tools:
    """The extractors of one worker process; `asr` is None where no transcript is to be made."""

    visual: VisualExtractor
    audio: AudioExtractor
    text: TextExtractor
    asr: Transcriber | None


class ClipWork:
    """Collects one clip's frames and sound and turns them into features.

    Args:
        segment: the clip's bounds and known transcript.
        known: modalities that the cache already holds; they are not extracted again.
        info: the streams of the file, to say why a modality is absent.
        frame_ms: the distance of the sampled frames, which lie on multiples of it.
    """

    def __init__(
        self,
        segment: Segment,
        known: Mapping[Modality, Found],
        info: MediaInfo,
        tools: Tools,
        clock: StageClock,
        frame_ms: int,
    ) -> None:
        self.segment = segment
        self.known = dict(known)
        self.info = info
        self.tools = tools
        self.clock = clock
        self.failure: StageFailure | None = None  # of a frame or block; it ends the clip's way
        self.transcribing = "text" not in known and segment.text is None and tools.asr is not None
        self.wants_video = "visual" not in known and info.video is not None
        self.wants_audio = info.audio is not None and ("audio" not in known or self.transcribing)
        self.frames_from, self.frames_until = _frame_range(segment, frame_ms)
        self._frames = 0  # that arrived, with a face or without
        self._faces: list[Observation] = []
        self._sound: list[NDArray[np.float32]] = []
        self._sound_length = 0
        self._visual_blocks: list[NDArray[np.float32]] = []
        self._audio_blocks: list[NDArray[np.float32]] = []
        self._words: list[str] = []

    def wants_frame(self, time_ms: int) -> bool:
        """Whether the frame at that time belongs to this clip."""
        return self.wants_video and self.frames_from <= time_ms < self.frames_until

    def is_over(self, video_ms: int, audio_ms: int) -> bool:
        """Whether all its frames before `video_ms` and samples before `audio_ms` are all it has."""
        if self.failure is not None:
            return True
        video_over = not self.wants_video or video_ms >= self.frames_until
        return video_over and (not self.wants_audio or audio_ms >= self.segment.end_ms)

    def add_frame(self, face: Observation | None) -> None:
        """Take what was seen in a frame for which `wants_frame` is true; None is no face."""
        self._frames += 1
        if face is None:
            return
        self._faces.append(face)
        if len(self._faces) == FACES_A_BATCH:
            self._embed_faces()

    def add_sound(self, start_ms: int, samples: NDArray[np.float32]) -> None:
        """Take what of `samples` (n,), at 16 kHz from `start_ms` on, lies inside the clip."""
        if not self.wants_audio:
            return
        first = max(0, (self.segment.start_ms - start_ms) * SAMPLES_PER_MS)
        last = min(len(samples), (self.segment.end_ms - start_ms) * SAMPLES_PER_MS)
        while first < last:
            take = min(last - first, BLOCK_SAMPLES - self._sound_length)
            self._sound.append(samples[first : first + take])
            self._sound_length += take
            first += take
            if self._sound_length == BLOCK_SAMPLES:
                self._embed_sound()

    def finish(self) -> ClipFeatures:
        """The clip's features; call once, after its last frame and sample.

        Raises:
            StageFailure: the streams hold nothing at the clip's place, or nothing of use, or a
                frame or block of sound has failed.
        """
        if self.failure is not None:
            raise self.failure
        if self._faces:
            self._embed_faces()
        if self._sound:
            self._embed_sound()
        heard = self._audio_blocks or self._words
        if (self.wants_video or self.wants_audio) and not (self._frames or heard):
            raise StageFailure("decode", "nothing could be decoded here: the file is cut or broken")
        transcript, origin = self.segment.text, self.segment.text_origin
        if self.transcribing:
            transcript, origin = " ".join(word for word in self._words if word), "asr"
        features = ClipFeatures(
            visual=self.known.get("visual") or self._visual(),
            audio=self.known.get("audio") or self._audio(),
            text=self.known.get("text") or self._text(transcript, origin),
            transcript=transcript,
            transcript_origin=origin,
        )
        _check(features)
        return features

    def _embed_faces(self) -> None:
        with self.clock.stage("expressions"):
            self._visual_blocks.append(self.tools.visual.embed(self._faces))
        self._faces = []

    def _embed_sound(self) -> None:
        block = np.concatenate(self._sound)
        self._sound, self._sound_length = [], 0
        if "audio" not in self.known:
            with self.clock.stage("audio"):
                self._audio_blocks.append(self.tools.audio.block(block))
        if self.transcribing and self.tools.asr is not None:
            with self.clock.stage("asr"):
                self._words.append(self.tools.asr.transcribe(block))

    def _visual(self) -> Found:
        extractor = self.tools.visual.id
        if self._visual_blocks:
            return Features(pool_blocks(self._visual_blocks), extractor)
        if self.info.video is None:
            return Absent("no video stream", extractor)
        return Absent("no face found" if self._frames else "no picture in this part", extractor)

    def _audio(self) -> Found:
        extractor = self.tools.audio.id
        if self._audio_blocks:
            return Features(pool_blocks(self._audio_blocks), extractor)
        reason = "no sound in this part" if self.info.audio else "no audio stream"
        return Absent(reason, extractor)

    def _text(self, transcript: str | None, origin: str | None) -> Found:
        extractor = self.tools.text.id
        if transcript is None or not transcript.strip():
            listened = origin == "asr" and self.info.audio is not None
            return Absent("no speech recognised" if listened else "no transcript", extractor)
        with self.clock.stage("text"):
            return Features(self.tools.text.embed(transcript), extractor)


def _frame_range(segment: Segment, frame_ms: int) -> tuple[int, int]:
    """First and past-the-last time of a clip's frames on the grid of the whole file.

    The grid is the file's, not the clip's, so that a resumed run sees the same frames. A clip
    between two grid points gets the frame that is on screen when it starts.

    >>> _frame_range(Segment(250, 1000, "file"), 200), _frame_range(Segment(210, 220, "file"), 200)
    ((400, 1000), (200, 201))
    """
    first = -(-segment.start_ms // frame_ms) * frame_ms
    if first < segment.end_ms:
        return first, segment.end_ms
    shown = segment.start_ms // frame_ms * frame_ms
    return shown, shown + 1


def _check(features: ClipFeatures) -> None:
    """Refuse what the network could not use; one such clip would spoil its whole batch."""
    found = {name: features.modality(name) for name in MODALITIES}
    if all(isinstance(item, Absent) for item in found.values()):
        reasons = ", ".join(item.reason for item in found.values() if isinstance(item, Absent))
        raise StageFailure("features", f"nothing to go by: {reasons}")
    for name, item in found.items():
        if isinstance(item, Features) and not np.isfinite(item.values).all():
            raise StageFailure("features", f"the {name} features are not finite numbers")
