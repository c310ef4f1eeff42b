"""ffmpeg's arguments for each thing asked of it. Nothing is run here.

Seeking: `-noaccurate_seek` starts at the keyframe before the place asked for and keeps what lies
between. The filters drop it, except for the frame that is still on screen at the start, which
ffmpeg's own accurate seek would lose. Times in the filters count from the start of the span.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg

from annotator.media.formats import FORMAT_WHITELIST, PROTOCOL_WHITELIST
from annotator.types import MediaInfo, VideoStream

MAX_PIXELS = 1 << 26  # of a picture: 8192×8192, twice an 8K frame; more is an attack on memory
MAX_ALLOC_BYTES = 1 << 29  # of one block within ffmpeg: a gap of hours is filled with silence
# Without an index of keyframes a seek lands anywhere, and nothing can be decoded before the next
# keyframe: start earlier by more than broadcasters' and cameras' keyframe intervals.
SEEK_LEAD_MS = {"mpeg": 10_000, "mpegts": 10_000, "h264": 10_000, "hevc": 10_000, "m4v": 10_000}
SKIP_RATIO = 4  # frames a sample at least, for some of them to be left out
_TURNS = {
    90: (("transpose", "clock"),),
    180: (("hflip",), ("vflip",)),
    270: (("transpose", "cclock"),),
}


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a file to decode, milliseconds from its start."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if not 0 <= self.start_ms < self.end_ms:
            raise ValueError(f"a span needs 0 <= start < end, got {self.start_ms}, {self.end_ms}")

    @property
    def duration_ms(self) -> int:
        """End less start."""
        return self.end_ms - self.start_ms

    def lead_ms(self, container: str) -> int:
        """How long before the start to seek to in a container of that kind."""
        return min(self.start_ms, SEEK_LEAD_MS.get(container, 0))


def fit(video: VideoStream, max_side: int) -> tuple[int, int]:
    """Width and height of decoded frames: even, long side at most `max_side`, never enlarged.

    >>> fit(VideoStream(0, "h264", 1280, 720, 25.0, 0), 640)
    (640, 360)
    >>> fit(VideoStream(0, "h264", 33, 1, 25.0, 0), 640)
    (32, 2)
    """
    longest = max(video.width, video.height)
    side = min(longest, max_side)
    width, height = (max(2, n * side // longest // 2 * 2) for n in (video.width, video.height))
    return width, height


def can_skip(video: VideoStream, fps: float) -> bool:
    """Whether sampling at `fps` can do without the frames that no other is made from.

    In H.264 with B-frames those are B-frames, never more than a few in a row, and nearly half of
    the work. A sample is then the last frame that was decoded: at most a few frames old. Where
    every frame may count, in slow or variable video, none is left out.

    >>> can_skip(VideoStream(0, "h264", 1280, 720, 25.0, 0, reordered=True), 5.0)
    True
    >>> can_skip(VideoStream(0, "h264", 1280, 720, 10.0, 0, reordered=True), 5.0)
    False
    """
    rate = video.fps or 0.0
    return video.codec == "h264" and video.reordered and rate >= SKIP_RATIO * fps


def input_file(
    *, span: Span | None = None, lead_ms: int = 0, threads: int = 1, skip: bool = False
) -> Any:
    """A file as ffmpeg's input, seeked to `lead_ms` before the span; `arguments` names it.

    With `skip` the frames that no other is made from are not decoded.
    """
    options: dict[str, Any] = {
        "format_whitelist": FORMAT_WHITELIST,
        "protocol_whitelist": PROTOCOL_WHITELIST,
        "max_pixels": MAX_PIXELS,
        "threads": threads,
        "noautorotate": None,  # it turns every frame, a fifth of the decode; we turn those sampled
    }
    if skip:
        options["skip_frame"] = "noref"
    if span and span.start_ms:
        options |= {
            "noaccurate_seek": None,
            "ss": (span.start_ms - lead_ms) / 1000,
            "itsoffset": -lead_ms / 1000,
        }
    return ffmpeg.input("", **options)


def video_output(source: Any, url: str, video: VideoStream, filters: str) -> Any:
    """Raw BGR frames, one after the other."""
    return ffmpeg.output(
        source[str(video.index)],
        url,
        vf=filters,
        format="rawvideo",
        pix_fmt="bgr24",
        fps_mode="passthrough",
        **_only("an", "sn", "dn"),
    )


def audio_output(source: Any, url: str, index: int, filters: str) -> Any:
    """Raw samples: 16-bit, little-endian."""
    return ffmpeg.output(
        source[str(index)], url, af=filters, format="s16le", **_only("vn", "sn", "dn")
    )


def video_filters(span: Span, fps: float, size: tuple[int, int], rotation: int) -> str:
    """Sample the frame on screen at each k/fps from the span's start, shrink it, turn it upright.

    `round=up` shows a frame only from its own time on, and gives a lone frame its one sample.

    >>> video_filters(Span(2_000, 3_000), 5.0, (640, 360), 0)
    'fps=fps=5:round=up:start_time=0,trim=end_frame=5,scale=640:360:flags=area'
    """
    width, height = size if rotation in (0, 180) else size[::-1]
    chain = (
        f"fps=fps={fps:g}:round=up:start_time=0",
        f"trim=end_frame={ceil(span.duration_ms * fps / 1000)}",
        f"scale={width}:{height}:flags=area",  # no slower than fast_bilinear here, no aliasing
        *("=".join(turn) for turn in upright(rotation)),
    )
    return ",".join(chain)


def upright(rotation: int) -> tuple[tuple[str, ...], ...]:
    """The filters, each a name and its values, that turn a picture by as many degrees clockwise.

    >>> upright(90)
    (('transpose', 'clock'),)
    """
    return _TURNS.get(rotation, ())


def audio_filters(span: Span, sample_rate: int) -> str:
    """Mono, the first sample exactly at the span's start: gaps and a late start become silence.

    >>> audio_filters(Span(2_000, 3_000), 16_000)
    'aresample=16000:async=1:first_pts=0,aformat=s16:16000:mono,atrim=end_sample=16000'
    """
    return (
        f"aresample={sample_rate}:async=1:first_pts=0,aformat=s16:{sample_rate}:mono,"
        f"atrim=end_sample={span.duration_ms * sample_rate // 1000}"
    )


def subtitle_output(source: Any, url: str, index: int) -> Any:
    """The track as SRT text."""
    return ffmpeg.output(source[str(index)], url, format="srt", **_only("vn", "an", "dn"))


def arguments(path: Path, outputs: Sequence[Any]) -> list[str]:
    """The argument list of one ffmpeg that reads `path` and writes all `outputs`.

    The name is put in last because ffmpeg-python takes no name that is not UTF-8; `file:` keeps
    ffmpeg from reading it as an option or an address.
    """
    whole = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    listed: list[str] = ffmpeg.get_args(whole.global_args("-max_alloc", str(MAX_ALLOC_BYTES)))
    listed[listed.index("-i") + 1] = f"file:{path}"
    return listed


def decode_arguments(
    path: Path,
    info: MediaInfo,
    urls: Sequence[str],
    *,
    span: Span,
    fps: float,
    size: tuple[int, int] | None,
    sample_rate: int | None,
    threads: int,
) -> list[str]:
    """Decode frames of `size` to the first URL and sound to the next; None is not wanted."""
    lead_ms = span.lead_ms(info.container)
    skip = info.video is not None and can_skip(info.video, fps)
    source = input_file(span=span, lead_ms=lead_ms, threads=threads, skip=skip)
    free, outputs = list(urls), []
    if size and info.video:
        filters = video_filters(span, fps, size, info.video.rotation)
        outputs.append(video_output(source, free.pop(0), info.video, filters))
    if sample_rate and info.audio:
        filters = audio_filters(span, sample_rate)
        outputs.append(audio_output(source, free.pop(0), info.audio.index, filters))
    return arguments(path, outputs)


def subtitle_arguments(path: Path, index: int, urls: Sequence[str]) -> list[str]:
    """Write the subtitle track of that index as SRT to the URL."""
    return arguments(path, [subtitle_output(input_file(), urls[0], index)])


def _only(*left_out: str) -> dict[str, None]:
    """Flags that keep other kinds of stream out of an output."""
    return dict.fromkeys(left_out)
