"""Turn speech regions into clips: bridge pauses, join the short, split the long, pad.

The regions come from a voice activity detector, as (start, end) in milliseconds.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from annotator.corpus.segment import MIN_MS
from annotator.types import Bounds, Segment

MAX_MS = 15_000  # longer turns change their emotion; MAX_STEPS covers 10 to 20 s of most features
MERGE_GAP_MS = 300  # shorter pauses lie inside a phrase
PAD_MS = 100  # speech detectors cut the first and last consonant


def from_speech(
    regions: Iterable[Bounds],
    duration_ms: int,
    *,
    min_ms: int = MIN_MS,
    max_ms: int = MAX_MS,
    gap_ms: int = MERGE_GAP_MS,
    pad_ms: int = PAD_MS,
) -> tuple[Segment, ...]:
    """Turn speech regions into clips that cover all speech and do not overlap.

    Pauses under `gap_ms` are bridged; a clip under `min_ms` joins its nearer neighbour within
    `min_ms`; one over `max_ms` is split at its largest pause, else evenly; then each is padded
    by `pad_ms` a side, a short one to `min_ms`, at most to the middle of the pause beside it;
    what one side has no room for goes to the other. So a clip is at most `max_ms` long, and
    under `min_ms` only at an end of the file.

    >>> clips = from_speech([(0, 900), (1_100, 2_000), (8_000, 8_400)], 60_000)
    >>> [(clip.start_ms, clip.end_ms) for clip in clips]
    [(0, 2200), (7700, 8700)]
    """
    if max_ms < 2 * (min_ms + pad_ms):
        raise ValueError(f"max_ms must be at least 2 (min_ms + pad_ms), got {max_ms}")
    pieces = [[span] for span in merge_spans(regions, duration_ms)]
    if not pieces:
        return ()
    pieces = _bridge(pieces, gap_ms)
    pieces = _absorb_short(pieces, min_ms)
    spans = [span for piece in pieces for span in _split_long(piece, max_ms - 2 * pad_ms, min_ms)]
    return tuple(
        Segment(start, end, "vad") for start, end in _pad(spans, duration_ms, pad_ms, min_ms)
    )


def merge_spans(spans: Iterable[Bounds], duration_ms: int) -> list[Bounds]:
    """The union of spans inside the file: sorted, apart from each other, none empty.

    >>> merge_spans([(5, 9), (0, 6), (8, 99), (3, 3)], 50)
    [(0, 50)]
    """
    merged: list[Bounds] = []
    for start, end in sorted((max(start, 0), min(end, duration_ms)) for start, end in spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _bridge(pieces: list[list[Bounds]], gap_ms: int) -> list[list[Bounds]]:
    """Join neighbours with a pause shorter than `gap_ms`; a piece keeps its spans."""
    joined: list[list[Bounds]] = []
    for piece in pieces:
        if joined and piece[0][0] - joined[-1][-1][1] < gap_ms:
            joined[-1] = joined[-1] + piece
        else:
            joined.append(piece)
    return joined


def _absorb_short(pieces: list[list[Bounds]], min_ms: int) -> list[list[Bounds]]:
    """Join each piece shorter than `min_ms` to its nearer neighbour less than `min_ms` away."""
    done: list[list[Bounds]] = []
    waiting = pieces[::-1]
    while waiting:
        piece = waiting.pop()
        before = piece[0][0] - done[-1][-1][1] if done else min_ms
        after = waiting[-1][0][0] - piece[-1][1] if waiting else min_ms
        if piece[-1][1] - piece[0][0] >= min_ms or min(before, after) >= min_ms:
            done.append(piece)
        elif before <= after:
            waiting.append(done.pop() + piece)
        else:
            waiting[-1] = piece + waiting[-1]
    return done


def _split_long(piece: Sequence[Bounds], limit_ms: int, min_ms: int) -> list[Bounds]:
    """Bounds of the parts of a piece, each at most `limit_ms` and, if it can be, `min_ms` long."""
    todo, parts = [list(piece)], []
    while todo:
        spans = todo.pop()
        start, end = spans[0][0], spans[-1][1]
        if end - start <= limit_ms:
            parts.append((start, end))
            continue
        cuts = [
            (after[0] - before[1], index)
            for index, (before, after) in enumerate(pairwise(spans), 1)
            if before[1] - start >= min_ms and end - after[0] >= min_ms
        ]
        if cuts:
            _, index = max(cuts)
            todo += [spans[index:], spans[:index]]
        else:
            parts += _evenly(start, end, limit_ms)
    return parts


def _evenly(start: int, end: int, limit_ms: int) -> list[Bounds]:
    count = -(-(end - start) // limit_ms)
    return list(pairwise(start + (end - start) * i // count for i in range(count + 1)))


def _pad(spans: list[Bounds], duration_ms: int, pad_ms: int, min_ms: int) -> list[Bounds]:
    """Widen spans into the silence around them, at most to the middle of each pause."""
    middles = [(before[1] + after[0]) // 2 for before, after in pairwise(spans)]
    padded: list[Bounds] = []
    for (start, end), low, high in zip(spans, [0, *middles], [*middles, duration_ms], strict=True):
        want = max(2 * pad_ms, min_ms - (end - start))  # both sides together
        left = min(start - low, want // 2)
        right = min(high - end, want - left)
        left = min(start - low, want - right)  # what the right had no room for
        padded.append((start - left, end + right))
    return padded
