"""People's answers: every version of each is kept, and the newest is marked."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, select, update

from annotator.store.columns import epoch_ms, readable, readable_or_none
from annotator.store.database import AnyRow, in_chunks, insert
from annotator.store.review_records import Answer, ClipAnswer, GivenLabel, SavedAnswers
from annotator.store.schema import Annotation, AnnotationLabel, Task

_SIGNATURE = re.compile(r"(.*), ([0-9]{0,18})", re.DOTALL)


def save_answers(
    connection: Connection,
    project_id: int,
    found: Mapping[int, Sequence[Answer]],
    doubles: Mapping[int, str],
) -> SavedAnswers:
    """Make the present answers about tasks those that were found; see `Store.save_answers`."""
    clips = _clips(connection, project_id, list(found))
    present = {number: doubles[number] for number in doubles.keys() & found.keys()}
    clips |= _clips_of_doubles(connection, project_id, present)
    known = _current(connection, project_id, clips)
    total = SavedAnswers()
    seen: set[tuple[int, int]] = set()
    for task, answers in found.items():
        clip_id = clips[task]
        for answer in answers:
            seen.add((task, answer.number))
            old = known.get((task, answer.number))
            total += _save(connection, project_id, clip_id, answer, old)
    lost = [row.id for key, row in known.items() if key not in seen]
    for row_id in lost:
        _delete(connection, row_id)
    return total + SavedAnswers(deleted=len(lost))


def answers(connection: Connection, project_id: int | None) -> list[ClipAnswer]:
    """The present answers, of one project or of all, by clip."""
    chosen: Any = select(*Annotation.__table__.columns).where(Annotation.current)
    if project_id is not None:
        chosen = chosen.where(Annotation.project_id == project_id)
    return _answers(connection, connection.execute(chosen).all())


def has_answers(connection: Connection) -> bool:
    """Whether anybody has answered anything."""
    return connection.scalar(select(Annotation.id).where(Annotation.current).limit(1)) is not None


def answers_about(connection: Connection, clip_ids: Sequence[int]) -> list[ClipAnswer]:
    """The present answers about clips, by clip."""
    chosen: Any = select(*Annotation.__table__.columns).where(Annotation.current)
    return _answers(connection, list(in_chunks(connection, chosen, Annotation.clip_id, clip_ids)))


def answers_by_clip(
    connection: Connection, clip_ids: Sequence[int]
) -> dict[int, tuple[ClipAnswer, ...]]:
    """The present answers about those of the clips that have any."""
    found: dict[int, tuple[ClipAnswer, ...]] = {}
    for given in answers_about(connection, clip_ids):
        found[given.clip_id] = (*found.get(given.clip_id, ()), given)
    return found


def _answers(connection: Connection, found: Sequence[AnyRow]) -> list[ClipAnswer]:
    rows = sorted(found, key=lambda row: (row.clip_id, row.id))
    labels = _labels(connection, [row.id for row in rows])
    return [
        ClipAnswer(row.clip_id, row.project_id, _answer(row, labels.get(row.id, ())))
        for row in rows
    ]


def _clips(connection: Connection, project_id: int, tasks: Sequence[int]) -> dict[int, int]:
    """The clip of each of the project's tasks; servers give the numbers of removed ones again."""
    chosen: Any = select(Task.number, Task.clip_id, Task.state).where(Task.project_id == project_id)
    rows = list(in_chunks(connection, chosen, Task.number, tasks))
    return {row.number: row.clip_id for row in sorted(rows, key=lambda row: row.state == "there")}


def _clips_of_doubles(
    connection: Connection, project_id: int, doubles: Mapping[int, str]
) -> dict[int, int]:
    """The clip of each double, by the sample that it carries."""
    chosen: Any = select(Task.sample, Task.clip_id).where(Task.project_id == project_id)
    rows = in_chunks(connection, chosen, Task.sample, sorted(set(doubles.values())))
    clips = {row.sample: row.clip_id for row in rows}
    return {number: clips[sample] for number, sample in doubles.items()}


def _current(
    connection: Connection, project_id: int, clips: Mapping[int, int]
) -> dict[tuple[int, int], AnyRow]:
    """The present answers about tasks that show these clips, by their task and number."""
    chosen: Any = select(
        Annotation.id,
        Annotation.number,
        Annotation.task,
        Annotation.clip_id,
        Annotation.annotator,
        Annotation.updated_at,
    ).where(Annotation.project_id == project_id, Annotation.current)
    rows = in_chunks(connection, chosen, Annotation.task, list(clips))
    return {(row.task, row.number): row for row in rows if row.clip_id == clips[row.task]}


