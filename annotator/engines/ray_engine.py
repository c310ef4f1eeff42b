"""Actors of a Ray cluster: each takes a file at a time and streams its events back.

A worker is a file ahead of nobody, so the longest files can be given out first and none waits
behind another. What has arrived of a file is not asked for again: where a worker is lost, another
goes on with the clips that are left. A worker that dies on a living node counts against its file.
One that is lost with its node, or cannot be reached any more, does not, short of `LOSSES`: of a
node that has just died Ray tells no more than that for some seconds.
"""

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from annotator.engines.engine import Fault, JobDone, Loadable
from annotator.engines.ray_cluster import ClusterState, Node, Watch, alive, connect
from annotator.engines.ray_worker import Names, Ready, Release, Worker, release
from annotator.errors import EnvironmentFault
from annotator.features.cache import Entry, FeatureCache
from annotator.stages import (
    ClipFailed,
    Event,
    Extracted,
    MediaFailed,
    MediaJob,
    Planned,
    bounds,
)
from annotator.types import Bounds, ClipFeatures

TRIES = 3  # of a file whose worker dies
LOSSES = 5  # of nodes under one file; it might be what ends them
STARTS = 3  # of workers in a row that die before they are ready
EVENTS_AHEAD = 8  # that a worker may be ahead of us; then it waits
WAIT_S = 0.2  # between looks at whether the user has interrupted
LOOK_S = 2.0  # between looks at the nodes

_THREAD = "control"  # of a worker, for what cannot wait for its file


@dataclass
class _Task:
    """A file in hand: what is left of it, and what it has cost."""

    job: MediaJob
    deaths: int = 0
    losses: int = 0

    def arrived(self, event: Event) -> None:
        """Leave out what has arrived, for whoever may have to go on with the file."""
        match event:
            case Planned():
                self.job = replace(
                    self.job,
                    content_hash=event.content_hash,
                    planned=event.segments,
                    wanted=frozenset(map(bounds, event.segments)),
                )
            case Extracted() | ClipFailed():
                self.job = replace(self.job, wanted=self.job.wanted - {bounds(event.segment)})


@dataclass
class _Worker:
    """An actor; `coming` is what it owes us: that it is ready, or a file's next event."""

    actor: Any
    coming: Any
    ready: Ready | None = None
    task: _Task | None = None


