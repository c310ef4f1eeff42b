"""What a run costs that has nothing left to do, and what `--help` costs.

    python benchmarks/rerun.py --files 10000

Makes that many tiny audio files, annotates them once, then times the second run and
`annotate --help`, against the same Python's bare start.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

ANNOTATE = str(Path(sys.executable).with_name("annotate"))


def make_files(folder: Path, count: int) -> None:
    """Half-second WAV files of faint noise, each different."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        samples = random.integers(-500, 500, 8000, dtype=np.int16)
        with wave.open(str(folder / f"{number:06}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(samples.tobytes())


def seconds_of(command: list[str], repeats: int = 1) -> float:
    """The median wall time of a command."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Print seconds and their ratio to a bare start of Python."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        make_files(corpus, arguments.files)
        run = [ANNOTATE, "run", str(corpus), "--workspace", f"{folder}/w", "--json"]
        bare = seconds_of([sys.executable, "-c", "pass"], 9)
        first = seconds_of([*run, "--transcripts", "none"])
        again = seconds_of([*run, "--transcripts", "none"], 3)
    helped = seconds_of([ANNOTATE, "--help"], 9)
    print(f"python -c pass      {bare:8.3f} s")
    print(f"annotate --help     {helped:8.3f} s  {helped / bare:6.1f} x bare start")
    print(f"first run           {first:8.3f} s  {arguments.files / first:6.1f} clips/s")
    print(f"run with no work    {again:8.3f} s  {first / again:6.1f} x faster than the first")


if __name__ == "__main__":
    main()
