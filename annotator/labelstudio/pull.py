"""Fetch what people answered: every answer of every person, as far as it has changed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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

Progress = Callable[[int, int], None]


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
    progress: Progress = lambda _count, _total: None,
) -> Pull:
    """Fetch the tasks that changed since the last pull, and make their answers ours.

    The next pull begins at the newest change of before this one began. What people do while it
    reads is newer than that, and is read again.

    Args:
        store: where the answers go.
        server: to ask.
        project: on it.
        everything: ask for all tasks again; what is known stays as it is.
        progress: told how many tasks have been read since it was last told, and how many there
            are to read.

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
            progress(len(pulling.found), pulling.total)
            pulling.save(None)
    progress(len(pulling.found), pulling.total)
    pulling.save(None)
    others = pulling.foreign or pulling.doubles
    gone = pulling.find_gone() if held != len(pulling.ours) or others else 0
    if gone:
        pulling.take_successors()
    pulling.save(newest)
    return Pull(pulling.saved, pulling.tasks, gone, pulling.odd())


@dataclass(slots=True)
class _Pulling:
    """One pull under way. `ours` are our tasks by their number, `foreign` those of others.

    `doubles` are tasks, and their samples, which are there a second time. What people say of them
    they say of the same clip.
    """

    store: Store
    server: Server
    project: ReviewProject
    saved: SavedAnswers = field(default_factory=SavedAnswers)
    tasks: int = 0
    total: int = 0
    unread: bool = False
    problems: list[str] = field(default_factory=list)
    foreign: set[int] = field(default_factory=set)
    doubles: dict[int, str] = field(default_factory=dict)
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
        found = list(islice(self.server.changed(number, since, self._count), servers.PAGE + 1))
        if len(found) <= servers.PAGE:
            return found, max(filter(None, map(self._changed_at, found)), default=None)
        last = self.server.changed_last(number)
        newest = None if last is None else self._changed_at(last)
        return self.server.changed(number, since, self._count), newest

    def _count(self, total: int) -> None:
        self.total = total

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
        if sample is None or sample not in self._book:
            self.foreign.add(read.task)
            return
        if not self._is_ours(read.task, sample):
            self.doubles[read.task] = sample
        self.tasks += 1
        self.problems += read.problems
        self.found[read.task] = read.answers

    def _is_ours(self, number: int, sample: str) -> bool:
        """Whether it is the task that we know of a sample of ours.

        One that a push was sending when it was cut off, or that had gone and is back, is there.
        """
        known = self._book[sample]
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
            self.doubles,
        )
        self.found = {}

    def find_gone(self) -> int:
        """Write down which of our tasks are no longer there; their answers stay."""
        there = self.server.task_numbers(self.project.number) - self.foreign - self.doubles.keys()
        return self.store.gone(self.project.project_id, sorted(self.ours.keys() - there))

    def take_successors(self) -> None:
        """Know doubles as ours whose task turned out to be gone."""
        self._read_book()
        self.doubles = {
            n: sample for n, sample in self.doubles.items() if not self._is_ours(n, sample)
        }

    def odd(self) -> tuple[str, ...]:
        """What is odd about what was read, a line each."""
        lines = list(self.problems)
        if self.foreign:
            lines.append(f"{_named(self.foreign)} not ours, and left alone")
        if self.doubles:
            lines.append(f"{_named(self.doubles)} there a second time: answers to both count")
        return tuple(lines)


def _named(numbers: Collection[int]) -> str:
    """How many tasks, and which.

    >>> _named([7]), _named([9, 8])
    ('1 task (7) is', '2 tasks (8, 9) are')
    """
    named = ", ".join(str(number) for number in sorted(numbers)[:MAX_NAMED])
    more = ", ..." if len(numbers) > MAX_NAMED else ""
    return (
        f"1 task ({named}) is" if len(numbers) == 1 else f"{len(numbers)} tasks ({named}{more}) are"
    )
