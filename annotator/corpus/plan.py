"""Decide a file's clips and their given transcripts, from everything known of the file.

Bounds under AUTO, the first that gives any: manifest, subtitles, ELAN, speech, windows. Text:
manifest, subtitles, ELAN, plain .txt, embedded track, and what is still silent is for ASR.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from annotator.corpus.cues import STAGE, Cue, CueTrack, read_text
from annotator.corpus.elan import read_elan
from annotator.corpus.manifest import ManifestEntry
from annotator.corpus.segment import (
    WINDOW_MS,
    Cut,
    described,
    entry_span,
    from_manifest,
    from_sidecar,
    names_clip,
    whole_file,
    windows,
)
from annotator.corpus.sidecars import Sidecars
from annotator.corpus.speech import from_speech
from annotator.corpus.subtitles import parse_subtitles, read_subtitles
from annotator.corpus.transcripts import Words, fill, from_cues, from_plain
from annotator.errors import StageFailure
from annotator.types import Bounds, Segment, SegmentMode, Source, TranscriptMode

PLAN_VERSION = 1  # raise it when the same input gives other clips or other text


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What the user chose: `--segment`, `--transcripts`, the window length, an ELAN tier."""

    segment: SegmentMode = SegmentMode.AUTO
    transcripts: TranscriptMode = TranscriptMode.AUTO
    window_ms: int = WINDOW_MS
    elan_tier: str | None = None

    @property
    def transcribes(self) -> bool:
        """Whether speech recognition fills in where no transcript is given."""
        return self.transcripts in (TranscriptMode.AUTO, TranscriptMode.ASR)


@dataclass(frozen=True)
class Evidence:
    """What is known of a file. The two callables cost a decode and are called at most once.

    `embedded` gives the text subtitle track as SRT, or None; `speech` the speech regions in
    milliseconds, and is not called without audio.
    """

    duration_ms: int
    has_audio: bool
    sidecars: Sidecars = field(default_factory=Sidecars)
    entries: tuple[ManifestEntry, ...] = ()
    embedded: Callable[[], str | None] = field(default=lambda: None)
    speech: Callable[[], Sequence[Bounds]] = field(default=lambda: ())


@dataclass(frozen=True, slots=True)
class Plan:
    """A file's clips in order of time; `notes` says in one line each what was passed over."""

    segments: tuple[Segment, ...]
    needs_asr: bool
    notes: tuple[str, ...] = ()


def plan(evidence: Evidence, settings: PlanSettings) -> Plan:
    """Choose the clips of a file and the text that was given for them.

    Raises:
        StageFailure: the file has no duration, an explicit mode has nothing to go by, or a
            sidecar that decides is broken.
    """
    if evidence.duration_ms <= 0:
        raise StageFailure(STAGE, "the file has no duration; check that it plays")
    planner = _Planner(evidence, settings)
    segments = planner.with_manifest(planner.bounds())
    segments = planner.with_text(segments)
    is_silent = any(segment.text is None for segment in segments)
    needs_asr = evidence.has_audio and settings.transcribes and is_silent
    return Plan(segments, needs_asr, tuple(planner.notes))


