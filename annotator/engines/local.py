"""Local worker processes: each takes a file at a time and sends back its events.

A worker and the main process share one pipe. A full pipe blocks the worker, which bounds memory
without any queue of our own, and a closed one ends it, so no worker outlives a killed run. A file
that kills its worker costs its own row: the next file gets a new worker.
"""

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Self

from annotator.engines.engine import Fault, JobDone, Loadable, events_of, load_tools
from annotator.errors import EnvironmentFault
from annotator.stages import Event, MediaFailed, MediaJob

GRACE_S = 2.0  # that workers have to end by themselves, all of them together

_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy torch's locked threads


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has loaded its extractors: from now on a crash is its file's fault."""


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: MediaJob | None = None
    ready: bool = False


class LocalEngine:
    """Runs jobs on `workers` processes; a context manager that leaves none behind."""

    def __init__(self, tools: Loadable, workers: int) -> None:
        self._tools = tools
        self._count = workers
        # Plain shared memory: an Event has a lock, which a signal handler could find taken by the
        # very code it interrupted, and a killed worker could take with it.
        self._stop: ctypes.c_bool = _SPAWN.RawValue(ctypes.c_bool, False)
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.value = True
        for worker in self._workers:
            worker.pipe.close()
        deadline = time.monotonic() + GRACE_S
        for worker in self._workers:
            _end(worker.process, deadline - time.monotonic())

    def finish_clips_in_flight(self) -> None:
        """Ask the workers to stop after the clip they are at; safe in a signal handler."""
        self._stop.value = True

    def run(self, jobs: Iterator[MediaJob]) -> Iterator[tuple[MediaJob, Event | JobDone]]:
        """Give out the jobs to whoever is free, in their order, and yield what comes back.

        Raises:
            EnvironmentFault: a worker reports one (disk full, no ffmpeg), or cannot start.
        """
        more = True
        while True:
            while more and not self._stop.value and (worker := self._idle()) is not None:
                job = next(jobs, None)
                if job is None:
                    more = False
                    break
                worker.job = job
                with suppress(OSError):  # it died while it was idle: reading its pipe will tell
                    worker.pipe.send(job)
            busy = [worker for worker in self._workers if worker.job is not None]
            if not busy:
                return
            for ready in wait([worker.pipe for worker in busy]):
                worker = next(worker for worker in busy if worker.pipe is ready)
                yield from self._receive(worker)

    def _idle(self) -> _Worker | None:
        for worker in self._workers:
            if worker.job is None:
                return worker
        if len(self._workers) < self._count:
            self._workers.append(self._start())
            return self._workers[-1]
        return None

    def _start(self) -> _Worker:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=_work,
            args=(theirs, self._tools, self._stop),
            name="annotate worker",
            daemon=True,
        )
        with _interrupts_held():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _receive(self, worker: _Worker) -> Iterator[tuple[MediaJob, Event | JobDone]]:
        job = worker.job
        if job is None:
            return
        try:
            message: Event | Ready | JobDone | Fault = worker.pipe.recv()
        except (EOFError, OSError):  # the latter in the middle of a message
            cause = self._bury(worker)
            if not worker.ready:
                raise EnvironmentFault(
                    f"a worker process died while loading the extractors ({cause}): install their "
                    "packages again"
                ) from None
            yield job, MediaFailed("worker", f"the worker process died on this file ({cause})")
            yield job, JobDone({})
            return
        if isinstance(message, Ready):
            worker.ready = True
            return
        if isinstance(message, Fault):
            raise EnvironmentFault(message.message)
        if isinstance(message, JobDone):
            worker.job = None
        yield job, message

    def _bury(self, worker: _Worker) -> str:
        """Clear a dead worker away; says what it died of."""
        worker.pipe.close()
        _end(worker.process, GRACE_S)
        self._workers.remove(worker)
        code = worker.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _end(process: BaseProcess, seconds: float) -> None:
    """Wait for a process to end by itself, then make it."""
    process.join(timeout=max(seconds, 0))
    if process.is_alive():
        process.kill()
        process.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start a process with SIGINT blocked: Ctrl-C would kill it before it can ignore that."""
    resource_tracker.ensure_running()  # starting it, which the first process does, unblocks SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, tools: Loadable, stop: ctypes.c_bool) -> None:
    """The life of a worker process."""
    # A Ctrl-C belongs to the main process; ffmpeg children must not get the terminal's either.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpgid(0, 0)
    try:
        _serve(pipe, tools, stop)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the main process is gone; what was finished is in the cache


def _serve(pipe: Connection, settings: Loadable, stop: ctypes.c_bool) -> None:
    from annotator.clock import StageClock

    clock = StageClock()
    parent = os.getppid()

    def stopping() -> bool:
        return stop.value or os.getppid() != parent  # the latter: the main process was killed

    try:
        with clock.stage("load"):
            tools, cache = load_tools(settings)
        pipe.send(Ready())
        while True:
            job: MediaJob = pipe.recv()
            for event in events_of(job, tools, cache, clock, stopping):
                with clock.stage("send"):
                    pipe.send(event)
    except EnvironmentFault as fault:
        pipe.send(Fault(str(fault)))
