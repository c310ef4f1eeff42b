"""Fetch what people answered: every answer of every person, as far as it has changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from annotator.labelstudio import server as servers
from annotator.labelstudio.answers import (
    Json,
    TaskAnswers,
    Unreadable,
    authors,
    changed_at,
    read_task,
)
from annotator.labelstudio.interface import Interface, interface
from annotator.labelstudio.server import Server, sample_in
from annotator.store.engine import Store
from annotator.store.review_records import Answer, ReviewProject, SavedAnswers, SentTask

OVERLAP = timedelta(seconds=5)  # what a server commits late
CHUNK = 200  # tasks saved at a time
MAX_NAMED = 10  # tasks that a line names


@dataclass(frozen=True, slots=True)
class Pull:
    """What came of a pull: answers by what became of them, tasks lost, and what is odd."""

    answers: SavedAnswers
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

    The next pull begins at the newest change of before this one began. What people do while it
    reads is newer than that, and is read again.

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
    found, newest = pulling.changes(since)
    for raw in found:
        pulling.take(raw)
        if len(pulling.found) >= CHUNK:
            progress(len(pulling.found))
            pulling.save(None)
    progress(len(pulling.found))
    pulling.save(None)
    gone = pulling.find_gone() if held != len(pulling.ours) or pulling.foreign else 0
    if gone:
        pulling.take_successors()
    pulling.save(newest)
    return Pull(pulling.saved, pulling.tasks, gone, pulling.odd())


@dataclass(slots=True)
class _Pulling:
    """One pull under way. `ours` are our tasks by their number, `foreign` those of others.

    `doubles` are those of the others that carry a sample of ours.
    """

    store: Store
    server: Server
    project: ReviewProject
    saved: SavedAnswers = field(default_factory=SavedAnswers)
    tasks: int = 0
    unread: bool = False
    problems: list[str] = field(default_factory=list)
    foreign: set[int] = field(default_factory=set)
    doubles: list[Mapping[str, object]] = field(default_factory=list)
    found: dict[int, Sequence[Answer]] = field(default_factory=dict)
    shape: Interface = field(init=False)
    ours: dict[int, str] = field(init=False)
    _book: dict[str, SentTask] = field(init=False)
    _people: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shape = interface(self.project.labels)
        self._read_book()

    def _read_book(self) -> None:
        self._book = {t.sample: t for t in self.store.tasks(self.project.project_id)}
        self.ours = {
            task.number: sample
            for sample, task in self._book.items()
            if task.state == "there" and task.number is not None
        }

    def changes(self, since: datetime | None) -> tuple[Iterable[Json], datetime | None]:
        """The tasks that changed, and the newest change of which none of before is missing.

        A page of them is of one moment. While several are read people go on; so it is then the
        newest change of before the reading began, which begins anew.
        """
        number = self.project.number
        found = list(islice(self.server.changed(number, since), servers.PAGE + 1))
        if len(found) <= servers.PAGE:
            return found, max(filter(None, map(self._changed_at, found)), default=None)
        last = self.server.changed_last(number)
        newest = None if last is None else self._changed_at(last)
        return self.server.changed(number, since), newest

    def _changed_at(self, raw: Json) -> datetime | None:
        try:
            return changed_at(raw)
        except Unreadable:
            return None  # of a task that is left alone

    def take(self, raw: Mapping[str, object]) -> None:
        """Read a task; one that is not ours is left alone."""
        try:
            read = self._read(raw)
        except Unreadable as error:
            self.problems.append(f"a task was left alone: {error}")
            self.unread = True
            return
        sample = sample_in(raw)
        if not self._is_ours(read.task, sample):
            self.foreign.add(read.task)
            if sample in self._book:
                self.doubles.append(raw)
            return
        self.tasks += 1
        self.problems += read.problems
        self.found[read.task] = read.answers

    def _is_ours(self, number: int, sample: str | None) -> bool:
        """Whether it is the task of a sample of ours: numbers alone are used again by servers.

        One that a push was sending when it was cut off, or that had gone and is back, is there.
        """
        known = None if sample is None else self._book.get(sample)
        if known is None:
            return False
        if known.state == "there":
            return known.number == number
        if number in self.ours:  # of a task that was removed
            self.store.gone(self.project.project_id, [number])
        self.store.sent(self.project.project_id, {known.sample: number})
        self._book[known.sample] = replace(known, state="there", number=number)
        self.ours[number] = known.sample
        return True

    def _read(self, raw: Mapping[str, object]) -> TaskAnswers:
        people = authors(raw)
        if None in people.values():
            self._people = self._people or self.server.people()
        named = {number: name for number, name in people.items() if name is not None}
        return read_task(raw, self.shape, {**self._people, **named})

    def save(self, pulled_to: datetime | None) -> None:
        """Write down what was found; the cursor moves once all of it is."""
        self.saved += self.store.save_answers(
            self.project.project_id,
            self.found,
            None if self.unread else pulled_to,
            self.project.pulled_to,
        )
        self.found = {}

    def find_gone(self) -> int:
        """Write down which of our tasks are no longer there; their answers stay."""
        there = self.server.task_numbers(self.project.number) - self.foreign
        return self.store.gone(self.project.project_id, sorted(self.ours.keys() - there))

    def take_successors(self) -> None:
        """Read doubles again whose task turned out to be gone: now they are ours.

        The next pull would not: they changed before where it begins.
        """
        self._read_book()
        doubles, self.doubles = self.doubles, []
        self.foreign -= {int(str(raw["id"])) for raw in doubles}
        for raw in doubles:
            self.take(raw)

    def odd(self) -> tuple[str, ...]:
        """What is odd about what was read, a line each."""
        if not self.foreign:
            return tuple(self.problems)
        named = ", ".join(str(number) for number in sorted(self.foreign)[:MAX_NAMED])
        more = ", ..." if len(self.foreign) > MAX_NAMED else ""
        count = "1 task is" if len(self.foreign) == 1 else f"{len(self.foreign)} tasks are"
        line = f"{count} not ours or doubles of ours, and left alone: {named}{more}"
        return (*self.problems, line)
