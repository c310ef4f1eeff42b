"""Give clips their words: from the manifest, a sidecar or the embedded track.

A clip takes its text from the first of these that has words for it, so that one file may mix
them; the embedded track is only asked for when clips are still without text.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from annotator.corpus.cues import Cue, clean_text
from annotator.corpus.segment import overlap_ms
from annotator.types import Segment

# A source of text: given the clips, the (text, speaker) of each, or None where it has none.
Words = tuple[str, str | None] | None
TextSource = Callable[[Sequence[Segment]], Sequence[Words]]


def fill(segments: Sequence[Segment], source: TextSource, origin: str) -> tuple[Segment, ...]:
    """Give the segments that have no text the text that a source has for them.

    The source is not called when every segment has text.
    """
    if all(segment.text is not None for segment in segments):
        return tuple(segments)
    return tuple(
        replace(
            segment,
            text=words[0],
            text_origin=origin,
            speaker=segment.speaker or words[1],
        )
        if words and segment.text is None
        else segment
        for segment, words in zip(segments, source(segments), strict=True)
    )


def from_cues(segments: Sequence[Segment], cues: Iterable[Cue]) -> list[Words]:
    """Give each cue's text to the one segment it overlaps most, so that no word is said twice.

    Of equal overlaps the shorter segment wins: where clips were cut from cues it is the cue's
    own. Segments come in order of start; the speaker is theirs who speaks alone in the clip.

    >>> clips = [Segment(0, 1000, "vad"), Segment(1000, 2000, "vad")]
    >>> from_cues(clips, [Cue(0, 400, "a", "Ann"), Cue(600, 1300, "b", "Ann")])
    [('a b', 'Ann'), None]
    """
    said: list[list[Cue]] = [[] for _ in segments]
    starts = [segment.start_ms for segment in segments]
    longest = max((segment.end_ms - segment.start_ms for segment in segments), default=0)
    for cue in cues:
        first = bisect_right(starts, cue.start_ms - longest)
        last = bisect_right(starts, cue.end_ms)
        best = max(range(first, last), key=lambda i: _fit(segments[i], cue), default=None)
        if best is not None and _fit(segments[best], cue)[0] > 0:
            said[best].append(cue)
    return [_together(cues) if cues else None for cues in said]


def _fit(segment: Segment, cue: Cue) -> tuple[int, int]:
    """How well a cue fits a segment: overlap, then the shorter segment."""
    shared = overlap_ms(segment, cue.start_ms, cue.end_ms)
    return shared, segment.start_ms - segment.end_ms


def from_plain(segments: Sequence[Segment], text: str) -> list[Words]:
    r"""A plain transcript: for one clip the whole text, for several a line each.

    Where lines and clips do not match in number nobody can say which words are whose, so none
    is given. Blank lines do not count.

    >>> from_plain([Segment(0, 9, "file")], "Two\nlines")
    [('Two lines', None)]
    """
    lines = [line for line in map(clean_text, text.splitlines()) if line]
    if len(segments) == 1 and lines:
        return [(" ".join(lines), None)]
    if len(lines) == len(segments):
        return [(line, None) for line in lines]
    return [None] * len(segments)


def _together(cues: Sequence[Cue]) -> Words:
    speakers = {cue.speaker for cue in cues}
    return " ".join(cue.text for cue in cues), speakers.pop() if len(speakers) == 1 else None