def _save(
    connection: Connection, project_id: int, clip_id: int, answer: Answer, old: AnyRow | None
) -> SavedAnswers:
    if old is not None and epoch_ms(old.updated_at) == epoch_ms(answer.updated_at):
        return SavedAnswers(known=1)
    replaced = retire(connection, project_id, clip_id, answer.number)
    if not _revive(connection, project_id, clip_id, answer):
        signature = signed(answer.annotator, answer.person)
        if answer.person is None and old is not None:  # the server has forgotten whose it is
            signature = old.annotator
        enter(connection, project_id, clip_id, answer, signature)
    return SavedAnswers(changed=1) if replaced else SavedAnswers(new=1)


def retire(connection: Connection, project_id: int, clip_id: int, number: int) -> bool:
    """Retire what is present of an answer; whether anything was."""
    retired = connection.execute(
        update(Annotation)
        .where(
            Annotation.project_id == project_id,
            Annotation.number == number,
            Annotation.clip_id == clip_id,
            Annotation.current,
        )
        .values(current=False)
    )
    return retired.rowcount > 0


def _revive(connection: Connection, project_id: int, clip_id: int, answer: Answer) -> bool:
    """Make a version present again that is known from before: a backup of the server came back.

    Its task may have been sent again since and have another number.
    """
    again = connection.execute(
        update(Annotation)
        .where(
            Annotation.project_id == project_id,
            Annotation.number == answer.number,
            Annotation.updated_at == answer.updated_at,
        )
        .values(current=True, deleted_at=None, task=answer.task, clip_id=clip_id)
    )
    return again.rowcount > 0


def _delete(connection: Connection, row_id: int) -> None:
    connection.execute(
        update(Annotation)
        .where(Annotation.id == row_id)
        .values(current=False, deleted_at=datetime.now(UTC))
    )


def enter(
    connection: Connection, project_id: int, clip_id: int, answer: Answer, signature: str
) -> None:
    """Add an answer of the person so signed, which becomes the present one."""
    row_id = connection.scalar(
        insert(connection.dialect, Annotation)
        .values(
            project_id=project_id,
            number=answer.number,
            task=answer.task,
            clip_id=clip_id,
            annotator=signature,
            state=answer.state,
            neutral=answer.neutral,
            comment=readable_or_none(answer.comment),
            lead_seconds=answer.lead_seconds,
            unchanged=answer.unchanged,
            result=list(answer.result),
            created_at=answer.created_at,
            updated_at=answer.updated_at,
            pulled_at=datetime.now(UTC),
            current=True,
        )
        .returning(Annotation.id)
    )
    rows = [
        {
            "annotation_id": cast(int, row_id),
            "label": readable(given.label),
            "intensity": given.intensity,
            "origin": readable_or_none(given.origin),
        }
        for given in answer.labels
    ]
    if rows:
        connection.execute(insert(connection.dialect, AnnotationLabel), rows)


def _labels(connection: Connection, rows: Sequence[int]) -> dict[int, tuple[GivenLabel, ...]]:
    chosen: Any = select(AnnotationLabel).order_by(AnnotationLabel.label)
    found: dict[int, tuple[GivenLabel, ...]] = {}
    for row in in_chunks(connection, chosen, AnnotationLabel.annotation_id, rows):
        given = GivenLabel(row.label, row.intensity, row.origin)
        found[row.annotation_id] = (*found.get(row.annotation_id, ()), given)
    return found


def signed(name: str, person: int | None) -> str:
    """A person as one text: the name they had, and the number that stays theirs.

    A name that looks like such a text, of somebody without a number, has an empty number.

    >>> signed("ann@example.com", 7), signed("somebody", None), signed("Rater, 7", None)
    ('ann@example.com, 7', 'somebody', 'Rater, 7, ')
    """
    known = readable(name)
    if person is None:
        return f"{known}, " if _SIGNATURE.fullmatch(known) else known
    return f"{known}, {person}"


def signed_by(signature: str) -> tuple[str, int | None]:
    """Undo `signed`.

    >>> signed_by("ann@example.com, 7"), signed_by("somebody"), signed_by("Rater, 7, ")
    (('ann@example.com', 7), ('somebody', None), ('Rater, 7', None))
    """
    found = _SIGNATURE.fullmatch(signature)
    if found is None:
        return signature, None
    return found[1], int(found[2]) if found[2] else None


def _answer(row: AnyRow, labels: tuple[GivenLabel, ...]) -> Answer:
    annotator, person = signed_by(row.annotator)
    return Answer(
        number=row.number,
        task=row.task,
        annotator=annotator,
        person=person,
        state=row.state,
        labels=labels,
        neutral=row.neutral,
        comment=row.comment,
        lead_seconds=row.lead_seconds,
        unchanged=row.unchanged,
        result=row.result,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
