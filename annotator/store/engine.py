"""The door to the database: `open_store` and the `Store` it returns."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Self

from sqlalchemy import URL, Connection, Engine

from annotator.errors import EnvironmentFault
from annotator.store import (
    annotations,
    imported,
    known,
    plans,
    queries,
    ranking,
    results,
    runs,
    sources,
    targets,
    tasks,
    timeline,
)
from annotator.store import survey as surveys
from annotator.store.candidates import Candidates, Codes, Floats, candidates, label_answers
from annotator.store.database import BUSY_TIMEOUT_S, make_engine, parse_target, writing
from annotator.store.faults import translated
from annotator.store.migrate import upgrade
from annotator.store.records import (
    ClipDetail,
    ClipPlace,
    ClipResult,
    Failure,
    KnownClip,
    MediaClip,
    ModelFacts,
    ModelRecord,
    OpenedMedia,
    PendingClip,
    PendingMedia,
    RankedClip,
    RunState,
    Status,
    TwoAnswers,
)
from annotator.store.review_records import (
    Answer,
    ClipAnswer,
    GivenAnswer,
    ReviewProject,
    SavedAnswers,
    SentTask,
    TaskReason,
)
from annotator.store.survey import Survey
from annotator.types import Bounds, MediaInfo, Segment, Source


def open_store(
    target: str | Path | URL, *, create: bool = True, timeout_s: float = BUSY_TIMEOUT_S
) -> "Store":
    """Open a database and bring it up to date, with a backup beside it if it is an older one.

    Args:
        target: the path of an SQLite file, or any SQLAlchemy URL of SQLite or PostgreSQL.
        create: whether to make an SQLite file that is not there.
        timeout_s: how long to wait for another program's writing to end.

    Raises:
        UsageError: the URL is not one of a database the store supports.
        EnvironmentFault: the database is missing, locked, damaged, from a newer version of the
            tool or not ours; or the disk is full or not writable.
    """
    url = parse_target(target)
    place = url.database or "" if url.get_backend_name() == "sqlite" else str(url)
    if url.get_backend_name() == "sqlite" and not create and not Path(place).is_file():
        raise EnvironmentFault(f"no database at {place}: `annotate run CORPUS` makes one")
    engine = make_engine(url, timeout_s)
    try:
        with translated(place):
            upgrade(engine, place)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, place)


class Store:
    """A workspace's database. Every method is one transaction and may be called from any thread.

    All of them raise `EnvironmentFault` where the database cannot do it: locked, full, not
    writable. Ids are the database's own.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self._reading = engine
        self._writing = writing(engine)
        self._place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the store cannot be used after."""
        self._reading.dispose()

    # What a run does.

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

    def unanswered(self, model_id: int) -> list[int]:
        """The clips of all files' present plans that wait for the model's answer, by number."""
        with self._read() as connection:
            return plans.unanswered(connection, model_id)

    def segments(self, media_id: int) -> tuple[Segment, ...]:
        """All clips of the file's present plan as they were planned, by time."""
        with self._read() as connection:
            return plans.segments(connection, media_id)

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

    def fail_clip(self, clip_id: int, stage: str, reason: str) -> None:
        """Mark a clip as failed: later runs pass it over until its file changes, or `retry`."""
        with self._write() as connection:
            sources.fail_clip(connection, clip_id, stage, reason)

    def save_results(self, run_id: int, model_id: int, batch: Sequence[ClipResult]) -> None:
        """Write a model's answers for clips, all or none; an earlier answer is replaced."""
        with self._write() as connection:
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

    # What is asked of it.

    def models(self) -> list[ModelRecord]:
        """Every registered model version, oldest first."""
        with self._read() as connection:
            return runs.models(connection)

    def status(self) -> Status:
        """Counts by state, failures by reason, models, the last run."""
        with self._read() as connection:
            return queries.status(connection)

    def opened_media(self) -> dict[Path, OpenedMedia]:
        """Every file that a run has opened, by path, as it was then."""
        with self._read() as connection:
            return queries.opened_media(connection)

    def failures(self) -> list[Failure]:
        """Every failed file, then every failed clip of the present plans, by path."""
        with self._read() as connection:
            return queries.failures(connection)

    def top(
        self,
        model_id: int,
        by: str = "variance",
        limit: int | None = None,
        label: str | None = None,
        split: str | None = None,
    ) -> list[RankedClip]:
        """All of `ranked` in a list."""
        return list(self.ranked(model_id, by, limit, label, split))

    def ranked(
        self,
        model_id: int,
        by: str = "variance",
        limit: int | None = None,
        label: str | None = None,
        split: str | None = None,
        *,
        surest: bool = False,
        answered: bool = False,
    ) -> Generator[RankedClip]:
        """The clips the model is least sure of, least sure first, read as they are asked for.

        All are of the moment the first is asked for, whatever is written meanwhile; the
        transaction ends with the last one, or when the iterator is closed.

        Args:
            model_id: from `register_model`.
            by: variance, entropy or bald, of which the highest come first; or margin, the lowest.
            limit: how many at most.
            label: rank by this label's part in the score. For the variance that is the root
                mean square of its sigmas over the modalities the clip has. No index serves
                this: it reads all of the model's answers, 2 s for a million clips.
            split: only clips of this split.
            surest: the other way round, most sure first.
            answered: whether to tell what people answered about each.

        Raises:
            UsageError: there is no such score, the model has no such label, or no clip such a
                split.
        """
        with self._read() as connection:
            yield from ranking.ranked(
                connection, model_id, by, limit, label, split, surest=surest, answered=answered
            )

    def survey(self, model_id: int, thresholds: Mapping[str, float], most: int) -> Survey:
        """The corpus and the model's answers, counted, with a sample of at most about `most` clips.

        `thresholds` has all labels of the model, in its order: from there on a label is present.
        """
        with self._read() as connection:
            return surveys.survey(connection, model_id, thresholds, most)

    def given_labels(self, model_id: int, most: int) -> dict[int, dict[str, float]]:
        """Labels that came with the corpus, of at most about `most` of the answered clips."""
        with self._read() as connection:
            return surveys.given_labels(connection, model_id, most)

    def clips(
        self, model_id: int, by: str, scores: Mapping[int, float], *, answered: bool = False
    ) -> Generator[RankedClip]:
        """The clips of those numbers in that order, each with the model's answer and its score.

        `answered` is whether to tell what people answered about each.

        A score that the store has itself comes from there, whatever `scores` says: its margin is
        low where a selection's is high.
        """
        with self._read() as connection:
            yield from ranking.clips(connection, model_id, by, scores, answered=answered)

    def candidates(
        self, model_id: int, split: str | None = None, *, to_ask: bool, latents: bool
    ) -> Candidates:
        """The clips of the present plans that the model has answered.

        Args:
            model_id: from `register_model`.
            split: only clips of this split.
            to_ask: leave out those that somebody has labelled or called unusable, in whatever
                project, with their copies; and of other copies all but the first.
            latents: read latents, 256 bytes a clip of the default network.
        """
        with self._read() as connection:
            return candidates(connection, model_id, split, to_ask=to_ask, latents=latents)

    def label_answers(self, model_id: int, clip_id: Codes) -> Floats:
        """(4, n, q) p, p_mu, p_sigma and p_direct of clips whose numbers rise, NaN without one."""
        with self._read() as connection:
            return label_answers(connection, model_id, clip_id)

    def timeline(self, model_id: int | None, split: str | None = None) -> Generator[MediaClip]:
        """Clips that the model has annotated or people have answered, file by file, by time.

        By path. Read as they are asked for, all of one moment, as in `ranked`. Without a model
        those that people have answered.
        """
        with self._read() as connection:
            yield from timeline.timeline(connection, model_id, split)

    def has_clip(self, clip_id: int) -> bool:
        """Whether there is a clip of that number, of whatever plan."""
        with self._read() as connection:
            return targets.has_clip(connection, clip_id)

    def bounds(self, path: Path) -> dict[Bounds, int]:
        """The numbers of the clips of a file's present plan, by where they lie."""
        with self._read() as connection:
            return timeline.bounds(connection, path)

    def show(self, what: int | str | Path) -> list[ClipDetail]:
        """All that is known of a clip, by its number, or of a file's clips, by its path.

        Text of digits alone is a number. Clips of earlier plans are among a file's.

        Raises:
            UsageError: there is no such clip or file.
        """
        with self._read() as connection:
            return queries.show(connection, what)

    def two_answers(self, first: str, second: str) -> Generator[TwoAnswers]:
        """What two models, by name, say of the clips that both have annotated; see `ranked`."""
        with self._read() as connection:
            yield from known.two_answers(connection, first, second)

    # What goes to people and comes back.

    def save_project(
        self, server: str, number: int, title: str, labels: Sequence[str]
    ) -> ReviewProject:
        """Enter a project by the server's address and its number there, or its new title.

        Labels of a known project stay as they were entered first.
        """
        with self._write() as connection:
            return tasks.save_project(connection, server, number, title, labels)

    def projects(self, server: str | None = None) -> list[ReviewProject]:
        """The projects on a server, however its address is spelled, or all, oldest first."""
        with self._read() as connection:
            return tasks.projects(connection, server)

    def tasks(self, project_id: int) -> list[SentTask]:
        """Every clip that was sent to the project or is being sent."""
        with self._read() as connection:
            return tasks.tasks(connection, project_id)

    def clips_of_samples(self, samples: Sequence[str]) -> dict[str, int]:
        """The clips of samples, as far as they were ever sent to a project, whichever."""
        with self._read() as connection:
            return known.clips_of_samples(connection, samples)

    def known_clips(self, model_id: int, clip_ids: Sequence[int]) -> dict[int, KnownClip]:
        """Clips whose files were opened, each with the model's answer if it has given one."""
        with self._read() as connection:
            return known.known_clips(connection, model_id, clip_ids)

    def places(self, clip_ids: Sequence[int]) -> dict[int, ClipPlace]:
        """Where clips lie whose files were opened, who speaks, and their splits."""
        with self._read() as connection:
            return known.places(connection, clip_ids)

    def begin_sending(
        self,
        project_id: int,
        model_id: int,
        samples: Mapping[str, int],
        reasons: Mapping[str, TaskReason] = MappingProxyType({}),
        *,
        shown: bool,
    ) -> None:
        """Enter clips, sample → clip, before they are sent: a kill then leaves a trace.

        Those that are there stay as they are; those that are gone are entered again. `reasons`
        says of samples why they are sent.
        """
        with self._write() as connection:
            tasks.begin_sending(connection, project_id, model_id, samples, reasons, shown=shown)

    def audited(self, project_id: int, samples: Sequence[str]) -> None:
        """Write down that samples were drawn for an audit, those too that were there before.

        A clip stays in the audit that it was drawn for, even if its score chooses it later.
        """
        with self._write() as connection:
            tasks.audited(connection, project_id, samples)

    def sent(self, project_id: int, numbers: Mapping[str, int]) -> None:
        """Write down that samples are there, sample → number of the task."""
        with self._write() as connection:
            tasks.sent(connection, project_id, numbers)

    def gone(self, project_id: int, numbers: Sequence[int]) -> int:
        """Write down that tasks are no longer on the server; returns how many had been there."""
        with self._write() as connection:
            return tasks.gone(connection, project_id, numbers)

    def save_answers(
        self,
        project_id: int,
        found: Mapping[int, Sequence[Answer]],
        pulled_to: datetime | None = None,
        pulled_from: datetime | None = None,
        doubles: Mapping[int, str] = MappingProxyType({}),
    ) -> SavedAnswers:
        """Make the present answers about tasks those that were found there, and move the cursor.

        Every version of an answer is kept: what a newer one replaces, and what was deleted, is
        no longer present but stays.

        Args:
            project_id: of the tasks.
            found: task number → all answers about it that are on the server, perhaps none.
            pulled_to: up to when changes were seen; None leaves the cursor where it is.
            pulled_from: the cursor that the answers were read from. If another pull has moved it
                since, the older of both stands: each may have put older answers in place of newer.
            doubles: of the tasks those that show a clip which another task shows, too: number →
                sample.

        Raises:
            KeyError: a task is none that we sent, nor a double of one.
        """
        with self._write() as connection:
            saved = annotations.save_answers(connection, project_id, found, doubles)
            if pulled_to is not None:
                tasks.move_cursor(connection, project_id, pulled_from, pulled_to)
            return saved

    def has_answers(self) -> bool:
        """Whether anybody has answered anything, and has not taken it back."""
        with self._read() as connection:
            return annotations.has_answers(connection)

    def imported_project(self, title: str, labels: Sequence[str]) -> ReviewProject:
        """The project of answers from files that has this title; made where there is none.

        Labels of a known project stay as they are.
        """
        with self._write() as connection:
            return imported.imported_project(connection, title, labels)

    def save_imported(self, project_id: int, given: Sequence[GivenAnswer]) -> SavedAnswers:
        """Make answers from files the present ones of their people about their clips.

        One that says what is known already changes nothing; another becomes a newer version, and
        the older is kept.
        """
        with self._write() as connection:
            return imported.save_imported(connection, project_id, given)

    def answers(self, project_id: int | None = None) -> list[ClipAnswer]:
        """People's present answers, of one project or of all, by clip."""
        with self._read() as connection:
            return annotations.answers(connection, project_id)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(self._place), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with translated(self._place), self._writing.begin() as connection:
            yield connection
