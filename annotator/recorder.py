"""Turns the events of a run into rows: the only writer of the database while a run goes on."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from annotator.clock import StageClock
from annotator.engines.engine import JobDone
from annotator.engines.ray_cluster import ClusterState
from annotator.stages import ClipFailed, Event, Extracted, MediaFailed, MediaJob, Planned, bounds
from annotator.store.engine import Store
from annotator.store.records import ClipResult, FreshScores, Held, PendingMedia
from annotator.types import Bounds, ClipFeatures

BATCH_CLIPS = 32  # through the model at once
BUFFER_CLIPS = 256  # clips sorted by length before they are cut into batches
BUFFER_SECONDS = 5.0  # features wait in memory no longer: what a crash loses stays small


@dataclass(slots=True)
class Progress:
    """How far a run is; `fraction` is by bytes of media, which are known before any is opened."""

    files: int = 0
    files_done: int = 0
    clips: int = 0
    failures: int = 0
    media_ms: int = 0
    fraction: float = 0.0


class Answers(Protocol):
    """A model that is loaded, wherever it runs."""

    def each(self, batches: Iterable[Sequence[ClipFeatures]]) -> Iterator[list[FreshScores]]:
        """One answer a clip, batch by batch, in order."""
        ...


class Observer:
    """Told of what happens in a run; the base class ignores it all."""

    def started(self, progress: Progress) -> None:
        """The work is planned; `progress` is updated in place from here on."""

    def advanced(self) -> None:
        """A clip or file is through."""

    def noted(self, path: Path, note: str) -> None:
        """Something of the file or its sidecars was passed over while its clips were planned."""

    def failed(self, path: Path, where: Bounds | None, stage: str, reason: str) -> None:
        """A file, or the clip of it with those bounds, failed."""

    def waiting(self, held: Held) -> None:
        """All that is left is held by other runs; it is done here if they do not."""

    def lease_not_renewed(self, reason: str) -> None:
        """The database refused to extend our claims; called from another thread."""

    def cluster(self, state: ClusterState) -> None:
        """Nodes or workers of a cluster came, went, or took up work."""

    def node(self, note: str) -> None:
        """A node of a cluster was lost or has joined."""

    def interrupted(self) -> None:
        """The user asked to stop; the clips in flight are being finished."""


class Recorder:
    """Handles the events of one run.

    Args:
        load_predictor: called at the first clip, so that a run with nothing to do loads no model.
        pending: the files to be done.
    """

    def __init__(
        self,
        store: Store,
        run_id: int,
        model_id: int,
        load_predictor: Callable[[], Answers],
        clock: StageClock,
        observer: Observer,
        pending: Sequence[PendingMedia],
    ) -> None:
        self.progress = Progress(files=len(pending))
        self.observer = observer
        self._store = store
        self.run_id = run_id
        self._model_id = model_id
        self._load_predictor = load_predictor
        self._predictor: Answers | None = None
        self._clock = clock
        self._bytes_total = max(sum(media.size for media in pending), 1)
        self._bytes_done = 0.0
        self._last_ms: dict[int, int] = {}  # where a file's last waiting clip ends
        self._bytes_in_hand: dict[int, float] = {}  # done of files that are being worked on
        self._clip_ids: dict[int, dict[Bounds, int]] = {}
        self._buffer: list[tuple[int, ClipFeatures]] = []
        self._flushed = time.monotonic()
        observer.started(self.progress)

    def expect(self, media_id: int, clip_ids: dict[Bounds, int]) -> None:
        """Clips of a file that an earlier run planned, by their bounds."""
        self._clip_ids[media_id] = clip_ids
        self._last_ms[media_id] = max((end_ms for _, end_ms in clip_ids), default=1)

    def handle(self, job: MediaJob, event: Event | JobDone) -> None:
        """Write down one event, at once or with the next batch."""
        match event:
            case Planned():
                with self._clock.stage("store"):
                    clips = self._store.save_plan(
                        job.media_id,
                        event.content_hash,
                        event.info,
                        event.segments,
                        self._model_id,
                        transcribe=job.settings.transcribes,
                    )
                self.expect(job.media_id, {bounds(clip.segment): clip.clip_id for clip in clips})
                for note in event.notes:
                    self.observer.noted(job.path, note)
            case Extracted():
                self._extracted(job, event)
            case ClipFailed():
                self._clip_failed(job, event)
            case MediaFailed():
                self._store.fail_media(job.media_id, event.stage, event.reason)
                self._failed(job, None, event.stage, event.reason)
            case JobDone():
                self._clock.add(event.seconds)
                self._clip_ids.pop(job.media_id, None)
                in_hand = self._bytes_in_hand.pop(job.media_id, 0.0)
                self._bytes_done += job.size if event.complete else in_hand
                self.progress.files_done += event.complete
        done = self._bytes_done + sum(self._bytes_in_hand.values())
        self.progress.fraction = done / self._bytes_total
        self.observer.advanced()
        if self._is_due():
            self.flush()

    def flush(self) -> None:
        """Predict and store what is waiting: sorted by length, a transaction a batch."""
        waiting = sorted(self._buffer, key=lambda item: item[1].steps)
        self._buffer = []
        batches = [
            waiting[first : first + BATCH_CLIPS] for first in range(0, len(waiting), BATCH_CLIPS)
        ]
        for batch, answers in zip(batches, self._answers(batches), strict=True):
            results = [
                ClipResult(clip_id, features, answer)
                for (clip_id, features), answer in zip(batch, answers, strict=True)
            ]
            with self._clock.stage("store"):
                self._store.save_results(self.run_id, self._model_id, results)
            self.progress.clips += len(batch)
        self._flushed = time.monotonic()
        self.observer.advanced()

    def _answers(
        self, batches: Sequence[Sequence[tuple[int, ClipFeatures]]]
    ) -> Iterator[list[FreshScores]]:
        if not batches:
            return
        with self._clock.stage("model"):
            if self._predictor is None:
                self._predictor = self._load_predictor()
        features = ([features for _, features in batch] for batch in batches)
        yield from self._clock.each("model", self._predictor.each(features))

    def _is_due(self) -> bool:
        waited = time.monotonic() - self._flushed
        return len(self._buffer) >= BUFFER_CLIPS or (bool(self._buffer) and waited > BUFFER_SECONDS)

    def _extracted(self, job: MediaJob, event: Extracted) -> None:
        clip_id = self._clip_ids.get(job.media_id, {}).get(bounds(event.segment))
        if clip_id is None:
            return  # this model has answered for it already
        self._buffer.append((clip_id, event.features))
        part = event.segment.end_ms / self._last_ms[job.media_id]
        self._bytes_in_hand[job.media_id] = job.size * part
        self.progress.media_ms += event.segment.end_ms - event.segment.start_ms

    def _clip_failed(self, job: MediaJob, event: ClipFailed) -> None:
        clip_id = self._clip_ids.get(job.media_id, {}).get(bounds(event.segment))
        if clip_id is not None:
            self._store.fail_clip(clip_id, event.stage, event.reason, self._model_id)
        self._failed(job, bounds(event.segment), event.stage, event.reason)

    def _failed(self, job: MediaJob, where: Bounds | None, stage: str, reason: str) -> None:
        self.progress.failures += 1
        self.observer.failed(job.path, where, stage, reason)
