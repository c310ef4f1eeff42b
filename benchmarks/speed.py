"""How long `annotate run` takes against merely decoding the same corpus, as ratios of one session.

    python benchmarks/speed.py --files 4 --seconds 60 --size 1280x720
    python benchmarks/speed.py --files 8 --seconds 60 --size 320x240

Makes the corpus once in --folder. Each round times the null decode
(`ffmpeg -i x -f null -`, file after file), a run with transcripts at hand and a run with speech
recognition, interleaved, each in a fresh workspace; the medians over the rounds are compared.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from annotator.media.binaries import ffmpeg_path
from demo_corpus import make_speed_corpus


def null_decode(files: list[Path]) -> float:
    """Wall seconds to decode all files and throw the result away."""
    began = time.perf_counter()
    for file in files:
        subprocess.run(
            [ffmpeg_path(), "-nostdin", "-v", "error", "-i", str(file), "-f", "null", "-"],
            check=True,
        )
    return time.perf_counter() - began


def annotate(corpus: Path, *options: str) -> tuple[float, dict[str, float]]:
    """Wall seconds of the whole command in a fresh workspace, and its seconds by stage."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("annotate")), "run", str(corpus)]
        began = time.perf_counter()
        done = subprocess.run(
            [*command, "--json", "--workspace", f"{folder}/w", *options],
            check=True,
            capture_output=True,
        )
        seconds = time.perf_counter() - began
    return seconds, json.loads(done.stdout)["stage_seconds"]


def corpus_of(folder: Path, files: int, seconds: float, size: tuple[int, int]) -> list[Path]:
    """The corpus, made at the first call."""
    corpus = folder / f"{size[0]}x{size[1]}-{files}x{seconds:g}s"
    if not corpus.is_dir():
        draft = corpus.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        make_speed_corpus(draft, files=files, seconds=seconds, size=size, with_sidecars=True)
        draft.rename(corpus)
    return sorted(corpus.glob("*.mp4"))


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("build/speed"))
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    files = corpus_of(arguments.folder, arguments.files, arguments.seconds, (width, height))
    media = arguments.files * arguments.seconds

    floors, sidecar, asr, stages = [], [], [], {}
    for _ in range(arguments.rounds):
        floors.append(null_decode(files))
        seconds, stages["sidecar"] = annotate(files[0].parent, "--transcripts", "sidecar")
        sidecar.append(seconds)
        seconds, stages["asr"] = annotate(files[0].parent, "--transcripts", "asr")
        asr.append(seconds)
    floor = statistics.median(floors)
    print(f"{media:.0f} s of {arguments.size}, {arguments.rounds} rounds, medians")
    for name, times in (("null decode", floors), ("sidecar", sidecar), ("asr", asr)):
        median = statistics.median(times)
        print(
            f"{name:12} {median:7.2f} s  {median / floor:5.2f} x null decode  "
            f"{media / median:6.1f} x real time"
        )
    for name, seconds_by_stage in stages.items():
        total = sum(seconds_by_stage.values())
        row = ", ".join(
            f"{stage} {seconds / total:.0%}"
            for stage, seconds in sorted(seconds_by_stage.items(), key=lambda item: -item[1])
            if seconds / total >= 0.01
        )
        print(f"where the time of {name} went: {row}")


if __name__ == "__main__":
    main()
