"""How long every selector takes over a large pool, beside top-k, and what memory it takes.

    python benchmarks/acquisition.py --candidates 1000000 --picks 500

A row a selector: its time as a multiple of plain top-k of the same run, its seconds on this
machine, and the peak memory of a process of its own, the pool included. Latents come in clusters,
a fifth of them near-copies of others; the limits bind.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from annotator.acquisition.pool import Plan, Pool
from annotator.acquisition.select import select

D, LABELS, CLUSTERS = 128, 6, 2000
SPEAKERS, VIDEOS = 1000, 20_000
REPEATS = 3  # the best counts: others use the machine as well

ROWS: dict[str, dict[str, object]] = {
    "top": {},
    "top, per second": {"per_second": True},
    "top, 2 a speaker, 1 a video": {"per_speaker": 2, "per_video": 1},
    "top, balanced": {"balance": True},
    "top, near-duplicates out": {"near": 0.95},
    "power": {"select": "power"},
    "kcenter": {"select": "kcenter"},
    "kmeans": {"select": "kmeans"},
    "kcenter, all limits": {
        "select": "kcenter",
        "balance": True,
        "per_speaker": 2,
        "per_video": 1,
        "near": 0.95,
    },
    "kmeans, all limits": {
        "select": "kmeans",
        "balance": True,
        "per_speaker": 2,
        "per_video": 1,
        "near": 0.95,
    },
}


def main() -> None:
    """Parse the command line, measure each row in a process of its own, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--picks", type=int, default=500)
    parser.add_argument("--prefilter", type=int, default=Plan(1).prefilter)
    parser.add_argument("--row", choices=list(ROWS), help="measure this one, here")
    asked = parser.parse_args()
    if asked.row:
        one(asked.row, asked.candidates, asked.picks, asked.prefilter)
        return
    print(f"{asked.candidates} candidates, {asked.picks} picks, prefilter {asked.prefilter}")
    print(f"{'selector':30} {'× top':>8} {'seconds':>8} {'peak GB':>8}  picked")
    for row in ROWS:
        command = [sys.executable, __file__, "--row", row]
        for name in ("candidates", "picks", "prefilter"):
            command += [f"--{name}", str(getattr(asked, name))]
        subprocess.run(command, check=True)


def one(row: str, candidates: int, picks: int, prefilter: int) -> None:
    """Measure one row and print it; top-k in turn with it."""
    pool = make_pool(candidates)
    plain = Plan(picks)
    plan = Plan(picks, prefilter=prefilter, **ROWS[row])  # type: ignore[arg-type]
    times: dict[str, list[float]] = {"top": [], "row": []}
    for _ in range(REPEATS):
        for name, asked in (("top", plain), ("row", plan)):
            began = time.perf_counter()
            found = select(pool, asked)
            times[name].append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    ratio = min(times["row"]) / min(times["top"])
    picked = len(found.chosen) + len(found.audit)
    print(f"{row:30} {ratio:8.1f} {min(times['row']):8.2f} {peak:8.2f}  {picked}", flush=True)


def make_pool(count: int) -> Pool:
    """Candidates whose latents, speakers and videos hang together, and whose scores are skewed."""
    random = np.random.default_rng(0)
    cluster = random.integers(0, CLUSTERS, count)
    centres = random.normal(size=(CLUSTERS, D)).astype(np.float32) * 2
    latent = np.empty((count, D), np.float16)  # as the store has it
    for first in range(0, count, 50_000):
        part = cluster[first : first + 50_000]
        noise = random.standard_normal((len(part), D), np.float32)
        latent[first : first + 50_000] = centres[part] + noise
    copies = random.random(count) < 0.2
    latent[copies] = latent[random.integers(0, count, int(copies.sum()))]
    return Pool(
        score=random.gamma(2.0, size=count) * (1 + cluster / CLUSTERS),
        probability=random.dirichlet(np.linspace(0.2, 2, LABELS), count),
        latent=latent,
        speaker=cluster % SPEAKERS,
        video=random.integers(0, VIDEOS, count),
        seconds=random.uniform(2, 20, count),
    )


if __name__ == "__main__":
    main()
