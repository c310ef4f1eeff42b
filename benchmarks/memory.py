"""The memory of `annotate run` on one long video: the peak over all its processes.

    python benchmarks/memory.py --hours 3

Makes the video by looping a minute. Prints the peak of the summed RSS of the command and its
children (shared pages counted once a process, so this is an upper bound), sampled ten times a
second, and the same for a short video: memory must not grow with length.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from demo_corpus import make_long


def peak_bytes(video: Path, *options: str) -> int:
    """The peak of the summed RSS of a run over the video."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("annotate")), "run", str(video), "--json"]
        process = subprocess.Popen(
            [*command, "--workspace", f"{folder}/w", *options], stdout=subprocess.DEVNULL
        )
        peak, root = 0, psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _summed(root))
            time.sleep(0.1)
        if process.returncode:
            raise SystemExit(f"the run failed with exit code {process.returncode}")
    return peak


def _summed(root: psutil.Process) -> int:
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    """Print both peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--folder", type=Path, default=Path("build/memory"))
    parser.add_argument("options", nargs="*", help="passed on to annotate run")
    arguments = parser.parse_args()
    peaks = {}
    for hours in (0.05, arguments.hours):
        video = arguments.folder / f"{hours:g}h.mp4"
        if not video.is_file():
            video.parent.mkdir(parents=True, exist_ok=True)
            make_long(video, hours)
        peaks[hours] = peak_bytes(video, *arguments.options)
        print(f"{hours:g} h: peak RSS {peaks[hours] / 1e9:.2f} GB over all processes")
    short, long = peaks.values()
    print(f"ratio {long / short:.2f}")


if __name__ == "__main__":
    main()
