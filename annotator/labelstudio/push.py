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
from annotator.store.review_records import ReviewProject, SentTask, TaskReason

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
    """What came of a push: tasks sent now, found to be there already, and removed as doubles.

    `completed` counts tasks whose predictions the server had lost; they are there now.
    """

    sent: int
    there: int
    doubles: int
    completed: int = 0


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
    doubles = sending.remove_doubles()
    return Push(len(rest), len(there), doubles, sending.complete(outgoing))


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
        known = {task.sample for task in book}
        self._enter_found({s: n for s, n in found.items() if s in wanted.keys() - known}, wanted)
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

        Which of several stays is written down first: it is the one we know, where it may.
        """
        number = self.project.number
        book = self.store.tasks(self.project.project_id)
        known = {task.number for task in book if task.state == "there"}
        found = self.server.find(number, sorted(self.unsure))
        several = {sample: numbers for sample, numbers in found.items() if len(numbers) > 1}
        answered = self.server.answered(number, sorted(several))
        extra: set[int] = set()
        for sample, numbers in found.items():
            staying = [n for n in numbers if n in answered] or numbers
            kept = next((n for n in staying if n in known), staying[0])
            self._note({sample: kept})
            extra |= set(numbers) - answered - {kept}
        if not extra:
            return 0
        self.server.delete_unanswered(number, sorted(extra))
        left = self.server.find(number, sorted(several))
        return len(extra.difference(*left.values()))

    def complete(self, outgoing: Sequence[Outgoing]) -> int:
        """Send the predictions that are missing; returns of how many tasks.

        An import that ended uncertainly may have lost them, and does not say. Those of other
        models' tasks are not ours to send.
        """
        if not self.shown:
            return 0
        payloads = {task.sample: task.payload for task in outgoing}
        bare = self.server.without_predictions(self.project.number)
        missing = {
            task.number: payloads[task.sample]
            for task in self.store.tasks(self.project.project_id)
            if task.number in bare and task.sample in payloads and self._ours_to_show(task)
        }
        if missing:
            self.server.add_predictions(self.project.number, missing)
        return len(missing)

    def _ours_to_show(self, task: SentTask) -> bool:
        return task.state == "there" and task.shown and task.model_id == self.model_id

    def _enter_found(self, numbers: Mapping[str, int], clips: Mapping[str, int]) -> None:
        """Enter tasks that our book lacks as what they are: shown if they have a prediction."""
        if not numbers:
            return
        bare = self.server.without_predictions(self.project.number)
        for shown in (True, False):
            some = {s: clips[s] for s, number in numbers.items() if (number not in bare) == shown}
            self.store.begin_sending(self.project.project_id, self.model_id, some, shown=shown)

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
