"""How a loop looks: a line a step, or a JSON object a line, and its rounds as a table."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import singledispatch

from rich.table import Table

from annotator.console import literal, out_console, print_json, say
from annotator.learning.epochs import Watcher
from annotator.loop.loop import Outcome
from annotator.loop.records import (
    Answered,
    Audited,
    Fact,
    Learnt,
    Predicted,
    Round,
    Selected,
    Sent,
    Step,
    Stopped,
)
from annotator.loop.rounds import STEPS
from annotator.recorder import Observer as RunObserver
from annotator.review_console import counting, print_problems
from annotator.run_console import run_display
from annotator.training_console import training_display

UNKNOWN = "unknown"
COLUMNS = ("round", "model", "asked", "answered", "held-out", "after", "version", "audit: Jaccard")


@dataclass(frozen=True, slots=True)
class Display:
    """Says what a loop does as it does it; with `as_json` a JSON object a line."""

    as_json: bool

    def finished(self, round_: int, step: Step, fact: Fact) -> None:
        """A step is done."""
        if self.as_json:
            _line({"event": step, "round": round_, **asdict(fact)})
        elif step != "stopped":
            say(f"round {round_}: {_said(fact)}")

    def problems(self, lines: Sequence[str]) -> None:
        """On the error stream."""
        print_problems(lines)

    def waiting(self, round_: int, answered: int, needed: int) -> None:
        """How many answers are there."""
        if self.as_json:
            _line({"event": "waiting", "round": round_, "answered": answered, "needed": needed})
        else:
            say(f"round {round_}: {answered} of {needed} answered; waiting for the others")

    def running(self) -> AbstractContextManager[RunObserver]:
        """As of `annotate run`."""
        return run_display()

    def training(self) -> AbstractContextManager[Watcher]:
        """A bar, and no line an epoch."""
        return training_display(as_json=False, silent=True)

    def counting(
        self, what: str, total: int | None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """A bar."""
        return counting(what, total)


@contextmanager
def loop_display(*, as_json: bool) -> Iterator[Display]:
    """What is told of a loop."""
    yield Display(as_json)


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Why the loop does not go on, with its rounds."""
    if as_json:
        _line({"event": "done", "stopped": outcome.stopped, "waiting": outcome.waiting})
        return
    if outcome.waiting:
        say(f"{outcome.waiting}. The same command goes on from here.")
        return
    _print_rounds(outcome.rounds)
    say(f"Stopped: {outcome.stopped}.")


def print_rounds(loops: Mapping[str, Sequence[Round]], *, as_json: bool) -> None:
    """The rounds of each project's loop as far as they have come."""
    if as_json:
        shown = [
            {"project": project, "rounds": [asdict(one) for one in rounds]}
            for project, rounds in loops.items()
        ]
        print_json({"loops": shown})
        return
    if not loops:
        say("No loop has been begun in this workspace: `annotate loop corpus/` begins one.")
    for project, rounds in loops.items():
        say(f"Loop in project {project!r}:")
        _print_rounds(rounds)
        say(_standing(rounds[-1]))


def _print_rounds(rounds: Sequence[Round]) -> None:
    columns = (
        "round",
        "model",
        "asked",
        "answered",
        "held-out before",
        "after",
        "version",
        "audit",
    )
    table = Table(*columns)
    for one in rounds:
        table.add_row(*map(literal, _row(one)))
    out_console().print(table)
    for one in rounds:
        if one.learnt:
            say(f"round {one.number}: {_learnt(one.learnt)}.")


def _row(one: Round) -> tuple[str, ...]:
    learnt = one.learnt
    return (
        str(one.number),
        one.predicted.model if one.predicted else "",
        str(one.asked) if one.selected else "",
        str(one.answered.answered) if one.answered else "",
        _number(learnt.before) if learnt else "",
        _number(learnt.after) if learnt else "",
        (learnt.name or "none") if learnt else "",
        _interval(one.audited.jaccard, one.audited.jaccard_low, one.audited.jaccard_high)
        if one.audited
        else "",
    )


def _standing(last: Round) -> str:
    """What the loop is at."""
    if last.stopped:
        return f"Stopped: {last.stopped.reason}."
    if last.done:
        return f"Round {last.number} is done: the same command begins the next, if any."
    left = next(step for step in STEPS if getattr(last, step) is None)
    return f"Round {last.number} is not {left} yet: the same command goes on there."


@singledispatch
def _said(fact: Fact) -> str:
    """A fact as a line for people."""
    raise TypeError(f"no fact: {fact!r}")


@_said.register
def _stopped(fact: Stopped) -> str:
    return fact.reason


@_said.register
def _predicted(fact: Predicted) -> str:
    lacking = f"; {fact.missing} clips have no features of it" if fact.missing else ""
    return f"{fact.model} is in use and has answered about {fact.clips} more clips{lacking}"


@_said.register
def _selected(fact: Selected) -> str:
    fewer = "".join(f"; {line}" for line in fact.shortfall)
    return f"{len(fact.clips)} clips chosen, {len(fact.audit)} of them at random{fewer}"


@_said.register
def _sent(fact: Sent) -> str:
    lost = f", {fact.failed} could not be cut" if fact.failed else ""
    return f"{fact.tasks} tasks are in project {fact.project} {fact.title!r}{lost}"


@_said.register
def _answered(fact: Answered) -> str:
    return f"{fact.answered} of {fact.tasks} tasks answered"


@_said.register
def _audited(fact: Audited) -> str:
    if not fact.clips:
        return "no clip of the audit has an answer, so the accuracy on the corpus is unknown"
    jaccard = _interval(fact.jaccard, fact.jaccard_low, fact.jaccard_high)
    f1 = _interval(fact.macro_f1, fact.macro_f1_low, fact.macro_f1_high)
    said = f"audit of {fact.clips} clips drawn at random: Jaccard {jaccard}, macro-F1 {f1}"
    if fact.shared:
        said += (
            f"; on {fact.shared} answered by several the model {_number(fact.model)}, "
            f"people {_number(fact.people)}"
        )
    return said


@_said.register
def _learnt(fact: Learnt) -> str:
    if fact.name is None:
        return f"no new version: {fact.reason}"
    state = "is in use now" if fact.promoted else "stays a candidate"
    return f"{fact.name} {state}: {fact.reason}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    bounds = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    return _number(value) + bounds


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _line(event: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()
