"""Cut a file into clips: pure functions from what is known of it to segments.

Every segment lies in the file: 0 <= start < end <= duration. No two segments of a file have
the same bounds. Only segments people gave (subtitles, ELAN, manifest) may overlap.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from annotator.corpus.cues import Cue
from annotator.corpus.manifest import ManifestEntry
from annotator.types import Bounds, Segment

WINDOW_MS = 10_000  # of fixed windows
MIN_MS = 1_000  # below a second a face or a voice says little


@dataclass(frozen=True, slots=True)
class Cut:
    """Segments in order of time, and how many given bounds lay outside the file."""

    segments: tuple[Segment, ...]
    dropped: int = 0


def whole_file(duration_ms: int) -> tuple[Segment, ...]:
    """The file as one clip.

    >>> whole_file(10)[0].end_ms
    10
    """
    return (Segment(0, duration_ms, "file"),)


def windows(
    duration_ms: int, length_ms: int = WINDOW_MS, min_ms: int = MIN_MS
) -> tuple[Segment, ...]:
    """Windows of one length, end to end; a tail shorter than `min_ms` joins the last.

    >>> [(clip.start_ms, clip.end_ms) for clip in windows(20_400)]
    [(0, 10000), (10000, 20400)]
    """
    if length_ms <= 0:
        raise ValueError(f"a window must be longer than 0 ms, got {length_ms}")
    starts = list(range(0, duration_ms, length_ms))
    if len(starts) > 1 and duration_ms - starts[-1] < min(min_ms, length_ms):
        starts.pop()
    return tuple(Segment(start, end, "windows") for start, end in pairwise([*starts, duration_ms]))


def from_sidecar(cues: Iterable[Cue], duration_ms: int, origin: str) -> Cut:
    """One clip a cue with its text; cues over the end are clamped, cues past it dropped.

    Cues with the same bounds (two people in a WebVTT) become one clip with both texts.
    `origin` is "sidecar" or "eaf".
    """
    merged: dict[Bounds, Cue] = {}
    dropped = 0
    for cue in cues:
        if cue.start_ms >= duration_ms:
            dropped += 1
            continue
        span = (cue.start_ms, min(cue.end_ms, duration_ms))
        merged[span] = _join(merged[span], cue) if span in merged else cue
    segments = (
        Segment(*span, origin, text=cue.text, text_origin="sidecar", speaker=cue.speaker)
        for span, cue in sorted(merged.items())
    )
    return Cut(tuple(segments), dropped)


def _join(first: Cue, second: Cue) -> Cue:
    speaker = first.speaker if first.speaker == second.speaker else None
    return replace(first, text=f"{first.text} {second.text}", speaker=speaker)


def from_manifest(entries: Iterable[ManifestEntry], duration_ms: int) -> Cut:
    """One clip an entry; a missing start is the file's start, a missing end its end.

    Entries over the end are clamped. Dropped and counted are entries past the end, and those
    with the bounds of an earlier one once clamped.
    """
    segments: dict[Bounds, Segment] = {}
    dropped = 0
    for entry in entries:
        span = entry_span(entry, duration_ms)
        if span[0] >= duration_ms or span in segments:
            dropped += 1
            continue
        segments[span] = Segment(
            *span,
            "manifest",
            text=entry.text,
            text_origin="manifest" if entry.text else None,
            speaker=entry.speaker,
            split=entry.split,
            labels=entry.labels,
        )
    return Cut(tuple(segment for _, segment in sorted(segments.items())), dropped)


def stated(segments: Sequence[Segment]) -> tuple[ManifestEntry, ...]:
    """The entries that give these clips of a file again; none if no manifest said anything of it.

    >>> stated([Segment(0, 900, "manifest", split="test"), Segment(900, 999, "vad")])[0].split
    'test'
    >>> stated([Segment(0, 900, "vad", speaker="ann")])
    ()
    """
    if not any(_is_stated(segment) for segment in segments):
        return ()
    return tuple(
        ManifestEntry(
            start_ms=segment.start_ms,
            end_ms=segment.end_ms,
            text=segment.text if segment.text_origin == "manifest" else None,
            speaker=segment.speaker,
            split=segment.split,
            labels=segment.labels,
        )
        for segment in segments
    )


def _is_stated(segment: Segment) -> bool:
    """Whether a manifest has said anything of a clip; a speaker may be a subtitle's."""
    by_manifest = "manifest" in (segment.origin, segment.text_origin)
    return by_manifest or segment.split is not None or bool(segment.labels)


def entry_span(entry: ManifestEntry, duration_ms: int) -> Bounds:
    """The bounds of an entry in a file of that length; past its end, start >= end."""
    end = duration_ms if entry.end_ms is None else min(entry.end_ms, duration_ms)
    return (entry.start_ms or 0, end)


def overlap_ms(segment: Segment, start_ms: int, end_ms: int) -> int:
    """How long a segment and a span are in common; 0 or less if they are not."""
    return min(segment.end_ms, end_ms) - max(segment.start_ms, start_ms)


def names_clip(entry: ManifestEntry) -> bool:
    """Whether a row speaks of a clip rather than only listing a file.

    A row without bounds but with a transcript or labels describes the file as a whole:
    cutting it would tear them from what they describe.
    """
    has_bounds = entry.start_ms is not None or entry.end_ms is not None
    return has_bounds or entry.text is not None or bool(entry.labels)


def described(segment: Segment, entries: Sequence[ManifestEntry], duration_ms: int) -> Segment:
    """A clip with what the entry covering at least half of it says of it.

    The split also comes from entries elsewhere in the file if they agree: one file must not
    be torn between training and test.
    """
    overlap, index = max(
        (overlap_ms(segment, *entry_span(entry, duration_ms)), -i)
        for i, entry in enumerate(entries)
    )
    splits = {entry.split for entry in entries}
    if 2 * overlap < segment.end_ms - segment.start_ms:
        return replace(segment, split=splits.pop() if len(splits) == 1 else None)
    entry = entries[-index]
    return replace(
        segment,
        speaker=segment.speaker or entry.speaker,
        split=entry.split,
        labels=entry.labels,
    )