def plan_key(
    source: Source,
    sidecars: Sidecars,
    settings: PlanSettings,
    entries: Sequence[ManifestEntry] = (),
    elsewhere: Mapping[Path, Source] | None = None,
) -> str:
    """A digest of all that decides a file's plan: if it is unchanged, so are the clips.

    Sidecars count by name, size and time of change; `elsewhere` tells those of ones that are not on
    this machine. Where the file lies does not count.
    """
    facts = {
        "version": PLAN_VERSION,
        "source": (source.size, source.mtime_ns),
        "sidecars": [
            _fingerprint(path, elsewhere or {})
            for path in (sidecars.subtitles, sidecars.elan, sidecars.text)
        ],
        "settings": asdict(settings),
        "entries": [asdict(entry) for entry in entries],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _fingerprint(
    path: Path | None, elsewhere: Mapping[Path, Source]
) -> tuple[str, int, int] | None:
    if path is None:
        return None
    if (listed := elsewhere.get(path)) is not None:
        return (path.name, listed.size, listed.mtime_ns)
    try:
        status = path.stat()
    except OSError:  # gone since the listing: the plan itself will say so
        return (path.name, -1, -1)
    return (path.name, status.st_size, status.st_mtime_ns)


class _Planner:
    """One file's decision; what is costly to read is read once and only when needed."""

    def __init__(self, evidence: Evidence, settings: PlanSettings) -> None:
        self.evidence = evidence
        self.settings = settings
        self.notes: list[str] = []

    @cached_property
    def subtitles(self) -> tuple[Cue, ...]:
        path = self.evidence.sidecars.subtitles
        if path is None:
            return ()
        return self._noted(path, read_subtitles(path))

    @cached_property
    def elan(self) -> tuple[Cue, ...]:
        path = self.evidence.sidecars.elan
        if path is None:
            return ()
        return self._noted(path, read_elan(path, self.settings.elan_tier))

    def bounds(self) -> tuple[Segment, ...]:
        """The clips by the mode; text and more only where the bounds brought it along."""
        duration = self.evidence.duration_ms
        match self.settings.segment:
            case SegmentMode.MANIFEST:
                return self._manifest() or self._fail("the manifest has no row for this file")
            case SegmentMode.SIDECAR:
                return self._sidecar() or self._fail("it has no .srt, .vtt or .eaf with cues in it")
            case SegmentMode.VAD:
                return self._speech() or self._fail(
                    "no speech was found" if self.evidence.has_audio else "it has no audio"
                )
            case SegmentMode.WINDOWS:
                return windows(duration, self.settings.window_ms)
            case SegmentMode.FILE:
                return whole_file(duration)
        return (
            (self._manifest() if any(map(names_clip, self.evidence.entries)) else ())
            or self._sidecar()
            or self._speech()
            or windows(duration, self.settings.window_ms)
        )

    def with_manifest(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        """Give clips cut by other means the split, speaker and labels of the manifest."""
        entries = self.evidence.entries
        if not entries or segments[0].origin == "manifest":
            return segments
        return tuple(described(segment, entries, self.evidence.duration_ms) for segment in segments)

    def with_text(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        """Fill in the text, source after source."""
        if self.settings.transcripts in (TranscriptMode.ASR, TranscriptMode.NONE):
            return tuple(replace(segment, text=None, text_origin=None) for segment in segments)
        timed, whole = self._manifest_text()
        segments = fill(segments, lambda clips: from_cues(clips, timed), "manifest")
        segments = fill(segments, lambda clips: from_plain(clips, whole), "manifest")
        segments = fill(segments, lambda clips: from_cues(clips, self.subtitles), "sidecar")
        segments = fill(segments, lambda clips: from_cues(clips, self.elan), "sidecar")
        segments = fill(segments, self._plain_words, "sidecar")
        return fill(segments, self._embedded_words, "embedded")

    def _manifest(self) -> tuple[Segment, ...]:
        entries, duration = self.evidence.entries, self.evidence.duration_ms
        cut = from_manifest(entries, duration)
        if entries and not cut.segments:
            raise StageFailure(
                STAGE,
                f"all {len(entries)} manifest rows start past the end of the file "
                f"({duration / 1000:g} s); start and end are seconds from its beginning",
            )
        return self._kept(cut, "manifest rows")

    def _sidecar(self) -> tuple[Segment, ...]:
        duration = self.evidence.duration_ms
        return self._kept(
            from_sidecar(self.subtitles, duration, "sidecar"), "subtitle cues"
        ) or self._kept(from_sidecar(self.elan, duration, "eaf"), "ELAN annotations")

    def _speech(self) -> tuple[Segment, ...]:
        if not self.evidence.has_audio:
            return ()
        return from_speech(self.evidence.speech(), self.evidence.duration_ms)

    def _manifest_text(self) -> tuple[list[Cue], str]:
        """The manifest's transcripts: those with bounds as cues, the others as one text."""
        timed, whole = [], []
        for entry in self.evidence.entries:
            if entry.text is not None and (entry.start_ms, entry.end_ms) == (None, None):
                whole.append(entry.text)
            elif entry.text is not None:
                span = entry_span(entry, self.evidence.duration_ms)
                timed.append(Cue(*span, entry.text, entry.speaker))
        return timed, " ".join(whole)

    def _plain_words(self, clips: Sequence[Segment]) -> list[Words]:
        path = self.evidence.sidecars.text
        if path is None:
            return [None] * len(clips)
        words = from_plain(clips, read_text(path))
        if not any(words):
            self.notes.append(f"{path.name!r} not used: it needs one line a clip ({len(clips)})")
        return words

    def _embedded_words(self, clips: Sequence[Segment]) -> list[Words]:
        return from_cues(clips, parse_subtitles(self.evidence.embedded() or "").cues)

    def _noted(self, path: Path, track: CueTrack) -> tuple[Cue, ...]:
        if track.dropped:
            self.notes.append(f"{path.name!r}: {track.dropped} cues without text or length dropped")
        if not track.cues:
            self.notes.append(f"{path.name!r} has no cues")
        return track.cues

    def _kept(self, cut: Cut, what: str) -> tuple[Segment, ...]:
        if cut.dropped:
            self.notes.append(f"{cut.dropped} {what} past the end of the file or double dropped")
        return cut.segments

    def _fail(self, reason: str) -> NoReturn:
        mode = self.settings.segment
        raise StageFailure(STAGE, f"--segment {mode}: {reason}; use --segment auto or windows")
