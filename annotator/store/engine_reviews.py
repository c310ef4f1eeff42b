"""What goes to people and comes back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from annotator.store import annotations, imported, known, tasks
from annotator.store.records import ClipPlace, KnownClip
from annotator.store.review_records import (
    Answer,
    ClipAnswer,
    GivenAnswer,
    ReviewProject,
    SavedAnswers,
    SentTask,
    TaskReason,
)
from annotator.store.transactions import Transactions


class ReviewStore(Transactions):
    """Projects, tasks and answers; see `Store`."""

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
