"""A clip cut from a file, to be watched in a browser: H.264 and AAC in an mp4.

Every browser plays that and none plays all that a corpus holds. The pictures are encoded anew in
any case: a cut without that starts at a keyframe, up to seconds away from where it was asked for.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from annotator.errors import EnvironmentFault, StageFailure
from annotator.media.binaries import h264_encoder
from annotator.media.command import Span
from annotator.media.excerpt_command import Recipe, byte_limit, excerpt_arguments
from annotator.media.probe import probe
from annotator.media.process import FFmpeg
from annotator.types import MediaInfo

STAGE = "excerpt"
CONTEXT_MS = 500  # shown before and after a clip: a word or a smile does not begin at a cut
MAX_SIDE = 1280  # pixels
MAX_CLIP_MS = 3600 * 1000  # nobody judges an hour at once
LIMIT_S = 120.0  # that ffmpeg may take however short the clip
LIMIT_PER_SECOND = 40.0  # and for each second of it: decoding 4K on an old core, then encoding


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A file to watch; times are milliseconds from its start.

    `warning` is ffmpeg's last complaint when it was made, if part of the source is broken.
    """

    path: Path
    duration_ms: int
    clip_start_ms: int
    clip_end_ms: int
    warning: str | None = None


def cut(
    path: Path,
    info: MediaInfo,
    start_ms: int,
    end_ms: int,
    out: Path,
    *,
    context_ms: int = CONTEXT_MS,
    max_side: int = MAX_SIDE,
    note: str = "",
) -> Excerpt:
    """Write the clip `[start_ms, end_ms)` of a file, with some context, as an mp4 to `out`.

    `out` is replaced once all is written and on disk; until then it stays as it was. Sound without
    pictures is shown as its wave form; pictures without sound stay silent.

    Args:
        path: the file.
        info: what `probe` said of it.
        start_ms: from the start of the file.
        end_ms: likewise; what lies behind the file's end is left out.
        out: the file to write, in a folder that is there.
        context_ms: shown before and after, as far as the file has it.
        max_side: pixels of the longer side at most; pictures are never enlarged.
        note: written into the file as its comment.

    Raises:
        ValueError: the bounds are no span of time.
        StageFailure: nothing could be decoded there, the clip is too long, or ffmpeg hangs.
        EnvironmentFault: there is no ffmpeg that can encode H.264, or `out` cannot be written.
    """
    span, clip = _spans(info, Span(start_ms, end_ms), context_ms)
    recipe = Recipe(h264_encoder(), max_side, note)
    with _draft(out) as draft:
        warning = _encode(path, info, span, draft, recipe)
        duration_ms = _checked(draft, clip, warning)
    return Excerpt(
        path=out,
        duration_ms=duration_ms,
        clip_start_ms=clip.start_ms,
        clip_end_ms=min(clip.end_ms, duration_ms),
        warning=warning,
    )


def clip_within(info: MediaInfo, start_ms: int, end_ms: int, context_ms: int) -> tuple[int, int]:
    """Where a clip starts and ends within its excerpt, if the excerpt is complete.

    >>> clip_within(MediaInfo("mov", 10_000, None, None), 200, 9_000, 500)
    (200, 9000)
    >>> clip_within(MediaInfo("mov", 10_000, None, None), 3_000, 4_000, 500)
    (500, 1500)
    """
    clip = _spans(info, Span(start_ms, end_ms), context_ms)[1]
    return clip.start_ms, clip.end_ms


def _spans(info: MediaInfo, asked: Span, context_ms: int) -> tuple[Span, Span]:
    """The part of the file to cut, and the clip within that part."""
    if context_ms < 0:
        raise ValueError(f"context is 0 ms or more, got {context_ms}")
    if asked.start_ms >= info.duration_ms:
        raise StageFailure(
            STAGE,
            f"the clip starts at {asked.start_ms / 1000:g} s, but the file ends at "
            f"{info.duration_ms / 1000:g} s",
        )
    end_ms = min(asked.end_ms, info.duration_ms)
    if end_ms - asked.start_ms > MAX_CLIP_MS:
        minutes = MAX_CLIP_MS // 60_000
        raise StageFailure(STAGE, f"the clip is over {minutes} minutes long; cut it into shorter")
    start = max(0, asked.start_ms - context_ms)
    whole = Span(start, min(info.duration_ms, end_ms + context_ms))
    return whole, Span(asked.start_ms - start, end_ms - start)


def _encode(path: Path, info: MediaInfo, span: Span, draft: Path, recipe: Recipe) -> str | None:
    """Run ffmpeg; its progress is read only to see that it lives. Returns its complaint."""
    with FFmpeg(
        lambda urls: excerpt_arguments(path, info, span, draft, urls[0], recipe),
        outputs=1,
        stage=STAGE,
        limit_s=LIMIT_S + LIMIT_PER_SECOND * span.duration_ms / 1000,
    ) as process:
        for _ in process.read():
            pass
        complaint = process.complaint()
        succeeded = process.succeeded()
    if not succeeded:
        if complaint and os.strerror(errno.ENOSPC) in complaint:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise StageFailure(STAGE, f"ffmpeg could not make it: {complaint}")
    if draft.stat().st_size >= byte_limit(span):
        raise StageFailure(STAGE, f"it grew over {byte_limit(span) >> 20} MiB and was given up")
    return complaint


def _checked(draft: Path, clip: Span, warning: str | None) -> int:
    """The duration of what was written, which holds pictures and reaches into the clip."""
    why = f": {warning}" if warning else ""
    try:
        made = probe(draft)
    except StageFailure as error:
        raise StageFailure(STAGE, f"nothing could be decoded there{why}") from error
    if made.video is None:
        raise StageFailure(STAGE, f"no picture could be decoded there{why}")
    if made.duration_ms <= clip.start_ms:
        raise StageFailure(STAGE, f"the file's streams end before the clip starts{why}")
    return made.duration_ms


@contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A name beside `out` to write to, put in its place when all went well."""
    draft = out.with_name(f".{out.name}.{uuid4().hex}")
    try:
        draft.touch(exist_ok=False)  # a folder that cannot be written to is no fault of the clip
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(out)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write {out} ({error.strerror}): make room, or use another folder"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