class RayEngine:
    """Runs jobs on the CPU cores of a Ray cluster; a context manager that leaves no worker behind.

    Args:
        tools: the extractors, by name.
        cache: the run's features. Clips that it holds are not sent, and what arrives is put there.
        workers: at most, and never more than the cluster has CPU cores.
        address: of the cluster, auto to find it, None to start Ray on this machine.
        watch: told of nodes and workers.
    """

    def __init__(
        self,
        tools: Loadable,
        cache: FeatureCache,
        workers: int,
        address: str | None,
        watch: Watch,
    ) -> None:
        self._tools = tools
        self._cache = cache
        self._most = workers
        self._address = address
        self._watch = watch
        self._stop = False  # plain, so that a signal handler can set it
        self._told = False
        self._ray: ModuleType
        self._actors: Any
        self._release: Release
        self._names: Names | None = None
        self._nodes: dict[str, Node] = {}
        self._looked = 0.0
        self._state: ClusterState | None = None
        self._workers: list[_Worker] = []
        self._again: deque[_Task] = deque()
        self._more = True
        self._failed_starts = 0
        self._left = ExitStack()

    def __enter__(self) -> Self:
        """Connect; what Ray prints by itself would be in the way of ours, and of --json."""
        self._release = release()
        with ExitStack() as stack:
            nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(nowhere))
            self._ray = connect(self._address)
            stack.callback(self._ray.shutdown)
            remote = self._ray.remote(num_cpus=1, concurrency_groups={_THREAD: 1})(Worker)
            self._actors = remote.options(scheduling_strategy="SPREAD")
            self._nodes = alive(self._ray)
            self._left = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._left:
            for worker in self._workers:
                self._ray.kill(worker.actor)

    def finish_clips_in_flight(self) -> None:
        """Ask the workers to stop after the clip they are at; safe in a signal handler."""
        self._stop = True

    def run(self, jobs: Iterator[MediaJob]) -> Iterator[tuple[MediaJob, Event | JobDone]]:
        """Give out the jobs to whoever is free, in their order, and yield what comes back.

        Raises:
            EnvironmentFault: a worker reports one, cannot start, or is not like us; or no node is
                left.
        """
        self._more = True
        while True:
            self._look()
            if self._stop:
                self._pass_on_stop()
            while (worker := self._idle()) and (task := self._next(jobs)):
                yield from self._begin(worker, task)
            busy = any(worker.task for worker in self._workers)
            if not busy and (self._stop or not (self._more or self._again)):
                return
            self._fill()
            waiting = {worker.coming: worker for worker in self._workers if worker.coming}
            if not waiting:
                time.sleep(WAIT_S)
                continue
            self._ray.wait(list(waiting), timeout=WAIT_S)
            # All that is there, lest a quick worker keep the others waiting.
            ready, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
            for coming in ready:
                yield from self._receive(waiting[coming])

    def _idle(self) -> _Worker | None:
        if self._stop:
            return None
        return next((w for w in self._workers if w.ready and not w.task), None)

    def _next(self, jobs: Iterator[MediaJob]) -> _Task | None:
        if self._again:
            return self._again.popleft()
        job = next(jobs, None) if self._more else None
        self._more = job is not None
        return _Task(job) if job else None

    def _fill(self) -> None:
        """Have as many workers as the cluster has cores, as long as there are files to give out."""
        cores = sum(node.cpus for node in self._nodes.values())
        wanted = min(self._most, cores)
        while len(self._workers) < wanted and not self._stop and (self._more or self._again):
            actor = self._actors.remote()
            self._workers.append(_Worker(actor, actor.load.remote(self._tools)))

    def _begin(self, worker: _Worker, task: _Task) -> Iterator[tuple[MediaJob, Event | JobDone]]:
        """Answer from the cache what it holds, and give the rest to the worker."""
        known: dict[Bounds, Entry] = {}
        for event in self._cached(task.job, known):
            task.arrived(event)
            yield task.job, event
        if task.job.planned is not None and not task.job.wanted:
            yield task.job, JobDone({})
            return
        # What a dying worker has just sent may be lost: after a death it goes in step with us.
        ahead = 1 if task.deaths else EVENTS_AHEAD
        stream = worker.actor.annotate.options(
            num_returns="streaming", _generator_backpressure_num_objects=ahead
        )
        worker.task = task
        worker.coming = stream.remote(task.job, known)

    def _cached(self, job: MediaJob, known: dict[Bounds, Entry]) -> Iterator[Extracted]:
        """Wanted clips that are all there; what there is of others is entered in `known`."""
        if self._names is None or job.content_hash is None:
            return
        for segment in job.planned or ():
            if bounds(segment) not in job.wanted:
                continue
            entry = self._cache.entry(job.content_hash, bounds(segment))
            if entry is None:
                continue
            found = self._cache.get(job.content_hash, segment, self._names)
            if isinstance(found, ClipFeatures):
                yield Extracted(segment, found)
            else:
                known[bounds(segment)] = entry

    def _receive(self, worker: _Worker) -> Iterator[tuple[MediaJob, Event | JobDone]]:
        from ray.exceptions import RayError

        try:
            reference = worker.coming if worker.task is None else next(worker.coming)
            message: Event | JobDone | Ready | Fault = self._ray.get(reference)
        except (RayError, StopIteration) as error:
            yield from self._lose(worker, error)
            return
        if isinstance(message, Fault):
            raise EnvironmentFault(message.message)
        if isinstance(message, Ready):
            self._welcome(worker, message)
        elif worker.task is not None:
            yield self._take(worker, worker.task, message)

    def _welcome(self, worker: _Worker, ready: Ready) -> None:
        if ready.release != self._release:
            raise EnvironmentFault(
                f"node {ready.host} has {ready.release}, and this machine {self._release}: "
                "install the same on all nodes"
            )
        if ready.names != (self._names or ready.names):
            raise EnvironmentFault(
                f"node {ready.host} has other extractors ({ready.names}) than the others "
                f"({self._names}): install the same on all nodes"
            )
        self._names, self._failed_starts = ready.names, 0
        worker.ready, worker.coming = ready, None
        if self._stop:
            self._told = False

    def _take(
        self, worker: _Worker, task: _Task, event: Event | JobDone
    ) -> tuple[MediaJob, Event | JobDone]:
        job = task.job
        if isinstance(event, JobDone):
            worker.task = worker.coming = None
            return job, event
        if isinstance(event, Extracted) and job.content_hash and self._names:
            self._cache.put(job.content_hash, event.segment, event.features, self._names)
        task.arrived(event)
        return job, event

    def _lose(
        self, worker: _Worker, error: Exception
    ) -> Iterator[tuple[MediaJob, Event | JobDone]]:
        """Clear a worker away that died, or cannot be reached, and see what its file is due."""
        from ray.exceptions import ActorUnavailableError

        self._workers.remove(worker)
        self._ray.kill(worker.actor)
        self._look(now=True)
        reason = _last_words(error)
        if worker.ready is None:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise EnvironmentFault(
                    f"workers die while they start ({reason}): install annotate-emotions on all "
                    "nodes, the same version as here"
                )
            return
        task = worker.task
        if task is None:
            return
        lost = worker.ready.node not in self._nodes or isinstance(error, ActorUnavailableError)
        task.losses += lost
        task.deaths += not lost
        if task.deaths < TRIES and task.losses < LOSSES:
            self._again.append(task)
            return
        many = f"{LOSSES} nodes were lost" if lost else f"{TRIES} worker processes died"
        yield task.job, MediaFailed("worker", f"{many} on this file ({reason})")
        yield task.job, JobDone({})

    def _pass_on_stop(self) -> None:
        if not self._told:
            self._told = True
            for worker in self._workers:
                if worker.task:
                    worker.actor.stop.options(concurrency_group=_THREAD).remote()

    def _look(self, *, now: bool = False) -> None:
        """See which nodes there are, and tell the user where that or the workers have changed."""
        if now or time.monotonic() - self._looked > LOOK_S:
            before, self._nodes = self._nodes, alive(self._ray)
            self._looked = time.monotonic()
            for note in _changes(before, self._nodes):
                self._watch.node(note)
            if not any(node.cpus for node in self._nodes.values()):
                raise EnvironmentFault(
                    "the cluster has no node with a CPU left: start one with `ray start "
                    "--address HOST:PORT`, then run the same command again"
                )
        loaded = [worker for worker in self._workers if worker.ready]
        busy = sum(worker.task is not None for worker in loaded)
        state = ClusterState(len(self._nodes), len(loaded), busy)
        if state != self._state:
            self._state = state
            self._watch.cluster(state)


def _changes(before: Mapping[str, Node], now: Mapping[str, Node]) -> Iterator[str]:
    """What has become of the nodes, in words.

    >>> list(_changes({"a": Node("a", "alpha", 1, 0)}, {"b": Node("b", "beta", 2, 0)}))
    ['node alpha was lost: its files go to others', 'node beta has joined with 2 CPU cores']
    """
    for node in before.values():
        if node.id not in now:
            yield f"node {node.host} was lost: its files go to others"
    for node in now.values():
        if node.id not in before:
            yield f"node {node.host} has joined with {node.cpus} CPU cores"


def _last_words(error: Exception) -> str:
    r"""One line of what Ray says of a death, which takes up a paragraph.

    >>> _last_words(ValueError("The actor died.\n\tpid: 7\nIts process has died. Exit type: X"))
    'Its process has died'
    """
    last = str(error).strip().splitlines()[-1:]
    return (last[0] if last else type(error).__name__).partition(". ")[0].rstrip(".")
