"""Runs ffmpeg with several output pipes and reads them as the bytes come.

No output waits for another: a file may hold its sound far from its pictures, and a reader that
insisted on one of them would wait forever for an ffmpeg that is stuck writing the other. Memory
stays bounded because nothing is read before the caller asks for it.
"""

import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from annotator.errors import EnvironmentFault, StageFailure
from annotator.media.binaries import ffmpeg_path

STALL_S = 60.0  # without a byte: even a keyframe interval of slow 8K video takes less
READ_BYTES = 1 << 16  # what a Linux pipe holds; larger reads or pipes gained nothing measurable
KEPT_ERROR_BYTES = 8192  # of what ffmpeg says last; a broken file can make it say gigabytes
GLOBAL_ARGUMENTS = ("-nostdin", "-hide_banner", "-v", "error")

_ORIGIN = re.compile(r"^(\[[^\]]*\]\s*)+")  # "[h264 @ 0x55d0c0] "


class FFmpeg:
    """One run of ffmpeg, a context manager; leaving it kills the process and reaps it.

    Args:
        arguments: given the outputs' URLs, returns ffmpeg's arguments.
        outputs: how many pipes the arguments write to.
        stage: named by the failures.
        limit_s: how long ffmpeg may be waited for in all; the caller's own time does not count.

    Raises:
        EnvironmentFault: there is no ffmpeg, or it cannot be started.
    """

    def __init__(
        self,
        arguments: Callable[[Sequence[str]], list[str]],
        *,
        outputs: int,
        stage: str,
        limit_s: float,
    ) -> None:
        self._stage = stage
        self._limit_s = limit_s
        self._waited_s = 0.0
        self._said = b""
        pipes = [os.pipe() for _ in range(outputs + 1)]  # the last one for its errors
        writing = [pipe[1] for pipe in pipes]
        self._reading = [pipe[0] for pipe in pipes]
        try:
            urls = [f"pipe:{fd}" for fd in writing[:-1]]
            self._process = _start(arguments(urls), writing[:-1], errors=writing[-1])
        except BaseException:
            _close(self._reading)
            raise
        finally:
            _close(writing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        _close(self._reading)

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Yield (output number, bytes) as they come, until all outputs end.

        Raises:
            StageFailure: ffmpeg gave nothing for `STALL_S`, or took longer than `limit_s`.
        """
        errors = self._reading[-1]
        with selectors.DefaultSelector() as selector:
            for number, fd in enumerate(self._reading):
                selector.register(fd, selectors.EVENT_READ, number)
            while selector.get_map():
                for fd, number in self._ready(selector):
                    data = os.read(fd, READ_BYTES)
                    if not data:
                        selector.unregister(fd)
                    elif fd == errors:
                        self._said = (self._said + data)[-KEPT_ERROR_BYTES:]
                    else:
                        yield number, data

    def complaint(self) -> str | None:
        """What went wrong, if anything did: ffmpeg's last words; call after `read` has ended.

        Raises:
            StageFailure: ffmpeg closed its outputs and does not end.
        """
        try:
            status = self._process.wait(STALL_S)
        except subprocess.TimeoutExpired as error:
            raise StageFailure(self._stage, f"ffmpeg did not end within {STALL_S:g} s") from error
        words = last_words(self._said)
        if status < 0:
            return f"ffmpeg was killed by signal {-status}" + (f": {words}" if words else "")
        if status and not words:
            return f"ffmpeg ended with status {status}"
        return words

    def succeeded(self) -> bool:
        """Whether ffmpeg ended without an error status; call after `complaint`."""
        return self._process.returncode == 0

    def _ready(self, selector: selectors.BaseSelector) -> list[tuple[int, int]]:
        """The (file descriptor, number) of the pipes that can be read."""
        began = time.monotonic()
        ready = selector.select(min(STALL_S, max(0.0, self._limit_s - self._waited_s)))
        self._waited_s += time.monotonic() - began
        if not ready:
            late = self._waited_s >= self._limit_s
            limit = (
                f"took over {self._limit_s:.0f} s" if late else f"gave nothing for {STALL_S:g} s"
            )
            raise StageFailure(self._stage, f"ffmpeg {limit}: the file is broken or the disk hangs")
        return [(key.fd, key.data) for key, _ in ready]


def last_words(said: bytes) -> str | None:
    r"""The last line that ffmpeg wrote, without the address of the part that wrote it.

    >>> last_words(b"[mov @ 0x1] moov atom not found\n[h264 @ 0x55d0] error while decoding MB 4\n")
    'error while decoding MB 4'
    """
    lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
    told = [_ORIGIN.sub("", line) for line in lines if line]
    return told[-1] if told else None


def _start(arguments: list[str], pass_fds: Sequence[int], errors: int) -> subprocess.Popen[bytes]:
    program = ffmpeg_path()
    try:
        return subprocess.Popen(
            [program, *GLOBAL_ARGUMENTS, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=pass_fds,
            process_group=0,  # Ctrl-C asks this program to finish its clip; ffmpeg must not hear it
        )
    except OSError as error:
        raise EnvironmentFault(
            f"{program} cannot be started ({error.strerror}): `annotate doctor` says what is wrong"
        ) from error


def _close(descriptors: Sequence[int]) -> None:
    for fd in descriptors:
        os.close(fd)
