"""Send clips to a project, each exactly once, whatever happens on the way.

The server does not know doubles, so three things keep them away. Every task carries the name of
its sample. It is entered in our database before it is sent, so that a kill leaves a trace. And
wherever it is uncertain whether tasks have arrived, the server is asked for their samples before
any is sent again, and once more at the end, when what arrived late is removed.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from annotator.errors import UsageError
from annotator.labelstudio.failures import ServerFault
from annotator.labelstudio.interface import interface
from annotator.labelstudio.payload import Json, check
from annotator.labelstudio.server import Server
from annotator.store.engine import Store
from annotator.store.review_records import ReviewProject, TaskReason

BATCH = 500  # tasks a request: 1.7 s on two cores, where 100 take twice as long in all
ATTEMPTS = 4  # to send a batch
WAIT_S = 60.0  # at most, for a server that asks for it, or that may still be at it
LOOKS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)  # after a break: when to see whether tasks have arrived


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A task to send: its sample, the clip it shows, what the server is given, and why it is sent.

    The reason stays with us: who labels a clip is not to know it.
    """

    sample: str
    clip_id: int
    payload: Json
    reason: TaskReason = "score"


@dataclass(frozen=True, slots=True)
class Push:
    """What came of a push: tasks sent now, found to be there already, and removed as doubles."""

    sent: int
    there: int
    doubles: int


Sleep = Callable[[float], None]


def push(
    store: Store,
    server: Server,
    project: ReviewProject,
    model_id: int,
    outgoing: Sequence[Outgoing],
    *,
    shown: bool,
    progress: Callable[[int], None] = lambda _count: None,
    sleep: Sleep = time.sleep,
) -> Push:
    """Send what is not there yet.

    Args:
        store: where it is written down.
        server: to send to.
        project: on it.
        model_id: whose answers the tasks carry.
        outgoing: each sample once.
        shown: whether the tasks show the model's answer.
        progress: told how many tasks have been dealt with since it was last told.
        sleep: waits; tests need not.

    Raises:
        ServerFault: the server did not do it; what is there is written down, and the same call
            goes on from there.
        UsageError: it does not accept a task.
        ValueError: a task shows what the project does not ask; nothing was sent.
    """
    check([task.payload for task in outgoing], interface(project.labels))
    reasons = {task.sample: task.reason for task in outgoing}
    sending = _Sending(store, server, project, model_id, shown, sleep, reasons)
    there = sending.already(outgoing)
    store.audited(project.project_id, [s for s in sorted(there) if reasons[s] == "audit"])
    progress(len(there))
    rest = [task for task in outgoing if task.sample not in there]
    for first in range(0, len(rest), BATCH):
        batch = rest[first : first + BATCH]
        sending.send(batch)
        progress(len(batch))
    return Push(len(rest), len(there), sending.remove_doubles())


@dataclass(slots=True)
class _Sending:
    """One push under way; `unsure` are the samples that may have been sent more than once."""

    store: Store
    server: Server
    project: ReviewProject
    model_id: int
    shown: bool
    sleep: Sleep
    reasons: Mapping[str, TaskReason]
    unsure: set[str] = field(default_factory=set)

    def already(self, outgoing: Sequence[Outgoing]) -> set[str]:
        """The samples that are there, by our own book and, where that may lag, by the server's."""
        book = self.store.tasks(self.project.project_id)
        there = {t.sample: t.number for t in book if t.state == "there" and t.number is not None}
        halfway = {task.sample for task in book if task.state == "sending"}
        wanted = {task.sample: task.clip_id for task in outgoing}
        asked = halfway
        if self.server.project(self.project.number).tasks != len(there):
            # The book may lack tasks, or know one of several, or ones that were removed since: ask
            # for all that matter here.
            asked = halfway | set(there) | set(wanted)
        found = self._find(asked)
        lost = {s: n for s, n in there.items() if s in asked and s not in found}
        self.store.gone(self.project.project_id, sorted(lost.values()))
        there = {sample: number for sample, number in there.items() if sample not in lost}
        new = {
            sample: clip
            for sample, clip in wanted.items()
            if sample in found and sample not in there
        }
        self._enter(new)
        self._note({sample: found_at for sample, found_at in found.items() if sample not in there})
        return (set(there) | set(found)) & set(wanted)

    def send(self, batch: Sequence[Outgoing]) -> None:
        """Send a batch until every task of it is there."""
        self._enter({task.sample: task.clip_id for task in batch})
        left = list(batch)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                numbers = self.server.import_tasks(
                    self.project.number, [task.payload for task in left]
                )
            except ServerFault as fault:
                left = self._after(fault, left)
                if not left:
                    return
                if attempt == ATTEMPTS:
                    raise
            else:
                samples = [task.sample for task in left]
                self._note(dict(zip(samples, numbers, strict=True)))
                return

    def _after(self, fault: ServerFault, left: list[Outgoing]) -> list[Outgoing]:
        """Wait as the fault demands; what is then still to be sent."""
        if fault.certain:
            if fault.retry_s is None or fault.retry_s > WAIT_S:
                raise fault
            self.sleep(fault.retry_s)
            return left
        samples = {task.sample for task in left}
        self.unsure |= samples
        arrived: set[str] = set()
        for wait in LOOKS_S:
            self.sleep(wait)
            found = self._find(samples - arrived)
            self._note(found)
            arrived |= set(found)
            if arrived == samples:
                break
        return [task for task in left if task.sample not in arrived]

    def remove_doubles(self) -> int:
        """Remove what arrived twice, but never what somebody has answered; returns how many.

        Which of several stays is written down first: answers are fetched from that one alone.
        """
        removed = 0
        book = self.store.tasks(self.project.project_id)
        known = {task.number for task in book if task.state == "there"}
        found = self.server.find(self.project.number, sorted(self.unsure))
        for sample, numbers in found.items():
            answered = [n for n in numbers if len(numbers) > 1 and self.server.annotated(n)]
            staying = answered or [next((n for n in numbers if n in known), numbers[0])]
            self._note({sample: next((n for n in staying if n in known), staying[0])})
            for number in sorted(set(numbers) - set(staying)):
                self.server.delete_task(number)
                removed += 1
        return removed

    def _enter(self, samples: Mapping[str, int]) -> None:
        self.store.begin_sending(
            self.project.project_id, self.model_id, samples, self.reasons, shown=self.shown
        )

    def _find(self, samples: set[str]) -> dict[str, int]:
        """Those samples that are on the server, as which task; several make us unsure."""
        found = self.server.find(self.project.number, sorted(samples))
        self.unsure |= {sample for sample, numbers in found.items() if len(numbers) > 1}
        return {sample: numbers[0] for sample, numbers in found.items()}

    def _note(self, numbers: Mapping[str, int]) -> None:
        self.store.sent(self.project.project_id, numbers)


@contextmanager
def alone(
    folder: Path, name: str = "labelstudio", doing: str = "sending clips from"
) -> Iterator[None]:
    """Let only one process at a time do something with a workspace: by default, send from it.

    Raises:
        UsageError: another is at it.
    """
    with (folder / f"{name}.lock").open("w") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError:
            raise UsageError(
                f"another command is {doing} this workspace: wait until it is done"
            ) from None
        yield
