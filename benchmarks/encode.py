"""Writes media files with ffmpeg, the same bytes for the same input and ffmpeg version."""

import subprocess
import tempfile
import wave
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from annotator.media.binaries import ffmpeg_path
from faces import Frame
from sidecars import srt
from speech import Line, Track

# no encoder's name, no date and no random id in the file
REPRODUCIBLE = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact")
AAC = ("-c:a", "aac", "-ar", "48000")
H264_AAC = ("-c:v", "libx264", "-preset", "superfast", "-pix_fmt", "yuv420p", *AAC)


@dataclass(frozen=True, slots=True)
class Picture:
    """The frames of a video, their (width, height) and their rate."""

    frames: Iterable[Frame]
    size: tuple[int, int]
    fps: float


def encode(
    out: Path,
    *,
    picture: Picture | None = None,
    track: Track | None = None,
    subtitles: Sequence[Line] = (),
    options: Sequence[str] = H264_AAC,
) -> Path:
    """Write `out`: its suffix names the container, `options` the codecs. Returns `out`.

    `subtitles` become a track inside the file.

    Raises RuntimeError with ffmpeg's own words where it fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        inputs = _raw_video(picture) if picture else []
        if track:
            sound = Path(scratch) / "sound.wav"
            write_wav(sound, track)
            inputs += ["-i", str(sound)]
        if subtitles:
            cues = Path(scratch) / "cues.srt"
            cues.write_text(srt(subtitles), encoding="utf-8")
            inputs += ["-i", str(cues)]
        run_ffmpeg([*inputs, *options, str(out)], picture.frames if picture else ())
    return out


def loop(source: Path, out: Path, seconds: float) -> Path:
    """Repeat `source` until `out` lasts `seconds`, without decoding it. Returns `out`."""
    inputs = ["-stream_loop", "-1", "-i", str(source)]
    run_ffmpeg([*inputs, "-t", str(seconds), "-map", "0", "-c", "copy", str(out)])
    return out


def write_wav(path: Path, track: Track) -> None:
    """Write a track as 16-bit mono WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(track.sample_rate)
        file.writeframes((track.samples * np.iinfo("<i2").max).astype("<i2").tobytes())


def run_ffmpeg(arguments: Sequence[str], frames: Iterable[Frame] = ()) -> None:
    """Run ffmpeg, `frames` on its stdin. Raises RuntimeError with its words where it fails."""
    *inputs, out = arguments
    command = [ffmpeg_path(), "-y", "-v", "error", *inputs, *REPRODUCIBLE, out]
    with tempfile.TemporaryFile() as words:  # a pipe could fill up and stop ffmpeg
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=words) as process:
            assert process.stdin
            _feed(process.stdin, frames)
        if process.returncode:
            words.seek(0)
            said = words.read().decode(errors="replace").strip()
            raise RuntimeError(f"encode: {Path(out).name} could not be written: {said}")


def _raw_video(picture: Picture) -> list[str]:
    width, height = picture.size
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    return [*form, "-r", str(picture.fps), "-i", "pipe:0"]


def _feed(pipe: IO[bytes], frames: Iterable[Frame]) -> None:
    # a broken pipe: ffmpeg is gone, and its exit status and its words say why
    with suppress(BrokenPipeError), pipe:
        for frame in frames:
            pipe.write(frame.tobytes())
