"""What decoding frames and sound costs beside ffmpeg decoding to nothing, as ratios of one session.

    python benchmarks/decode.py
    python benchmarks/decode.py --seconds 20 --rounds 5 --file talk.mp4

Without --file it makes 1280×720 H.264 and AAC of moving shapes and noise, which is not trivial to
decode. Rounds are interleaved, and the least of each is compared: what else runs on the machine
only ever adds. Processor seconds are this process's and its ffmpegs' together.
"""

import argparse
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from annotator.media.binaries import ffmpeg_path
from annotator.media.command import Span, decode_arguments, fit
from annotator.media.decode import THREADS, decode, decode_audio
from annotator.media.probe import probe
from annotator.types import MediaInfo

Measured = dict[str, Callable[[], None]]
CHANGES = {  # of decode's own command: a text in it, and what is put for it
    "as decode calls it": ("", ""),
    "bicubic": ("flags=area", "flags=bicubic"),
    "fast_bilinear": ("flags=area", "flags=fast_bilinear"),
    "yuv420p": ("bgr24", "yuv420p"),
}


def make_video(path: Path, seconds: float) -> Path:
    """1280×720 at 25 frames a second, with noise in every frame and in the sound."""
    picture = f"testsrc2=s=1280x720:r=25:d={seconds},noise=alls=12:allf=t"
    sound = f"anoisesrc=d={seconds}:a=0.1:r=44100"
    sources = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    codecs = ["-c:v", "libx264", "-preset", "medium", "-crf", "26", "-pix_fmt", "yuv420p"]
    run([*sources, *codecs, "-c:a", "aac", "-b:a", "96k", str(path)])
    return path


def run(arguments: list[str]) -> None:
    """Run ffmpeg, its output thrown away."""
    command = [ffmpeg_path(), "-nostdin", "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def exhaust(begin: Callable[[], Iterable[object]]) -> None:
    """Take everything and keep nothing."""
    for _ in begin():
        pass


def ways(path: Path, info: MediaInfo) -> Measured:
    """The null decode first, then each way that is compared with it."""
    null = ["-i", str(path), "-f", "null", "-"]
    measured: Measured = {"null decode": partial(run, null)}
    for threads in (1, THREADS, 0):
        name = f"decode, {threads or 'all'} threads"
        measured[name] = partial(exhaust, partial(decode, path, info, threads=threads))
    measured["decode_audio"] = partial(exhaust, partial(decode_audio, path, info))
    for name, (old, new) in CHANGES.items():
        measured[f"ffmpeg alone, {name}"] = partial(run, changed(path, info, old, new))
    measured["null decode, skip_frame noref"] = partial(run, ["-skip_frame", "noref", *null])
    return measured


def changed(path: Path, info: MediaInfo, old: str, new: str) -> list[str]:
    """The arguments of `decode`, both outputs thrown away, with one text put for another."""
    assert info.video
    arguments = decode_arguments(
        path,
        info,
        ["/dev/null", "/dev/null"],
        span=Span(0, info.duration_ms),
        fps=5,
        size=fit(info.video, 640),
        sample_rate=16_000,
        threads=THREADS,
    )
    return [argument.replace(old, new) for argument in arguments]


def cost(way: Callable[[], None]) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    began, used = time.perf_counter(), processor_seconds()
    way()
    return time.perf_counter() - began, processor_seconds() - used


def processor_seconds() -> float:
    """Of this process and of all it has waited for."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, who))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or make_video(Path(folder) / "noise.mp4", options.seconds)
        measured = ways(path, probe(path))
        rounds = [[cost(way) for way in measured.values()] for _ in range(options.rounds)]
    least = [tuple(map(min, zip(*costs, strict=True))) for costs in zip(*rounds, strict=True)]
    wall, processor = least[0]
    print(f"null decode: {wall:.2f} s wall, {processor:.2f} s processor; ratios to it:")
    for name, (this_wall, this_processor) in zip(measured, least, strict=True):
        print(f"{this_wall / wall:6.2f} wall {this_processor / processor:6.2f} processor  {name}")


if __name__ == "__main__":
    main()
