"""Small real media files whose content says what time it is, made with the real ffmpeg.

Every frame carries its number as ten black or white bars, readable after any codec and scaler.
The sound is silent but for a click at each whole second. Files take milliseconds to make; callers
cache them for their session.
"""

import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from annotator.media.binaries import ffmpeg_path

BITS = 10
SIZE = (320, 96)  # width, height
FPS = 25
SOUND_RATE = 48_000  # Hz
CLICK_S = 0.02
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50")
HEVC = (
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-pix_fmt",
    "yuv420p",
    "-x265-params",
    "log-level=0",
)
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-g", "50")
MPEG2 = ("-c:v", "mpeg2video", "-b:v", "2M", "-g", "25")
MPEG4 = ("-c:v", "mpeg4", "-b:v", "2M", "-g", "50", "-bf", "2")
FLV1 = ("-c:v", "flv", "-b:v", "2M", "-g", "50")
THEORA = ("-c:v", "libtheora", "-b:v", "2M", "-g", "50")
WMV2 = ("-c:v", "wmv2", "-b:v", "2M", "-g", "50")
AAC = ("-c:a", "aac")
MP3 = ("-c:a", "libmp3lame", "-ar", "44100")
OPUS = ("-c:a", "libopus")
VORBIS = ("-c:a", "libvorbis")

VIDEO_FORMATS = {  # by extension: codecs of pictures and of sound
    "mp4": (H264, AAC),
    "mov": (H264, AAC),
    "mkv": (H264, VORBIS),
    "webm": (VP8, OPUS),
    "avi": (MPEG4, MP3),
    "flv": (FLV1, MP3),
    "mpg": (MPEG2, ("-c:a", "mp2")),
    "ts": (H264, AAC),
    "ogv": (THEORA, VORBIS),
    "wmv": (WMV2, ("-c:a", "wmav2")),
}
AUDIO_FORMATS = {
    "wav": ("-c:a", "pcm_s16le"),
    "flac": ("-c:a", "flac"),
    "mp3": MP3,
    "ogg": VORBIS,
    "opus": OPUS,
    "m4a": AAC,
    "aac": AAC,
    "aiff": ("-c:a", "pcm_s16be"),
}


def video(
    path: Path,
    *,
    seconds: float = 3.0,
    fps: float = FPS,
    codec: Sequence[str] | None = None,
    sound: Sequence[str] | None = (),
    sound_delay: float = 0.0,
    extra: Sequence[str] = (),
) -> Path:
    """A file of numbered frames and, unless `sound` is None, of clicks; codecs by its suffix."""
    of_suffix = VIDEO_FORMATS.get(path.suffix.lstrip("."), (H264, AAC))
    frames = numbered_frames(max(1, round(seconds * fps)))
    size = f"{SIZE[0]}x{SIZE[1]}"
    inputs = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", size]
    inputs += ["-r", str(fps), "-i", "pipe:0"]
    maps = ["-map", "0:v"]
    codecs = [*(codec or of_suffix[0])]
    if sound is not None:
        wav = clicks(path.with_name(f".{path.name}.wav"), seconds)
        inputs += ["-itsoffset", str(sound_delay), "-i", f"file:{wav}"]
        maps += ["-map", "1:a"]
        codecs += sound or of_suffix[1]
    ffmpeg(*inputs, *maps, *codecs, *extra, f"file:{path}", stdin=frames.tobytes())
    return path


def audio(path: Path, *, seconds: float = 3.0) -> Path:
    """A file of clicks without pictures; the codec by its suffix."""
    wav = clicks(path.with_name(f".{path.name}.wav"), seconds)
    ffmpeg("-i", f"file:{wav}", *AUDIO_FORMATS[path.suffix.lstrip(".")], f"file:{path}")
    return path


def variable_rate(path: Path) -> Path:
    """Frames 0 to 74 of which only 0 to 9, 40 and 41 to 74 are there, each at its own time.

    From 0.40 s to 1.60 s frame 9 stays on screen.
    """
    keep = "select='lt(n,10)+gte(n,40)'"
    return video(path, extra=("-vf", keep, "-fps_mode", "vfr"))


def rotated(path: Path, source: Path, degrees: int) -> Path:
    """`source` with a display matrix that turns it counter-clockwise by `degrees`."""
    ffmpeg("-display_rotation", str(degrees), "-i", f"file:{source}", "-c", "copy", f"file:{path}")
    return path


def with_subtitles(path: Path, source: Path, srt: str, codec: str) -> Path:
    """`source` with a text track."""
    text = path.with_name(f".{path.name}.srt")
    text.write_text(srt, encoding="utf-8")
    inputs = ("-i", f"file:{source}", "-i", f"file:{text}")
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-c", "copy", "-c:s", codec, f"file:{path}")
    return path


def late_video(path: Path, source: Path, seconds: float) -> Path:
    """`source` with its pictures that much later than its sound."""
    inputs = ("-itsoffset", str(seconds), "-i", f"file:{source}", "-i", f"file:{source}")
    ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", f"file:{path}")
    return path


def with_cover(path: Path, source: Path) -> Path:
    """`source`, a sound file, with a cover picture."""
    picture = path.with_name(f".{path.name}.jpg")
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", f"file:{picture}")
    maps = ("-map", "0:a", "-map", "1:v", "-c", "copy", "-disposition:v", "attached_pic")
    ffmpeg("-i", f"file:{source}", "-i", f"file:{picture}", *maps, f"file:{path}")
    return path


def truncated(path: Path, source: Path, fraction: float) -> Path:
    """The first part of `source`."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])
    return path


def corrupted(path: Path, source: Path, start: float, end: float) -> Path:
    """`source` with noise between two fractions of its length."""
    data = bytearray(source.read_bytes())
    first, last = int(len(data) * start), int(len(data) * end)
    data[first:last] = np.random.default_rng(0).bytes(last - first)
    path.write_bytes(data)
    return path


def frame_number(image: np.ndarray) -> int:
    """The number that a frame's bars spell."""
    height, width = image.shape[:2]
    row = image[height // 4 : height * 3 // 4].mean(axis=(0, 2))
    bars = row[(np.arange(BITS) * 2 + 1) * width // (BITS * 2)] > 128
    return int(sum(1 << bit for bit in range(BITS) if bars[bit]))


def numbered_frames(count: int) -> np.ndarray:
    """Grey frames (count, height, width) with their numbers as bars, lowest bit to the left."""
    width, height = SIZE
    bits = np.arange(count)[:, None] >> np.arange(BITS) & 1
    bars = np.repeat(bits * 255, width // BITS, axis=1).astype(np.uint8)
    return np.repeat(bars[:, None, :], height, axis=1)


def clicks(path: Path, seconds: float) -> Path:
    """A stereo WAV with a burst of 1 kHz at each whole second."""
    times = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    wave_form = np.where(times % 1 < CLICK_S, np.sin(2 * np.pi * 1000 * times), 0)
    samples = (wave_form * 0.8 * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SOUND_RATE)
        file.writeframes(np.repeat(samples, 2).tobytes())
    return path


def click_times(samples: np.ndarray, rate: int) -> list[float]:
    """When the clicks of decoded sound begin, seconds from its first sample."""
    loud = np.flatnonzero(np.abs(samples) > 0.2) / rate
    return [float(t) for i, t in enumerate(loud) if i == 0 or t - loud[i - 1] > 0.5]


def ffmpeg(*arguments: str, stdin: bytes = b"") -> None:
    """Run the real ffmpeg; its words become the error's."""
    done = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-y", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"ffmpeg {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
