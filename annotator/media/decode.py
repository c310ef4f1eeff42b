"""Frames and sound of a part of a file, from one ffmpeg, streaming.

Measured on 60 s of 1280×720 H.264 and AAC (benchmarks/decode.py, the least of four rounds on a busy
machine of 2 cores, give or take 0.05), as ratios to ffmpeg decoding to nothing: the whole iteration
takes 1.10 of its time, of which ffmpeg itself has 0.99; sound alone takes 0.02. Neither the
scaler's kind (area, bicubic, fast_bilinear) nor yuv420p through the pipe makes a difference at 5
frames a second, so the pictures come as bgr24, which lets ffmpeg use each file's colour matrix.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.errors import StageFailure
from annotator.media.command import Span, decode_arguments, fit
from annotator.media.process import FFmpeg
from annotator.types import MediaInfo

CHUNK_MS = 500
BYTES_PER_SAMPLE = 2
THREADS = 2  # of one ffmpeg's decoder: workers run side by side, and each thread holds frames
LIMIT_S = 120.0  # that ffmpeg may take however short the span
LIMIT_PER_SECOND = 20.0  # and for each second of it: 4K HEVC on one old core takes 10


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture on screen at a time: uint8 (height, width, 3), blue green red, read-only."""

    time_ms: int
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Mono sound from a time on: float32 (n,) in [-1, 1]."""

    start_ms: int
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DecodeReport:
    """What a decode gave; `warning` is ffmpeg's last complaint, if part of the file is broken."""

    frames: int
    samples: int
    warning: str | None


def decode(  # noqa: PLR0913  keywords, all with a default
    path: Path,
    info: MediaInfo,
    *,
    start_ms: int = 0,
    end_ms: int | None = None,
    fps: float = 5.0,
    max_side: int = 640,
    sample_rate: int = 16_000,
    want_video: bool = True,
    want_audio: bool = True,
    threads: int = THREADS,
) -> Generator[Frame | AudioChunk, None, DecodeReport]:
    """Decode frames and sound of `[start_ms, end_ms)`, interleaved roughly by time.

    Frame k is what is on screen at `start_ms` + k / `fps`, or a few frames before (`can_skip`);
    before a video's first frame, that is the first frame. Sound begins exactly at `start_ms`, with
    silence where the stream has none.
    A stream that ends early ends early here. Closing the generator ends ffmpeg.

    Args:
        path: the file.
        info: what `probe` said of it.
        start_ms: from the start of the file.
        end_ms: the file's end if None.
        fps: frames a second; rates that divide 1000 give whole milliseconds.
        max_side: pixels of the longer side at most; pictures are never enlarged.
        sample_rate: Hz.
        want_video: give frames, if the file has a video stream.
        want_audio: give sound, if the file has an audio stream.
        threads: of the video decoder; 0 lets ffmpeg take what the machine has.

    Yields:
        `Frame` and `AudioChunk`, each kind in order of time.

    Returns:
        A `DecodeReport` (the generator's return value).

    Raises:
        StageFailure: nothing could be decoded, or ffmpeg hangs.
        EnvironmentFault: there is no ffmpeg.
    """
    span = Span(start_ms, info.duration_ms if end_ms is None else end_ms)
    size = fit(info.video, max_side) if want_video and info.video else None
    rate = sample_rate if want_audio and info.audio else None
    tracks: list[_Video | _Audio] = []
    if size:
        tracks.append(_Video(start_ms, fps, size))
    if rate:
        tracks.append(_Audio(start_ms, rate))
    if not tracks:
        return DecodeReport(0, 0, None)
    with FFmpeg(
        lambda urls: decode_arguments(
            path,
            info,
            urls,
            span=span,
            fps=fps,
            size=size,
            sample_rate=rate,
            threads=threads,
        ),
        outputs=len(tracks),
        stage="decode",
        limit_s=LIMIT_S + LIMIT_PER_SECOND * span.duration_ms / 1000,
    ) as process:
        for number, data in process.read():
            yield from tracks[number].push(data)
        for track in tracks:
            yield from track.finish()
        warning = process.complaint()
    if not any(track.given for track in tracks):
        what = f"nothing could be decoded from {span.start_ms / 1000:g} s on"
        raise StageFailure("decode", f"{what}: {warning or 'the streams end earlier'}")
    return DecodeReport(
        frames=sum(track.given for track in tracks if isinstance(track, _Video)),
        samples=sum(track.given for track in tracks if isinstance(track, _Audio)),
        warning=warning,
    )


def decode_audio(
    path: Path,
    info: MediaInfo,
    *,
    start_ms: int = 0,
    end_ms: int | None = None,
    sample_rate: int = 16_000,
) -> Generator[AudioChunk, None, DecodeReport]:
    """Decode sound alone: `decode` without the pictures, at a few hundredths of its cost."""
    pieces = decode(
        path,
        info,
        start_ms=start_ms,
        end_ms=end_ms,
        sample_rate=sample_rate,
        want_video=False,
    )
    with closing(pieces):
        while True:
            try:
                piece = next(pieces)
            except StopIteration as ended:
                report: DecodeReport = ended.value
                return report
            if isinstance(piece, AudioChunk):
                yield piece


class _Records:
    """Cuts bytes that come in any portions into records of one size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = bytearray()

    def push(self, data: bytes) -> Iterator[bytes]:
        self._held += data
        while len(self._held) >= self._size:
            yield bytes(memoryview(self._held)[: self._size])
            del self._held[: self._size]

    def rest(self) -> bytes:
        return bytes(self._held)


class _Video:
    """Makes frames of the bytes of the video pipe; `given` counts them."""

    def __init__(self, start_ms: int, fps: float, size: tuple[int, int]) -> None:
        width, height = size
        self.given = 0
        self._start_ms = start_ms
        self._fps = fps
        self._shape = (height, width, 3)
        self._records = _Records(height * width * 3)

    def push(self, data: bytes) -> Iterator[Frame]:
        for record in self._records.push(data):
            time_ms = self._start_ms + round(self.given * 1000 / self._fps)
            self.given += 1
            yield Frame(time_ms, np.frombuffer(record, np.uint8).reshape(self._shape))

    def finish(self) -> Iterator[Frame]:
        return iter(())  # part of a frame is no frame


class _Audio:
    """Makes chunks of the bytes of the audio pipe; `given` counts samples."""

    def __init__(self, start_ms: int, sample_rate: int) -> None:
        self.given = 0
        self._start_ms = start_ms
        self._sample_rate = sample_rate
        self._records = _Records(sample_rate * CHUNK_MS // 1000 * BYTES_PER_SAMPLE)

    def push(self, data: bytes) -> Iterator[AudioChunk]:
        return map(self._chunk, self._records.push(data))

    def finish(self) -> Iterator[AudioChunk]:
        rest = self._records.rest()
        whole = len(rest) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        if whole:
            yield self._chunk(rest[:whole])

    def _chunk(self, record: bytes) -> AudioChunk:
        samples = np.frombuffer(record, "<i2").astype(np.float32) / 32768.0
        start_ms = self._start_ms + self.given * 1000 // self._sample_rate
        self.given += len(samples)
        return AudioChunk(start_ms, samples)
