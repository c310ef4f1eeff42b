"""ffmpeg's arguments for an excerpt that a browser plays. Nothing is run here."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg

from annotator.media.command import Span, arguments, fit, input_file, upright
from annotator.types import AudioStream, MediaInfo, VideoStream

MIN_FPS, MAX_FPS = 5.0, 30.0
UNKNOWN_FPS = 25.0
SOUND_RATE = 48_000  # Hz
SOUND_BITS = 128_000  # a second
VIDEO_BITS = 4_000_000  # a second, at most
WAVES_FPS = 10
WAVES_SIZE = "640x200"
THREADS = 2  # of one ffmpeg's decoder and of its encoder: several run side by side
# `veryfast` is three times as quick as the default, for files a fifth larger or so. A constant
# quality, and a cap on what noise can cost.
QUALITY: dict[str, dict[str, Any]] = {
    "libx264": {"preset": "veryfast", "crf": 23, "maxrate": VIDEO_BITS, "bufsize": 2 * VIDEO_BITS},
    "libopenh264": {"video_bitrate": VIDEO_BITS // 2, "maxrate": VIDEO_BITS, "rc_mode": "bitrate"},
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an excerpt is made with; `note` is written into the file as its comment."""

    encoder: str
    max_side: int
    note: str


def byte_limit(span: Span) -> int:
    """Bytes that no sound excerpt of that length reaches: twice the rates asked for, and a MiB.

    >>> byte_limit(Span(0, 8_000))
    9304576
    """
    return 2 * (VIDEO_BITS + SOUND_BITS) * span.duration_ms // 8_000 + (1 << 20)


def excerpt_arguments(
    path: Path, info: MediaInfo, span: Span, out: Path, progress: str, recipe: Recipe
) -> list[str]:
    """Write the span as H.264 and AAC in mp4 to `out`, and the progress to that URL."""
    source = input_file(span=span, lead_ms=span.lead_ms(info.container), threads=THREADS)
    sound = _sound(source, info.audio, span) if info.audio else None
    if info.video:
        rate = frame_rate(info.video)
        streams = [_pictures(source, info.video, span, recipe.max_side, rate)]
        streams += [sound] if sound else []
    elif sound:
        rate = WAVES_FPS
        split = sound.filter_multi_output("asplit")
        streams = [_waves(split[0], span), split[1]]
    else:
        raise ValueError("neither pictures nor sound")
    options = _mp4(recipe, span, rate)
    output = ffmpeg.output(*streams, "", **options)
    listed = arguments(
        path, [output.global_args("-y", "-progress", progress, "-stats_period", "1")]
    )
    listed[listed.index("")] = f"file:{out}"  # put in last, as the input's name is
    return listed


def frame_rate(video: VideoStream) -> float:
    """Frames a second of the excerpt: the video's own, within `MIN_FPS` and `MAX_FPS`.

    >>> frame_rate(VideoStream(0, "h264", 64, 64, 60.0, 0))
    30.0
    """
    return min(MAX_FPS, max(MIN_FPS, video.fps or UNKNOWN_FPS))


def _pictures(source: Any, video: VideoStream, span: Span, max_side: int, rate: float) -> Any:
    """Upright, small, at a constant rate; the first frame is what is on screen at the start."""
    width, height = fit(video, max_side)
    if video.rotation in (90, 270):
        width, height = height, width
    frames = ceil(span.duration_ms * rate / 1000)
    stream = (
        source[str(video.index)]
        # we turn the pictures ourselves: a player that still found the note would turn them again
        .filter("sidedata", mode="delete", type="DISPLAYMATRIX")
        .filter("fps", fps=f"{rate:g}", start_time=0)
        .filter("trim", end_frame=frames)
        .filter("scale", width, height, out_range="tv")
        .filter("setsar", 1)
    )
    for name, *values in upright(video.rotation):
        stream = stream.filter(name, *values)
    return stream.filter("format", "yuv420p")


def _sound(source: Any, audio: AudioStream, span: Span) -> Any:
    """One or two channels; gaps and a late start become silence."""
    return (
        source[str(audio.index)]
        .filter("aresample", SOUND_RATE, **{"async": 1, "first_pts": 0})
        .filter("aformat", channel_layouts="mono" if audio.channels == 1 else "stereo")
        .filter("atrim", end_sample=span.duration_ms * SOUND_RATE // 1000)
    )


def _waves(sound: Any, span: Span) -> Any:
    """The sound's wave form as it passes: something to look at where there are no pictures.

    Each picture is of the tenth of a second before it. `showwaves` counts its pictures from 0.3 s
    on, and needs more than the shortest sounds have.
    """
    return (
        sound.filter("apad", pad_dur=0.5)
        .filter("showwaves", size=WAVES_SIZE, mode="cline", rate=WAVES_FPS, colors="white")
        .filter("setpts", "PTS-STARTPTS")
        .filter("trim", end_frame=ceil(span.duration_ms * WAVES_FPS / 1000))
        .filter("format", "yuv420p")
    )


def _mp4(recipe: Recipe, span: Span, rate: float) -> dict[str, Any]:
    """A keyframe a second to seek to, the index in front, nothing of the source's own notes."""
    return QUALITY[recipe.encoder] | {
        "format": "mp4",
        "vcodec": recipe.encoder,
        "pix_fmt": "yuv420p",
        "g": round(rate),
        "threads": THREADS,
        "acodec": "aac",
        "audio_bitrate": SOUND_BITS,
        "sn": None,
        "dn": None,
        "map_metadata": -1,
        "map_chapters": -1,
        "metadata": f"comment={recipe.note}",
        "movflags": "+faststart",
        "fs": byte_limit(span),
        "max_error_rate": 1,  # what could be decoded is worth having; none at all is noticed
    }
