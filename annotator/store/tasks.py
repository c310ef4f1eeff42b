"""Projects, and the clips that were sent to them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, func, select, update

from annotator.store.addresses import canonical
from annotator.store.columns import readable
from annotator.store.database import CHUNK, AnyRow, AnySelect, in_chunks, insert
from annotator.store.review_records import ProjectCounts, ReviewProject, SentTask, TaskReason
from annotator.store.schema import Annotation, Project, Task

_PROJECT = (
    Project.id,
    Project.server,
    Project.number,
    Project.title,
    Project.labels,
    Project.pulled_to,
)
_TASK = (
    Task.sample,
    Task.clip_id,
    Task.number,
    Task.state,
    Task.shown,
    Task.model_id,
    Task.reason,
)


def save_project(
    connection: Connection, server: str, number: int, title: str, labels: Sequence[str]
) -> ReviewProject:
    """Enter a project, or its new title; its labels stay as they were entered first."""
    known = (p.server for p in projects(connection, server) if p.number == number)
    server = next(known, server)  # the spelling of its address that was entered first
    row = insert(connection.dialect, Project).values(
        server=server,
        number=number,
        title=readable(title),
        labels=list(labels),
        created_at=datetime.now(UTC),
    )
    row = row.on_conflict_do_update(
        index_elements=[Project.server, Project.number], set_={"title": row.excluded.title}
    )
    connection.execute(row)
    chosen: Any = select(*_PROJECT).where(Project.server == server, Project.number == number)
    return _project(connection.execute(chosen).one())


def projects(connection: Connection, server: str | None) -> list[ReviewProject]:
    """Those on a server, however its address is spelled, or all, oldest first."""
    chosen: Any = select(*_PROJECT).order_by(Project.id)
    found = [_project(row) for row in connection.execute(chosen)]
    return [p for p in found if server is None or canonical(p.server) == canonical(server)]


def counts(connection: Connection) -> tuple[ProjectCounts, ...]:
    """Every project at a glance, oldest first."""
    sent_tasks: AnySelect = select(Task.project_id, Task.state, func.count())
    given: AnySelect = select(Annotation.project_id, Annotation.state, func.count())
    given = given.where(Annotation.current)
    by_task = _by_state(connection, sent_tasks.group_by(Task.project_id, Task.state))
    by_answer = _by_state(connection, given.group_by(Annotation.project_id, Annotation.state))
    return tuple(
        ProjectCounts(p.server, p.number, p.title, by_task[p.project_id], by_answer[p.project_id])
        for p in projects(connection, None)
    )


def _by_state(connection: Connection, rows: AnySelect) -> defaultdict[int, dict[str, int]]:
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for project_id, state, count in connection.execute(rows):
        found[project_id][state] = count
    return found


def move_cursor(
    connection: Connection, project_id: int, start: datetime | None, end: datetime
) -> None:
    """Move a project's cursor; see `Store.save_answers`."""
    chosen: Any = select(Project.pulled_to).where(Project.id == project_id)
    now: datetime | None = connection.scalar(chosen)
    if now is not None and now != start:
        end = min(now, end)
    connection.execute(update(Project).where(Project.id == project_id).values(pulled_to=end))


def tasks(connection: Connection, project_id: int) -> list[SentTask]:
    """Every clip that was sent to the project or is being sent."""
    chosen: Any = select(*_TASK).where(Task.project_id == project_id).order_by(Task.sample)
    return [SentTask(*row) for row in connection.execute(chosen)]


def begin_sending(
    connection: Connection,
    project_id: int,
    model_id: int,
    samples: Mapping[str, int],
    reasons: Mapping[str, TaskReason],
    *,
    shown: bool,
) -> None:
    """Enter clips by sample before they are sent; those that were there and are gone, again."""
    if not samples:
        return
    row = insert(connection.dialect, Task)
    row = row.on_conflict_do_update(
        index_elements=[Task.project_id, Task.sample],
        set_={
            name: row.excluded[name]
            for name in ("clip_id", "model_id", "number", "state", "shown", "created_at")
        }
        | {"reason": case((Task.reason == "audit", "audit"), else_=row.excluded["reason"])},
        where=Task.state != "there",
    )
    now = datetime.now(UTC)
    connection.execute(
        row,
        [
            {
                "project_id": project_id,
                "sample": sample,
                "clip_id": clip_id,
                "model_id": model_id,
                "number": None,
                "state": "sending",
                "shown": shown,
                "created_at": now,
                "reason": reasons.get(sample),
            }
            for sample, clip_id in samples.items()
        ],
    )


def audited(connection: Connection, project_id: int, samples: Sequence[str]) -> None:
    """Write down that samples were drawn for an audit, whatever else they were sent for."""
    for first in range(0, len(samples), CHUNK):
        connection.execute(
            update(Task)
            .where(Task.project_id == project_id, Task.sample.in_(samples[first : first + CHUNK]))
            .values(reason="audit")
        )


def sent(connection: Connection, project_id: int, numbers: Mapping[str, int]) -> None:
    """Write down that samples are there, and as which task."""
    for sample, number in numbers.items():
        connection.execute(
            update(Task)
            .where(Task.project_id == project_id, Task.sample == sample)
            .values(number=number, state="there")
        )


def gone(connection: Connection, project_id: int, numbers: Sequence[int]) -> int:
    """Write down that tasks are no longer on the server; returns how many that were there."""
    known: Any = select(Task.sample).where(Task.project_id == project_id, Task.state == "there")
    samples = [row.sample for row in in_chunks(connection, known, Task.number, numbers)]
    for sample in samples:
        connection.execute(
            update(Task)
            .where(Task.project_id == project_id, Task.sample == sample)
            .values(state="gone")
        )
    return len(samples)


def _project(row: AnyRow) -> ReviewProject:
    return ReviewProject(
        row.id, row.server, row.number, row.title, tuple(row.labels), row.pulled_to
    )
