"""Drive a loop: whichever step comes next, until a rule stops it or it has to wait for people."""

from dataclasses import dataclass, replace
from typing import Any

from annotator.acquisition.propose import NoCandidates
from annotator.labelstudio.failures import ServerFault
from annotator.labelstudio.push import alone
from annotator.loop.asking import Waiting
from annotator.loop.book import Book, book_of
from annotator.loop.records import Round, Step, Stopped
from annotator.loop.rounds import STEPS
from annotator.loop.stopping import why_stop
from annotator.loop.world import World

NOTHING_LEFT = "no clips are left to ask about; `annotate run` adds some"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rounds as they are now, and why the loop does not go on: it is over, or it waits."""

    rounds: tuple[Round, ...]
    stopped: str | None = None
    waiting: str | None = None


def loop(world: World) -> Outcome:
    """Go round after round, from wherever an earlier call was cut off.

    Raises:
        ServerFault: the server failed; the message says that the same call goes on.
        UsageError: what is asked for cannot be, or another loop is running in the workspace.
        EnvironmentFault: the machine cannot do it.
    """
    book = book_of(world.workspace, world.settings.asking.project)
    with alone(world.workspace.root, "loop", "running a loop in"):
        while True:
            rounds = book.rounds()
            done = [one for one in rounds if one.done]
            reason = None
            if len(done) == len(rounds):
                reason = why_stop(done, world.settings.policy)
            if reason is None:
                now = rounds[-1] if len(done) < len(rounds) else Round(len(rounds) + 1)
                try:
                    _advance(world, book, now, done)
                except NoCandidates:
                    if not done:
                        raise
                    reason = NOTHING_LEFT
                except Waiting as waiting:
                    return Outcome(tuple(book.rounds()), waiting=str(waiting))
            if reason is not None:
                return _stop(world, book, reason)


def _advance(world: World, book: Book, now: Round, before: list[Round]) -> None:
    """Do what is left of a round, and write each step down."""
    for step, do in STEPS.items():
        if getattr(now, step) is not None and not _again(step, now):
            continue
        try:
            fact = do(world, now, before)
        except ServerFault as fault:
            raise ServerFault(
                f"{fault}; round {now.number} has not been {step}: the same command goes on there",
                certain=fault.certain,
                retry_s=fault.retry_s,
            ) from fault
        book.write(now.number, step, fact)
        world.observer.finished(now.number, step, fact)
        changed: dict[str, Any] = {step: fact}
        now = replace(now, **changed)


def _again(step: Step, now: Round) -> bool:
    """Whether to do a finished step again: as long as nothing is chosen there may be new clips."""
    return step == "predicted" and now.selected is None


def _stop(world: World, book: Book, reason: str) -> Outcome:
    """Write down why, unless it stands there."""
    rounds = book.rounds()
    last = rounds[-1]
    if last.stopped != Stopped(reason):
        book.write(last.number, "stopped", Stopped(reason))
        world.observer.finished(last.number, "stopped", Stopped(reason))
        rounds = book.rounds()
    return Outcome(tuple(rounds), stopped=reason)
