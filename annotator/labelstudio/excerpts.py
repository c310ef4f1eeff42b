"""The excerpts that people review, each made once and kept under the name of its sample.

A file says itself what it was made from and how, in its comment: whatever changed since, it is
made anew, and no second file can disagree with it.
"""

import fcntl
import json
import os
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from zlib import crc32

from annotator.errors import EnvironmentFault, StageFailure
from annotator.media.excerpt import CONTEXT_MS, MAX_SIDE, Excerpt, clip_within, cut
from annotator.media.local import LocalMedia
from annotator.media.probe import comment, probe
from annotator.types import MediaInfo

VERSION = 1  # of how excerpts are made; raise it when `media.excerpt` makes other ones
SAMPLE_ID = re.compile(r"[0-9a-z-]{8,64}")
LOCKS = 64  # files that stand for all samples: one each would double the folder
DRAFT_AGE_S = 24 * 3600.0  # of a draft whose process must have died


@dataclass(frozen=True, slots=True)
class ExcerptRequest:
    """A clip to make an excerpt of.

    `content` says what the file holds, such as its hash: another content is another excerpt.

    Raises:
        ValueError: the sample's id cannot be a file's name, or the bounds are no span of time.
    """

    sample_id: str
    path: Path
    content: str
    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        file_name(self.sample_id)
        if not 0 <= self.start_ms < self.end_ms:
            raise ValueError(f"a clip needs 0 <= start < end, got {self.start_ms}, {self.end_ms}")


@dataclass(frozen=True, slots=True)
class ExcerptResult:
    """An excerpt, or why there is none; `made` is false for one that was there already."""

    request: ExcerptRequest
    excerpt: Excerpt | None
    failure: StageFailure | None = None
    made: bool = False


def file_name(sample_id: str) -> str:
    """The name of a sample's file.

    >>> file_name("0f3c-77aa")
    '0f3c-77aa.mp4'

    Raises:
        ValueError: it is not 8 to 64 of 0-9, a-z and -.
    """
    if not SAMPLE_ID.fullmatch(sample_id):
        raise ValueError(f"a sample's id is 8 to 64 of 0-9, a-z and -, got {sample_id!r}")
    return f"{sample_id}.mp4"


class ExcerptCache:
    """The folder of excerpts; several processes may use it at once.

    Args:
        folder: made if it is not there.
        context_ms: shown before and after each clip.
        max_side: pixels of the longer side at most.

    Raises:
        EnvironmentFault: the folder cannot be made.
    """

    def __init__(
        self, folder: Path, *, context_ms: int = CONTEXT_MS, max_side: int = MAX_SIDE
    ) -> None:
        self.folder = folder
        self._context_ms = context_ms
        self._max_side = max_side
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
        except OSError as error:
            raise EnvironmentFault(
                f"the folder of excerpts {folder} cannot be used ({error.strerror}): make it a "
                "folder that can be written to"
            ) from error

    def get(self, request: ExcerptRequest) -> ExcerptResult:
        """The excerpt, made if it is not there or was made otherwise.

        Raises:
            EnvironmentFault: the folder cannot be written, or there is no fit ffmpeg.
        """
        with LocalMedia(request.path) as media:
            return self._get(request, media)

    def _get(self, request: ExcerptRequest, media: LocalMedia) -> ExcerptResult:
        try:
            path = media.path
            info = _probed(path, *_state(path))
            found = self._found(request, info)
            if found:
                return ExcerptResult(request, found)
            with self._locked(request.sample_id):
                found = self._found(request, info)  # another process may have made it meanwhile
                made = None if found else self._cut(request, path, info)
        except StageFailure as failure:
            return ExcerptResult(request, None, failure)
        return ExcerptResult(request, found or made, made=found is None)

    def make(
        self, requests: Iterable[ExcerptRequest], *, workers: int = 2
    ) -> Iterator[ExcerptResult]:
        """`get` for each, `workers` at a time, in the order asked; a failure is a result.

        A file that lies elsewhere is fetched once for requests that follow each other, and those of
        the next file wait until these are made. Closing the iterator leaves out what was not begun.

        Raises:
            ValueError: no workers.
            EnvironmentFault: as for `get`; it would hit every clip.
        """
        if workers < 1:
            raise ValueError(f"one worker at least, got {workers}")
        pool = ThreadPoolExecutor(workers, thread_name_prefix="excerpt")  # the work is ffmpeg's
        ahead: deque[Future[ExcerptResult]] = deque()
        try:
            for path, ours in groupby(requests, key=lambda request: request.path):
                with LocalMedia(path) as media:
                    for request in ours:
                        ahead.append(pool.submit(self._get, request, media))
                        if len(ahead) > 2 * workers:
                            yield ahead.popleft().result()
                    while media.is_elsewhere and ahead:
                        yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _found(self, request: ExcerptRequest, info: MediaInfo) -> Excerpt | None:
        """The file that is there, if it was made from this and like this."""
        out = self.folder / file_name(request.sample_id)
        try:
            if out.is_symlink() or comment(out) != self._note(request):
                return None
            duration_ms = probe(out).duration_ms
        except StageFailure:
            return None  # not there, or no file of ours
        start_ms, end_ms = clip_within(info, request.start_ms, request.end_ms, self._context_ms)
        return Excerpt(out, duration_ms, start_ms, min(end_ms, duration_ms))

    def _cut(self, request: ExcerptRequest, media: Path, info: MediaInfo) -> Excerpt:
        return cut(
            media,
            info,
            request.start_ms,
            request.end_ms,
            self.folder / file_name(request.sample_id),
            context_ms=self._context_ms,
            max_side=self._max_side,
            note=self._note(request),
        )

    def _note(self, request: ExcerptRequest) -> str:
        """All that decides what the file holds; not the path, which reviewers need not see."""
        return json.dumps(
            {
                "version": VERSION,
                "content": request.content,
                "start_ms": request.start_ms,
                "end_ms": request.end_ms,
                "context_ms": self._context_ms,
                "max_side": self._max_side,
            }
        )

    @contextmanager
    def _locked(self, sample_id: str) -> Iterator[None]:
        """Nobody else makes this sample's file meanwhile; the lock dies with its process."""
        lock = self.folder / f".lock-{crc32(sample_id.encode()) % LOCKS}"
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot write {lock} ({error.strerror}): make its folder writable"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _state(path: Path) -> tuple[int, int]:
    """The file's size and when it was last written, nanoseconds."""
    try:
        found = path.stat()
    except OSError as error:
        raise StageFailure("probe", f"cannot read the file: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=256)
def _probed(path: Path, _size: int, _changed_ns: int) -> MediaInfo:
    """`probe`, once for all clips of a file: some must be read through."""
    return probe(path)


def _sweep(folder: Path) -> None:
    """Remove drafts that were left by processes that died."""
    for draft in folder.glob(".*.mp4.*"):
        if time.time() - draft.lstat().st_mtime > DRAFT_AGE_S:
            draft.unlink(missing_ok=True)
