"""`annotate run`: plan what is left to do, have it done, predict, and write it down.

The main process is the only writer. Workers decode and extract; features come back over their
pipes, go through the model in batches of like length, and are stored in one transaction with the
rows they belong to. Whatever is interrupted is simply still pending.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Event
from typing import Literal

from annotator import __version__
from annotator.claiming import POLL_S, Claims, lease_of_this_process
from annotator.clock import StageClock
from annotator.corpus.catalog import Catalog, read_catalog
from annotator.corpus.plan import PlanSettings
from annotator.corpus.segment import stated
from annotator.engines.engine import Engine
from annotator.engines.local import LocalEngine
from annotator.engines.ray_engine import RayEngine
from annotator.interrupt import until_interrupted
from annotator.recorder import Answers, Observer, Recorder
from annotator.registry import ModelVersion, extractors_of, load_network
from annotator.stages import MediaJob, bounds
from annotator.store.engine import Store
from annotator.store.records import PendingMedia, RunState
from annotator.toolkit import ToolSettings
from annotator.types import Skipped
from annotator.workspace import Workspace

EngineName = Literal["local", "ray"]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What the user chose for one run.

    `workers` are processes at most, None for one a CPU core; `mc_dropout` passes for BALD;
    `address` is that of a Ray cluster, None to start Ray on this machine. With `lease_s` files are
    claimed for so many seconds, and the work shared with other runs.
    """

    plan: PlanSettings
    device: str = "auto"
    workers: int | None = None
    mc_dropout: int = 0
    engine: EngineName = "local"
    address: str | None = None
    lease_s: float | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did. `state` is done or interrupted; `left` counts files with work to do.

    `files` were worked on, of `found` that there are.
    """

    run_id: int
    state: RunState
    found: int
    files: int
    clips: int
    failures: int
    media_seconds: float
    wall_seconds: float
    stage_seconds: Mapping[str, float]
    skipped: tuple[Skipped, ...]
    other_files: Mapping[str, int]
    left: int

    @property
    def exit_code(self) -> int:
        """0 done, 1 some clips or files failed, 130 interrupted."""
        if self.state == "interrupted":
            return 130
        return 1 if self.failures else 0


def run(
    workspace: Workspace,
    paths: Sequence[Path],
    model: ModelVersion,
    settings: RunSettings,
    observer: Observer,
) -> RunSummary:
    """Annotate every clip under `paths` that `model` has not annotated yet.

    Raises:
        UsageError: a path does not exist, a manifest cannot be read, an option cannot be met.
        EnvironmentFault: the disk is full, the database locked, ffmpeg missing.
    """
    began = time.perf_counter()
    clock = StageClock()
    extractors_of(model)
    with clock.stage("scan"):
        catalog = read_catalog(paths, settings.plan)
    with workspace.open_store() as store:
        model_id = store.register_model(model)
        run_id = store.start_run(model_id, _provenance(settings, model), __version__)
        with clock.stage("store"):
            items = catalog.items.values()
            store.sync_sources(run_id, [(item.source, item.plan_key) for item in items])
            pending = store.pending(run_id, model_id)
        load = partial(_load_predictor, model, settings, observer)
        recorder = Recorder(store, run_id, model_id, load, clock, observer, pending)
        work = _Work(workspace, store, catalog, pending, model, model_id, settings, recorder)
        state: RunState = "failed"
        try:
            state = work.run() if pending else "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            store.finish_run(run_id, state, asdict(recorder.progress), dict(clock.seconds))
        left = len(store.pending(run_id, model_id)) if state == "interrupted" else 0
    return RunSummary(
        run_id=run_id,
        state=state,
        found=len(catalog.items),
        files=recorder.progress.files_done,
        clips=recorder.progress.clips,
        failures=recorder.progress.failures,
        media_seconds=recorder.progress.media_ms / 1000,
        wall_seconds=time.perf_counter() - began,
        stage_seconds=dict(clock.seconds),
        skipped=catalog.skipped,
        other_files=catalog.other,
        left=left,
    )


def _provenance(settings: RunSettings, model: ModelVersion) -> dict[str, object]:
    """What it takes to repeat the run; stored with it."""
    return {
        **asdict(settings),
        "extractors": dict(model.extractors),
        "weights_hash": model.weights_hash,
    }


def _check_device(name: str) -> None:
    """Fail before the work rather than at the first batch."""
    from annotator.predict import choose_device

    choose_device(name)


def _load_predictor(model: ModelVersion, settings: RunSettings, observer: Observer) -> Answers:
    import torch

    from annotator.predict import Predictor, choose_device

    if settings.engine == "ray" and settings.device in ("auto", "cuda"):
        from annotator.engines.ray_model import on_gpus

        pool = on_gpus(model, settings.device, settings.mc_dropout, observer.node)
        if pool is not None:
            return pool
    # The workers have the cores: a second thread of ours would wait for them at every layer.
    torch.set_num_threads(1)
    return Predictor(load_network(model), choose_device(settings.device), settings.mc_dropout)


def longest_first(pending: Sequence[PendingMedia]) -> list[PendingMedia]:
    """By duration where an earlier run found it out; the others by size, as bytes of these last.

    Without any duration known the order is that of sizes.

    >>> known = PendingMedia(1, Path("a"), 1_000, None, 2, duration_ms=10)
    >>> short = PendingMedia(2, Path("b"), 900, None, None)
    >>> long = PendingMedia(3, Path("c"), 5_000, None, None)
    >>> [media.media_id for media in longest_first([short, known, long])]
    [3, 1, 2]
    """
    known = [media for media in pending if media.duration_ms]
    milliseconds = sum(media.duration_ms or 0 for media in known)
    rate = sum(media.size for media in known) / milliseconds if known else 1.0  # bytes a ms
    return sorted(pending, key=lambda media: -(media.duration_ms or media.size / max(rate, 1e-9)))


@dataclass(frozen=True)
class _Work:
    """What is left of a corpus for one model."""

    workspace: Workspace
    store: Store
    catalog: Catalog
    pending: Sequence[PendingMedia]
    model: ModelVersion
    model_id: int
    settings: RunSettings
    recorder: Recorder

    def run(self) -> RunState:
        """Run the engine until nothing is left or the user interrupts; says which."""
        if self.settings.device != "auto" and self.settings.engine == "local":
            _check_device(self.settings.device)
        tools = ToolSettings(
            extractors=extractors_of(self.model),
            transcribe=self.settings.plan.transcribes,
            features=self.workspace.features,
        )
        observer = self.recorder.observer
        with (
            self._engine(tools) as engine,
            until_interrupted(engine.finish_clips_in_flight) as interrupted,
            self._claims() as claims,
        ):
            told = False
            events = map(engine.run, self._turns(claims, interrupted))
            for job, event in chain.from_iterable(events):
                if interrupted.is_set() and not told:
                    observer.interrupted()
                    told = True
                self.recorder.handle(job, event)
            self.recorder.flush()
        return "interrupted" if interrupted.is_set() else "done"

    def _engine(self, tools: ToolSettings) -> Engine:
        files, workers = len(self.pending), self.settings.workers
        if self.settings.engine == "local":
            return LocalEngine(tools, min(workers or os.cpu_count() or 1, files))
        return RayEngine(
            tools,
            self.workspace.cache(),
            min(workers or files, files),
            self.settings.address,
            self.recorder.observer,
        )

    def _claims(self) -> AbstractContextManager[Claims | None]:
        """What holds the files of this run, if they are to be claimed."""
        if self.settings.lease_s is None:
            return nullcontext()
        lease, told = lease_of_this_process(self.settings.lease_s), self.recorder.observer
        return Claims(
            self.store, self.recorder.run_id, self.model_id, lease, told.lease_not_renewed
        )

    def _turns(self, claims: Claims | None, interrupted: Event) -> Iterator[Iterator[MediaJob]]:
        """One job a file, longest first so that none is left for last on a single worker.

        Without claims in a single turn. With them there is another after each wait for what other
        runs hold, should they not do it.
        """
        if claims is None:
            yield map(self._job, self._pending_now())
            return
        while not interrupted.is_set():
            yield map(self._job, claims.files())
            self.recorder.flush()
            held = claims.held_by_others()
            if not held.files:
                return
            self.recorder.observer.waiting(held)
            interrupted.wait(POLL_S)

    def _pending_now(self) -> Iterator[PendingMedia]:
        """What is pending is asked again when a worker is free: another run may have done it."""
        for media in longest_first(self.pending):
            now = self.store.pending_media(media.media_id, self.model_id)
            if now is not None:
                yield now

    def _job(self, media: PendingMedia) -> MediaJob:
        item = self.catalog.items[media.path]
        job = MediaJob(
            media.media_id, media.path, media.size, self.settings.plan, item.sidecars, item.entries
        )
        if media.clips is None:
            known = () if item.entries else self.store.segments(media.media_id)
            return replace(job, entries=item.entries or stated(known))
        waiting = self.store.pending_clips(media.media_id, self.model_id)
        clips = {bounds(clip.segment): clip.clip_id for clip in waiting}
        self.recorder.expect(media.media_id, clips)
        return replace(
            job,
            content_hash=media.content_hash,
            planned=self.store.segments(media.media_id),
            wanted=frozenset(clips),
        )
