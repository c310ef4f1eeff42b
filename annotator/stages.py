"""The pure way of one media file: probe, plan its clips, decode once, extract features.

`annotate_media` is a generator of events and knows neither database nor model, so the same
function runs in local worker processes and, later, on a cluster. Memory stays bounded whatever
the file's length: frames become faces as they arrive, sound becomes features block by block.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from annotator.clipwork import SAMPLES_PER_MS, ClipWork, Tools
from annotator.clock import StageClock
from annotator.corpus.manifest import ManifestEntry
from annotator.corpus.plan import Evidence, PlanSettings, plan
from annotator.corpus.sidecars import Sidecars
from annotator.errors import EnvironmentFault, StageFailure
from annotator.features.cache import FeatureCache
from annotator.features.vad import SpeechDetector
from annotator.media.decode import AudioChunk, DecodeReport, Frame, decode, decode_audio
from annotator.media.local import LocalMedia, Stopped
from annotator.media.probe import probe
from annotator.media.subtitles import embedded_subtitles
from annotator.types import Absent, Bounds, ClipFeatures, Features, MediaInfo, Modality, Segment

T = TypeVar("T")

FRAMES_PER_SECOND = 5
FRAME_MS = 1000 // FRAMES_PER_SECOND
GAP_MS = 10_000  # a longer stretch without clips is passed over by a seek, not decoded
SPAN_MS = 300_000  # one decode covers about this at most: what a resumed run may decode again


@dataclass(frozen=True, slots=True)
class MediaJob:
    """One file's work. `planned` holds all its clips if an earlier run found them.

    `wanted` names, by their bounds, those of the planned clips that still need features.
    """

    media_id: int
    path: Path
    size: int
    settings: PlanSettings
    sidecars: Sidecars
    entries: tuple[ManifestEntry, ...] = ()
    content_hash: str | None = None
    planned: tuple[Segment, ...] | None = None
    wanted: frozenset[Bounds] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Planned:
    """The file was opened and its clips are known; `notes` says what was passed over."""

    content_hash: str
    info: MediaInfo
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extracted:
    """One clip's features are ready."""

    segment: Segment
    features: ClipFeatures


@dataclass(frozen=True, slots=True)
class ClipFailed:
    """One clip could not be turned into features."""

    segment: Segment
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """The file could not be opened or planned; it has no clips."""

    stage: str
    reason: str


Event = Planned | Extracted | ClipFailed | MediaFailed


