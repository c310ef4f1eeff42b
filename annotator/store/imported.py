"""Answers that people gave elsewhere: every version of each is kept, and the newest is marked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from annotator.store.annotations import answers_about, enter, retire, signed
from annotator.store.columns import epoch_ms, readable
from annotator.store.review_records import (
    IMPORTED,
    Answer,
    ClipAnswer,
    GivenAnswer,
    ReviewProject,
    SavedAnswers,
)
from annotator.store.schema import Annotation, Project
from annotator.store.tasks import projects, save_project

_TICK = timedelta(milliseconds=1)  # what the database tells moments apart by


def imported_project(connection: Connection, title: str, labels: Sequence[str]) -> ReviewProject:
    """The project of that title that no server has; it is made where there is none."""
    known = [p for p in projects(connection, IMPORTED) if p.title == readable(title)]
    if known:
        return known[0]
    last: Any = select(func.max(Project.number)).where(Project.server == IMPORTED)
    number = (connection.scalar(last) or 0) + 1
    return save_project(connection, IMPORTED, number, title, labels)


def save_imported(
    connection: Connection, project_id: int, given: Sequence[GivenAnswer]
) -> SavedAnswers:
    """Make these the present answers of their people; see `Store.save_imported`."""
    present = {
        (known.clip_id, known.answer.annotator): known
        for known in answers_about(connection, sorted({answer.clip_id for answer in given}))
        if known.project_id == project_id
    }
    last: Any = select(func.max(Annotation.number)).where(Annotation.project_id == project_id)
    number: int = connection.scalar(last) or 0
    total = SavedAnswers()
    for answer in given:
        person = readable(answer.annotator)
        old = present.get((answer.clip_id, person))
        if old is not None and _says(old.answer) == _says(answer):
            total += SavedAnswers(known=1)
            continue
        number += old is None
        new = _version(answer, person, old, number)
        if old is not None:
            retire(connection, project_id, answer.clip_id, new.number)
        enter(connection, project_id, answer.clip_id, new, signed(person, None))
        present[answer.clip_id, person] = ClipAnswer(answer.clip_id, project_id, new)
        total += SavedAnswers(new=1) if old is None else SavedAnswers(changed=1)
    return total


def _version(answer: GivenAnswer, person: str, old: ClipAnswer | None, number: int) -> Answer:
    """The answer as of now, and in any case later than what it replaces."""
    now = datetime.now(UTC)
    new = Answer(
        number=number,
        task=answer.clip_id,
        annotator=person,
        state=answer.state,
        labels=answer.labels,
        neutral=answer.neutral,
        comment=answer.comment,
        lead_seconds=None,
        unchanged=None,
        result=answer.source,
        created_at=now,
        updated_at=now,
    )
    if old is None:
        return new
    before = old.answer
    later = now if epoch_ms(now) > epoch_ms(before.updated_at) else before.updated_at + _TICK
    return replace(new, number=before.number, created_at=before.created_at, updated_at=later)


def _says(answer: Answer | GivenAnswer) -> tuple[object, ...]:
    """What two versions must share to be the same answer."""
    labels = {readable(given.label): given.intensity for given in answer.labels}
    comment = None if answer.comment is None else readable(answer.comment)
    return answer.state, answer.neutral, labels, comment
