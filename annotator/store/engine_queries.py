"""What is asked of the store: clips in many orders, models, counts."""

from collections.abc import Generator, Mapping
from pathlib import Path

from annotator.store import known, queries, ranking, runs, targets, timeline
from annotator.store import survey as surveys
from annotator.store.candidates import Candidates, Codes, Floats, candidates, label_answers
from annotator.store.records import (
    ClipDetail,
    Failure,
    MediaClip,
    ModelRecord,
    OpenedMedia,
    RankedClip,
    Status,
    TwoAnswers,
)
from annotator.store.survey import Survey
from annotator.store.transactions import Transactions
from annotator.types import Bounds


class QueryStore(Transactions):
    """Reads alone; see `Store`."""

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
