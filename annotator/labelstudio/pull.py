"""Fetch what people answered: every answer of every person, as far as it has changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from annotator.labelstudio.answers import TaskAnswers, Unreadable, read_task
from annotator.labelstudio.interface import interface
from annotator.labelstudio.server import Server
from annotator.store.engine import Store
from annotator.store.review_records import Answer, Pulled, ReviewProject

OVERLAP = timedelta(seconds=5)  # what a server commits late, or with a clock of its own
CHUNK = 200  # tasks saved at a time


@dataclass(frozen=True, slots=True)
class Pull:
    """What came of a pull: answers by what became of them, tasks lost, and what is odd."""

    answers: Pulled
    tasks: int
    gone: int
    problems: tuple[str, ...]


def pull(
    store: Store,
    server: Server,
    project: ReviewProject,
    *,
    everything: bool = False,
    progress: Callable[[int], None] = lambda _count: None,
) -> Pull:
    """Fetch the tasks that changed since the last pull, and make their answers ours.

    Args:
        store: where the answers go.
        server: to ask.
        project: on it.
        everything: ask for all tasks again; what is known stays as it is.
        progress: told how many tasks have been read since it was last told.

    Raises:
        ServerFault: the server does not answer. What was saved stays, and the next pull asks for
            the rest again.
        Missing: the project is no longer there.
    """
    held = server.project(project.number).tasks
    pulling = _Pulling(store, server, project)
    since = None if everything or project.pulled_to is None else project.pulled_to - OVERLAP
    for raw in server.changed(project.number, since):
        pulling.take(raw)
        if len(pulling.found) >= CHUNK:
            pulling.save(None)
            progress(CHUNK)
    progress(len(pulling.found))
    pulling.save(pulling.newest)
    gone = pulling.find_gone() if held != len(pulling.ours) else 0
    return Pull(pulling.saved, pulling.tasks, gone, tuple(pulling.problems))


@dataclass(slots=True)
class _Pulling:
    """One pull under way."""

    store: Store
    server: Server
    project: ReviewProject
    saved: Pulled = field(default_factory=Pulled)
    tasks: int = 0
    newest: datetime | None = None
    problems: list[str] = field(default_factory=list)
    found: dict[int, Sequence[Answer]] = field(default_factory=dict)
    ours: set[int] = field(init=False)
    _people: Mapping[int, str] | None = None

    def __post_init__(self) -> None:
        book = self.store.tasks(self.project.project_id)
        self.ours = {t.number for t in book if t.state == "there" and t.number is not None}

    def take(self, raw: Mapping[str, object]) -> None:
        """Read a task; one that is not ours is left alone."""
        try:
            read = self._read(raw)
        except Unreadable as error:
            self.problems.append(f"a task was left alone: {error}")
            return
        self.newest = max(filter(None, (self.newest, read.changed_at)))
        if read.task not in self.ours:
            self.problems.append(f"task {read.task} is not one of ours and was left alone")
            return
        self.tasks += 1
        self.problems += read.problems
        self.found[read.task] = read.answers

    def _read(self, raw: Mapping[str, object]) -> TaskAnswers:
        if self._people is None and raw.get("annotations"):
            self._people = self.server.people()
        return read_task(raw, interface(self.project.labels), self._people or {})

    def save(self, pulled_to: datetime | None) -> None:
        """Write down what was found; the cursor moves once all of it is."""
        self.saved += self.store.save_answers(self.project.project_id, self.found, pulled_to)
        self.found = {}

    def find_gone(self) -> int:
        """Write down which of our tasks are no longer there; their answers stay."""
        there = self.server.task_numbers(self.project.number)
        return self.store.gone(self.project.project_id, sorted(self.ours - there))
