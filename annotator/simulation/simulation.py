"""All strategies with all seeds, side by side, and going on where they were cut off."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from annotator.errors import EnvironmentFault, UsageError
from annotator.learning.dataset import TEST, TRAIN, VALID, Dataset, check
from annotator.metrics.bootstrap import Interval
from annotator.simulation.annotators import Annotators
from annotator.simulation.learner import LEARNER
from annotator.simulation.rounds import Point, Setup, reference, run_rounds
from annotator.simulation.savings import Curves, gained, labels_to_reach, saved
from annotator.simulation.strategy import RANDOM, Strategy, strategy

ENOUGH = 0.95  # of what all labels give
FULL = "full"  # the name of the runs with all labels
_Job = tuple[str, int]  # strategy or FULL, seed


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What one strategy came to."""

    name: str
    curves: Curves  # macro-F1
    precision: Curves  # mean average precision
    labels: float  # to reach the target, infinite if it never does
    saved: Interval  # share of the labels, against random
    gained: Interval  # macro-F1 in the mean over the curve, against random


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """All of them, random first; `full` is macro-F1 with all labels, `target` ENOUGH of it."""

    dataset: str
    seeds: tuple[int, ...]
    setup: Setup
    full: float
    target: float
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown and infinite are null."""
        return {
            "dataset": self.dataset,
            "seeds": list(self.seeds),
            "setup": self.setup.to_json(),
            "full_macro_f1": self.full,
            "target_macro_f1": self.target,
            "strategies": {row.name: _row_json(row) for row in self.rows},
        }


def simulate(
    dataset: Dataset,
    annotators: Annotators,
    strategies: Sequence[Strategy],
    seeds: Sequence[int],
    setup: Setup,
    out: Path,
    *,
    workers: int = 1,
    progress: Callable[[int], None] = lambda _done: None,
) -> Simulation:
    """Run every strategy with every seed, random always among them.

    Each finished run is a file in `out`, so the same call goes on where one was cut off, and more
    strategies or seeds can be added.

    Args:
        dataset: its train split is the pool, valid chooses thresholds, test measures.
        annotators: who answer.
        strategies: ways to choose.
        seeds: at least one.
        setup: of the rounds.
        out: a folder of this simulation alone.
        workers: processes, of a thread each.
        progress: told how many more runs are done.

    Raises:
        UsageError: a split is missing, or `out` is of another simulation.
        EnvironmentFault: the disk is full, or a worker was killed.
    """
    check(dataset, (TRAIN, VALID, TEST))
    wanted = list(dict.fromkeys([Strategy(RANDOM), *strategies]))
    _claim(out, dataset, annotators, setup)
    jobs = [(name, seed) for seed in seeds for name in (FULL, *(one.name for one in wanted))]
    left = [job for job in jobs if not _file(out, job).exists()]
    progress(len(jobs) - len(left))
    for job, points in _run_all(left, dataset, annotators, setup, workers):
        _write(_file(out, job), [asdict(point) for point in points])
        progress(1)
    return _gathered(dataset, wanted, tuple(seeds), setup, out)


def _run_all(
    jobs: Sequence[_Job], dataset: Dataset, annotators: Annotators, setup: Setup, workers: int
) -> Iterator[tuple[_Job, list[Point]]]:
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, _run(job, dataset, annotators, setup)
        return
    given = (dataset, annotators, setup)
    with ProcessPoolExecutor(
        min(workers, len(jobs)), get_context("spawn"), initializer=_begin, initargs=given
    ) as pool:
        futures = {pool.submit(_run_in_worker, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise EnvironmentFault(
                "a worker was killed, perhaps for want of memory: the same command goes on, with "
                "fewer --workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _run(job: _Job, dataset: Dataset, annotators: Annotators, setup: Setup) -> list[Point]:
    name, seed = job
    if name == FULL:
        return [reference(dataset, annotators, seed, setup)]
    return list(run_rounds(dataset, annotators, strategy(name), seed, setup))


_given: list[tuple[Dataset, Annotators, Setup]] = []  # of a worker process, set once


def _begin(dataset: Dataset, annotators: Annotators, setup: Setup) -> None:
    import torch

    torch.set_num_threads(1)
    _given.append((dataset, annotators, setup))


def _run_in_worker(job: _Job) -> list[Point]:
    return _run(job, *_given[0])


def _claim(out: Path, dataset: Dataset, annotators: Annotators, setup: Setup) -> None:
    """Make the folder, or see that it is of the same simulation."""
    facts = {
        "learner": LEARNER,
        "setup": setup.to_json(),
        "labels": dataset.labels,
        "files": dict(dataset.files),
        "examples": {name: [e.id for e in dataset.split(name)] for name in (TRAIN, VALID, TEST)},
        "raters": annotators.raters,
        "confusion": None if annotators.confusion is None else annotators.confusion.tolist(),
    }
    mark = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    claim = out / "simulation.json"
    if claim.exists():
        if _read(claim) != mark:
            raise UsageError(
                f"{out} holds a simulation with other settings or data: choose another --out, or "
                "remove the folder"
            )
        return
    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be made ({error.strerror}): choose another --out"
        ) from error
    _write(claim, mark)


def _file(out: Path, job: _Job) -> Path:
    name, seed = job
    return out / "runs" / f"{name.replace(':', '-')}-{seed}.json"


def _write(file: Path, content: object) -> None:
    draft = file.with_suffix(f".{os.getpid()}.part")
    try:
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise EnvironmentFault(f"{file} cannot be written: {error.strerror}") from error


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} is damaged: remove it to run it anew") from error


def _gathered(
    dataset: Dataset, wanted: Sequence[Strategy], seeds: tuple[int, ...], setup: Setup, out: Path
) -> Simulation:
    full = float(np.mean([_points(out, (FULL, seed))[0].macro_f1 for seed in seeds]))
    target = ENOUGH * full
    read = {one.name: [_points(out, (one.name, seed)) for seed in seeds] for one in wanted}
    curves = {name: _curves(points, "macro_f1") for name, points in read.items()}
    rows = (
        Row(
            name,
            found,
            _curves(read[name], "mean_average_precision"),
            labels_to_reach(found.labelled, found.mean(), target),
            saved(found, curves[RANDOM], target),
            gained(found, curves[RANDOM]),
        )
        for name, found in curves.items()
    )
    return Simulation(dataset.name, seeds, setup, full, target, tuple(rows))


def _points(out: Path, job: _Job) -> list[Point]:
    file = _file(out, job)
    try:
        return [Point(**point) for point in _read(file)]
    except TypeError as error:
        raise UsageError(f"{file} is damaged: remove it to run it anew") from error


def _curves(points: Sequence[Sequence[Point]], name: str) -> Curves:
    labelled = np.array([point.labelled for point in points[0]], np.float64)
    return Curves(labelled, np.array([[getattr(p, name) for p in run] for run in points]))


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "labelled": row.curves.labelled.tolist(),
        "macro_f1": row.curves.values.tolist(),
        "mean_average_precision": row.precision.values.tolist(),
        "labels_to_target": row.labels if math.isfinite(row.labels) else None,
        "saved": _interval_json(row.saved),
        "macro_f1_gained": _interval_json(row.gained),
    }


def _interval_json(interval: Interval) -> Mapping[str, float | None]:
    return {
        name: value if math.isfinite(value) else None for name, value in asdict(interval).items()
    }