def annotate_media(
    job: MediaJob,
    tools: Tools,
    cache: FeatureCache,
    clock: StageClock,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Take one file from its path to the features of each of its clips.

    Args:
        job: the file and, when an earlier run was interrupted, what is left of it.
        tools: the loaded extractors.
        cache: where features of earlier runs lie; new ones are put there.
        clock: charged with the seconds of each stage.
        stopping: asked between clips; once true, no further clip is begun.

    Yields:
        `Planned` if the job was not planned, then one `Extracted` or `ClipFailed` a clip;
        or a single `MediaFailed`.
    """
    try:
        with LocalMedia(job.path, stopping) as media:
            if job.planned is None or job.content_hash is None:
                opened = _plan(job, media, clock)
                yield opened
                job = replace(
                    job,
                    content_hash=opened.content_hash,
                    planned=opened.segments,
                    wanted=frozenset(map(bounds, opened.segments)),
                )
            yield from _extract(job, media, tools, cache, clock, stopping)
    except Stopped:
        return
    except StageFailure as failure:
        yield MediaFailed(failure.stage, failure.reason)


def bounds(segment: Segment) -> Bounds:
    """What identifies a clip within its file: start and end in milliseconds."""
    return segment.start_ms, segment.end_ms


def content_hash_of(path: Path) -> str:
    """SHA-256 of the file's content, in hex; identifies it wherever it lies.

    Raises:
        StageFailure: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StageFailure("read", f"cannot read the file: {error.strerror}") from error


def decode_spans(segments: Sequence[Segment]) -> Iterator[tuple[Segment, ...]]:
    """Groups of clips that one pass of the decoder serves, in order of time.

    The cut depends on the whole plan and not on what is left to do, so that a resumed run decodes
    from the same places and gets the same samples as an undisturbed one.

    >>> times = (0, 5_000), (6_000, 9_000), (60_000, 61_000)
    >>> [len(span) for span in decode_spans([Segment(*time, "vad") for time in times])]
    [2, 1]
    """
    span: list[Segment] = []
    end_ms = 0
    for segment in sorted(segments, key=bounds):
        if span and (
            segment.start_ms > end_ms + GAP_MS
            or (segment.start_ms >= end_ms and end_ms - span[0].start_ms >= SPAN_MS)
        ):
            yield tuple(span)
            span = []
        span.append(segment)
        end_ms = max(end_ms, segment.end_ms) if len(span) > 1 else segment.end_ms
    if span:
        yield tuple(span)


def _fetched(media: LocalMedia, clock: StageClock) -> Path:
    """The file to open; of one that lies elsewhere the time it takes to come is told."""
    if not media.is_elsewhere:
        return media.path
    with clock.stage("fetch"):
        return media.path


def _plan(job: MediaJob, media: LocalMedia, clock: StageClock) -> Planned:
    path = _fetched(media, clock)
    with clock.stage("probe"):
        info = probe(path)
    with clock.stage("hash"):
        content_hash = content_hash_of(path)
    evidence = Evidence(
        info.duration_ms,
        info.audio is not None,
        job.sidecars,
        job.entries,
        embedded=lambda: embedded_subtitles(path, info),
        speech=lambda: _speech_regions(path, info),
    )
    with clock.stage("segment"):
        planned = plan(evidence, job.settings)
    return Planned(content_hash, info, planned.segments, planned.notes)


def _speech_regions(path: Path, info: MediaInfo) -> list[Bounds]:
    detector = SpeechDetector()
    for chunk in decode_audio(path, info):
        detector.push(chunk.samples)
    return detector.finish()


def _extract(
    job: MediaJob,
    media: LocalMedia,
    tools: Tools,
    cache: FeatureCache,
    clock: StageClock,
    stopping: Callable[[], bool],
) -> Iterator[Event]:
    segments, content_hash = job.planned or (), job.content_hash or ""
    left: dict[Bounds, tuple[Segment, dict[Modality, Features | Absent]]] = {}
    for segment in segments:
        if bounds(segment) not in job.wanted:
            continue
        if stopping():
            return
        with clock.stage("cache"):
            found = _looked_up(content_hash, segment, tools, cache)
        if isinstance(found, ClipFeatures):
            yield Extracted(segment, found)
        else:
            left[bounds(segment)] = found
    if not left or stopping():
        return
    path = _fetched(media, clock)
    with clock.stage("probe"):
        info = probe(path)
    for span in decode_spans(segments):
        works = [
            ClipWork(*left[bounds(segment)], info, tools, clock, FRAME_MS)
            for segment in span
            if bounds(segment) in left
        ]
        with closing(_decode_span(path, info, span, works)) as events:
            for event in events:
                if isinstance(event, Extracted):
                    with clock.stage("cache"):
                        cache.put(content_hash, event.segment, event.features, tools)
                yield event
                if stopping():
                    return


def _looked_up(
    content_hash: str, segment: Segment, tools: Tools, cache: FeatureCache
) -> ClipFeatures | tuple[Segment, dict[Modality, Features | Absent]]:
    """A clip's features from the cache; or what is left to do, the clip and what is known of it.

    The clip comes with the transcript that an earlier run made, so that none is made again.
    """
    cached = cache.get(content_hash, segment, tools)
    if isinstance(cached, ClipFeatures):
        return cached
    heard = cache.transcript(content_hash, segment, tools) if segment.text is None else None
    if heard is not None:
        segment = replace(segment, text=heard, text_origin="asr")
    return segment, cached


def _decode_span(
    path: Path,
    info: MediaInfo,
    span: Sequence[Segment],
    works: list[ClipWork],
) -> Generator[Extracted | ClipFailed, None, None]:
    """Decode the span once, feeding every clip of `works`; each is yielded as its end passes."""
    if not works:
        return
    clock, tools = works[0].clock, works[0].tools
    start_ms = _on_grid(span[0].start_ms)
    stream = decoded(path, info, start_ms, max(segment.end_ms for segment in span), works)
    waiting, video_ms, audio_ms = works, start_ms, start_ms
    try:
        with closing(stream):
            for piece in clock.each("decode", stream):
                if isinstance(piece, Frame):
                    _see(piece, waiting, tools, clock)
                    video_ms = piece.time_ms + FRAME_MS
                else:
                    audio_ms = piece.start_ms + len(piece.samples) // SAMPLES_PER_MS
                    for work in waiting:
                        _give(work, partial(work.add_sound, piece.start_ms, piece.samples))
                over = [work for work in waiting if work.is_over(video_ms, audio_ms)]
                if over:
                    waiting = [work for work in waiting if work not in over]
                    yield from map(_finish, over)
                    if not waiting:
                        return
    except StageFailure as failure:
        for work in waiting:
            yield ClipFailed(work.segment, failure.stage, failure.reason)
        return
    yield from map(_finish, waiting)


def decoded(
    path: Path, info: MediaInfo, start_ms: int, end_ms: int, works: Sequence[ClipWork]
) -> Generator[Frame | AudioChunk, None, DecodeReport]:
    """What clips in a part of a file want of it; its frames lie on the grid of the whole file."""
    return decode(
        path,
        info,
        start_ms=_on_grid(start_ms),
        end_ms=end_ms,
        fps=FRAMES_PER_SECOND,
        want_video=any(work.wants_video for work in works),
        want_audio=any(work.wants_audio for work in works),
    )


def _on_grid(time_ms: int) -> int:
    return time_ms // FRAME_MS * FRAME_MS


def _see(frame: Frame, works: Sequence[ClipWork], tools: Tools, clock: StageClock) -> None:
    """Look for a face once, for all clips the frame belongs to."""
    wanting = [work for work in works if work.wants_frame(frame.time_ms)]
    if not wanting:
        return
    with clock.stage("faces"):
        face = attempt(partial(tools.visual.observe, frame.image))
    for work in wanting:
        if isinstance(face, StageFailure):
            work.failure = face
        else:
            _give(work, partial(work.add_frame, face))


def _give(work: ClipWork, step: Callable[[], None]) -> None:
    if isinstance(failure := attempt(step), StageFailure):
        work.failure = failure


def _finish(work: ClipWork) -> Extracted | ClipFailed:
    made = attempt(work.finish)
    if isinstance(made, StageFailure):
        return ClipFailed(work.segment, made.stage, made.reason)
    return Extracted(work.segment, made)


def attempt(step: Callable[[], T]) -> T | StageFailure:
    """The boundary of one clip: whatever goes wrong with it is its own row's reason."""
    try:
        return step()
    except StageFailure as failure:
        return failure
    except EnvironmentFault:
        raise
    except Exception as error:  # noqa: BLE001  one clip of a batch; the reason is stored
        return StageFailure("features", f"{type(error).__name__}: {error}")
