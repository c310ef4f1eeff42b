"""What a media file holds: container, duration, the streams worth decoding.

PyAV reads the file through an opened file object, so no path or address of its content can be
followed; only formats that hold their own media are let through (see formats.py).
"""

import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from math import ceil
from pathlib import Path
from typing import NoReturn

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream as AvVideoStream

from annotator.errors import StageFailure
from annotator.media.formats import FORMAT_WHITELIST, HEAD_BYTES, playlist_kind
from annotator.types import AudioStream, MediaInfo, SubtitleStream, VideoStream

MAX_DURATION_MS = 48 * 3600 * 1000  # a header that says more is broken
READ_LIMIT_S = 120.0  # for a file that must be read through to know its duration
ROTATION_PACKETS = 100  # a first frame comes within these, or rotation is not known
TEXT_SUBTITLES = frozenset(("subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"))
# Nothing in these says how long they are; ffmpeg guesses from the bit rate of the first seconds.
GUESSED_DURATION = frozenset(("aac", "ac3", "amr", "h264", "hevc", "m4v", "mp3", "mpegvideo"))
NOT_VIDEO = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails


def probe(path: Path) -> MediaInfo:
    """Look into a media file; nothing is decoded but one frame, for its rotation.

    The video stream chosen is the default one, else the largest; the audio stream the default
    one, else that with most channels. Cover art is no video.

    Raises:
        StageFailure: the file is empty, unreadable, no media, a playlist, or has neither sound
            nor pictures.
    """
    _check_bytes(path)
    with _opened(path) as container:
        video = _best_video(container)
        audio = _best_audio(container)
        if video is None and audio is None:
            raise StageFailure("probe", "no audio or video stream that ffmpeg can decode")
        return MediaInfo(
            container=container.format.name,
            duration_ms=_duration_ms(path, container),
            video=_video_stream(container, video) if video else None,
            audio=audio,
            subtitles=_subtitle_streams(container),
        )


def comment(path: Path) -> str | None:
    """The file's own comment, None if it has none.

    Raises:
        StageFailure: the file is not there, unreadable, no media or a playlist.
    """
    _check_bytes(path)
    with _opened(path) as container:
        found: str | None = container.metadata.get("comment")
        return found


def _check_bytes(path: Path) -> None:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise StageFailure("probe", "not a regular file")
        if not found.st_size:
            raise StageFailure("probe", "empty file (0 bytes)")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise StageFailure("probe", f"cannot read the file: {error.strerror}") from error
    if kind := playlist_kind(head):
        raise StageFailure(
            "probe", f"a playlist, not media: {kind}, whose entries are not followed"
        )


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """The file's container; whatever ffmpeg cannot read within the block is a StageFailure."""
    try:
        with (
            path.open("rb", buffering=0) as file,
            av.open(
                _under_plain_name(file, path.suffix),
                "r",
                container_options={"format_whitelist": FORMAT_WHITELIST},
                metadata_errors="replace",
                io_open=_refuse,
            ) as container,
        ):
            yield container
    except av.error.ArgumentError as error:  # what a demuxer outside the list gives
        raise StageFailure("probe", "not a kind of media file that is accepted") from error
    except av.error.FFmpegError as error:
        said = error.strerror or type(error).__name__
        raise StageFailure("probe", f"not a media file ffmpeg can read: {said}") from error
    except OSError as error:
        raise StageFailure("probe", f"cannot read the file: {error.strerror}") from error


def _under_plain_name(file: FileIO, suffix: str) -> FileIO:
    """PyAV passes a file's name on as UTF-8, which not every name is; ffmpeg needs its suffix."""
    file.name = "media" + suffix.encode("ascii", "replace").decode()
    return file


def _refuse(url: str, _flags: int, _options: dict[str, str]) -> NoReturn:
    raise StageFailure("probe", f"the file wants another one opened, {url!r}; that is not done")


def _best_video(container: InputContainer) -> AvVideoStream | None:
    usable = [
        stream
        for stream in container.streams.video
        if stream.codec_context and stream.width and not stream.disposition & NOT_VIDEO
    ]
    return max(usable, key=lambda s: (_is_default(s), s.width * s.height), default=None)


def _best_audio(container: InputContainer) -> AudioStream | None:
    usable = [s for s in container.streams.audio if s.codec_context and s.sample_rate]
    best = max(usable, key=lambda s: (_is_default(s), s.channels), default=None)
    if best is None:
        return None
    return AudioStream(best.index, best.codec_context.name, best.sample_rate, best.channels)


def _subtitle_streams(container: InputContainer) -> tuple[SubtitleStream, ...]:
    found = [s for s in container.streams.subtitles if s.codec_context]
    return tuple(
        SubtitleStream(s.index, s.codec_context.name, s.language)
        for s in found
        if s.codec_context.name in TEXT_SUBTITLES
    )


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _video_stream(container: InputContainer, stream: AvVideoStream) -> VideoStream:
    width, height = stream.width, stream.height
    shape = stream.sample_aspect_ratio or 1  # of a pixel: width by height
    width = max(1, round(width * shape))
    rotation = _rotation(container, stream)
    fps = stream.average_rate or stream.guessed_rate
    if rotation in (90, 270):
        width, height = height, width
    return VideoStream(
        index=stream.index,
        codec=stream.codec_context.name,
        width=width,
        height=height,
        fps=float(fps) if fps else None,
        rotation=rotation,
        reordered=bool(stream.codec_context.has_b_frames),
    )


def _rotation(container: InputContainer, stream: AvVideoStream) -> int:
    """Degrees clockwise, a multiple of 90, that the stored picture must be turned to be upright."""
    stream.thread_count = 1
    for count, packet in enumerate(container.demux(stream)):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = []  # a broken start: the decode says so, if nothing better follows
        if frames:
            return round(-frames[0].rotation / 90) % 4 * 90
        if count >= ROTATION_PACKETS:
            break
    return 0


def _duration_ms(path: Path, container: InputContainer) -> int:
    stated = container.duration
    if stated and container.format.name not in GUESSED_DURATION:
        duration_ms = ceil(stated / 1000)  # PyAV counts microseconds
    else:
        duration_ms = _duration_of_packets(path)
    if duration_ms > MAX_DURATION_MS:
        hours = duration_ms / 3_600_000
        raise StageFailure("probe", f"the header claims {hours:.0f} hours, over 48: it is broken")
    return duration_ms


def _duration_of_packets(path: Path) -> int:
    """Read the whole file, decoding nothing: the last end less the first start, at least 1 ms."""
    give_up = time.monotonic() + READ_LIMIT_S
    first_s, last_s = float("inf"), float("-inf")
    with _opened(path) as container:
        for packet in container.demux():
            if time.monotonic() > give_up:
                raise StageFailure(
                    "probe",
                    f"no duration in the header, and {READ_LIMIT_S:g} s of reading found no end",
                )
            if packet.pts is not None and packet.time_base:
                start_s = float(packet.pts * packet.time_base)
                first_s = min(first_s, start_s)
                last_s = max(last_s, start_s + float((packet.duration or 0) * packet.time_base))
    return max(1, ceil((last_s - first_s) * 1000)) if last_s > first_s else 1
