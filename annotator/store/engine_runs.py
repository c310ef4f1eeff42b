"""What a run does to the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from annotator.store import claims, plans, results, runs, sources
from annotator.store.records import (
    ClipResult,
    Held,
    Lease,
    ModelFacts,
    PendingClip,
    PendingMedia,
    RunState,
)
from annotator.store.transactions import Transactions
from annotator.types import MediaInfo, Segment, Source


class RunStore(Transactions):
    """From files over plans to results; see `Store`."""

    def register_model(self, model: ModelFacts) -> int:
        """The id of the model version, which is entered if it is new.

        Raises:
            UsageError: the name is known with other weights.
        """
        with self._write() as connection:
            return runs.register_model(connection, model)

    def start_run(self, model_id: int, settings: Mapping[str, object], tool_version: str) -> int:
        """Enter a run and return its id; what JSON cannot hold of the settings becomes text."""
        with self._write() as connection:
            return runs.start_run(connection, model_id, settings, tool_version)

    def finish_run(
        self,
        run_id: int,
        state: RunState,
        counts: Mapping[str, object],
        stage_seconds: Mapping[str, float],
    ) -> None:
        """Write down how a run ended."""
        with self._write() as connection:
            runs.finish_run(connection, run_id, state, counts, stage_seconds)

    def sync_sources(self, run_id: int, found: Sequence[tuple[Source, str]]) -> None:
        """Enter the files a run is about, each with its plan key.

        A file is "new" if it is unknown, or if its size, time or plan key has changed: it is to
        be planned again, and what failed before is forgotten. Its clips stay.
        """
        with self._write() as connection:
            sources.sync(connection, run_id, found)

    def pending(self, run_id: int, model_id: int) -> list[PendingMedia]:
        """The run's files that are to be planned or have clips without the model's answer.

        By path. Failed files and clips are left out until `retry`.
        """
        with self._read() as connection:
            return plans.pending(connection, run_id, model_id)

    def pending_media(self, media_id: int, model_id: int) -> PendingMedia | None:
        """The file as `pending` would list it now, or None if another run has done it since."""
        with self._read() as connection:
            return plans.pending_media(connection, media_id, model_id)

    def pending_clips(self, media_id: int, model_id: int) -> list[PendingClip]:
        """The file's clips that wait for the model's answer, by time."""
        with self._read() as connection:
            return plans.pending_clips(connection, media_id, model_id)

    def unanswered(
        self, model_id: int, *, with_bald: bool = False, run_id: int | None = None
    ) -> list[int]:
        """The clips of the files' present plans that wait for the model's answer, by number.

        Args:
            model_id: of the model.
            with_bald: also those whose answer has no BALD.
            run_id: only of the files that the last run was about; by default of all.
        """
        with self._read() as connection:
            return plans.unanswered(connection, model_id, with_bald, run_id)

    def segments(self, media_id: int) -> tuple[Segment, ...]:
        """All clips of the file's present plan as they were planned, by time."""
        with self._read() as connection:
            return plans.segments(connection, media_id)

    def claim(self, run_id: int, model_id: int, lease: Lease) -> int | None:
        """Hold the largest of the run's files that waits for the model and nobody holds.

        None if there is no such file now. Another's claim is over when its lease is, by the
        database's clock.
        """
        with self._write(beside_others=True) as connection:
            return claims.claim(connection, run_id, model_id, lease.owner, lease.milliseconds)

    def renew(self, model_id: int, lease: Lease) -> None:
        """Have all claims of the owner begin anew; those of finished files are given back."""
        with self._write(beside_others=True) as connection:
            claims.renew(connection, model_id, lease.owner, lease.milliseconds)

    def release(self, model_id: int, owner: str) -> None:
        """Give back all that the owner holds."""
        with self._write(beside_others=True) as connection:
            claims.release(connection, model_id, owner)

    def held_by_others(self, run_id: int, model_id: int, lease: Lease) -> Held:
        """How many files of the run that wait for the model others hold, and how many they are."""
        with self._read() as connection:
            return claims.held(connection, run_id, model_id, lease.owner)

    def save_plan(
        self,
        media_id: int,
        content_hash: str,
        info: MediaInfo,
        plan: Sequence[Segment],
        model_id: int,
        *,
        transcribe: bool = True,
    ) -> list[PendingClip]:
        """Make the file's clips those of the plan; returns those that wait for the model's answer.

        Known bounds keep their clip. Its predictions are dropped if the file's content or the
        transcript has changed, and kept otherwise: the planned one, or where none is planned
        whether the run makes one itself (`transcribe`). Clips the plan does not have are kept,
        but are not active.
        """
        with self._write() as connection:
            plans.save_plan(connection, media_id, content_hash, info, plan, transcribe)
            return plans.pending_clips(connection, media_id, model_id)

    def fail_media(self, media_id: int, stage: str, reason: str) -> None:
        """Mark a file as failed: later runs pass it over until it changes, or `retry`."""
        with self._write() as connection:
            sources.fail_media(connection, media_id, stage, reason)

    def fail_clip(self, clip_id: int, stage: str, reason: str, model_id: int | None = None) -> None:
        """Mark a clip as failed: later runs pass it over until its file changes, or `retry`.

        It stays as it is where the model has answered for it meanwhile, in a run that took the file
        over from this one.
        """
        with self._write() as connection:
            sources.fail_clip(connection, clip_id, stage, reason, model_id)

    def save_results(self, run_id: int, model_id: int, batch: Sequence[ClipResult]) -> None:
        """Write a model's answers for clips, all or none; an earlier answer is replaced."""
        with self._write(beside_others=True) as connection:
            results.save_results(connection, run_id, model_id, batch)

    def retry(self, what: Sequence[int | str | Path] | None = None) -> int:
        """Give failed files and clips another chance; returns how many.

        Args:
            what: numbers of clips and paths of files (with the clips in them); None for all.

        Raises:
            UsageError: one of them is not in the store.
        """
        with self._write() as connection:
            return sources.retry(connection, what)
