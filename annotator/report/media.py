"""Clips to look at within the page: a still and a small film each, within a number of bytes."""

import os
import tempfile
from base64 import b64encode
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2

from annotator.errors import EnvironmentFault, StageFailure
from annotator.media.decode import Frame, decode
from annotator.media.excerpt import cut
from annotator.media.local import LocalMedia
from annotator.media.probe import probe
from annotator.types import Bounds, MediaInfo

BUDGET = 12 << 20  # bytes of media in a page; as data URIs a third more
MAX_SIDE = 320  # pixels
LONGEST_MS = 15_000  # of a film; the rest of a longer clip is left out
STILL_FPS = 5.0
JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Shown:
    """Data URIs of a clip, and why one of them is not there."""

    still: str | None = None
    film: str | None = None
    lacking: str | None = None


@dataclass(frozen=True, slots=True)
class _Made:
    still: bytes | None = None
    film: bytes | None = None
    lacking: str | None = None


class Projector:
    """Makes stills and films, some at a time, while the rest of the report is gathered.

    A context manager: leaving it drops what was not begun.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._left = budget
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, "film")  # the work is ffmpeg's

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, clips: Iterable[tuple[Path, Bounds]]) -> list[Future[_Made]]:
        """Have clips made, in their order."""
        return [self._pool.submit(_make, path, bounds) for path, bounds in clips]

    def shown(self, making: Future[_Made]) -> Shown:
        """A clip's still and film; what could not be made or has no room is missing."""
        made = making.result()
        still = self._take("image/jpeg", made.still)
        film = self._take("video/mp4", made.film)
        full = None if film or made.lacking else "left out: the page has no room for more films"
        return Shown(still, film, made.lacking or full)

    def _take(self, kind: str, content: bytes | None) -> str | None:
        if content is None or len(content) > self._left:
            return None
        self._left -= len(content)
        return f"data:{kind};base64,{b64encode(content).decode()}"


def _make(path: Path, bounds: Bounds) -> _Made:
    """Both of a clip, or the reason why not."""
    try:
        with LocalMedia(path) as media:
            info = probe(media.path)
            return _Made(_still(media.path, info, bounds), _film(media.path, info, bounds))
    except (StageFailure, EnvironmentFault) as error:
        return _Made(lacking=str(error))


def _film(path: Path, info: MediaInfo, bounds: Bounds) -> bytes:
    start, end = bounds
    with tempfile.TemporaryDirectory(prefix="annotate-report-") as folder:
        out = Path(folder) / "clip.mp4"
        end = min(end, start + LONGEST_MS)
        cut(path, info, start, end, out, context_ms=0, max_side=MAX_SIDE)
        return out.read_bytes()


def _still(path: Path, info: MediaInfo, bounds: Bounds) -> bytes | None:
    """The picture in the middle of the clip as JPEG; None of sound alone."""
    if info.video is None:
        return None
    middle = sum(bounds) // 2
    pieces = decode(path, info, start_ms=middle, end_ms=middle + round(1000 / STILL_FPS),
                    fps=STILL_FPS, max_side=MAX_SIDE, want_audio=False)  # fmt: skip
    with closing(pieces):
        frame = next((piece for piece in pieces if isinstance(piece, Frame)), None)
    if frame is None:
        return None
    made, content = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return content.tobytes() if made else None
