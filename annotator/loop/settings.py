"""What the user wants of a loop, and whom it tells of what it does."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Protocol

from annotator.acquisition.pool import Plan, SelectorName
from annotator.corpus.plan import PlanSettings
from annotator.learning.dataset import Dataset
from annotator.learning.epochs import Watcher
from annotator.learning.finetune_settings import FinetuneSettings
from annotator.learning.promotion import Promote
from annotator.loop.records import Fact, Step
from annotator.loop.stopping import Policy
from annotator.recorder import Observer as RunObserver
from annotator.run import RunSettings


@dataclass(frozen=True, slots=True)
class Share:
    """How many answers to wait for, as a part of a batch.

    >>> Share(0.5).of(5)
    3
    """

    value: float

    def of(self, tasks: int) -> int:
        """The number of tasks, rounded up."""
        return ceil(self.value * tasks - 1e-9)


@dataclass(frozen=True, slots=True)
class Count:
    """How many answers to wait for.

    >>> Count(9).of(5)
    5
    """

    value: int

    def of(self, tasks: int) -> int:
        """The number of tasks, which may be fewer."""
        return min(self.value, tasks)


# The best in the mean over four corpora: docs/acquisition.md, by benchmarks/simulation.py.
SCORE = "entropy"
SELECT: SelectorName = "kmeans"


@dataclass(frozen=True, slots=True)
class Choosing:
    """Which clips to ask about; the plan's size is that of the round."""

    by: str = SCORE
    plan: Plan = field(default_factory=lambda: Plan(1, select=SELECT))
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """How people are asked: in which project, with the model's answer or blind, and how many.

    `every_s` are the seconds between two looks for answers; None is one look, and no waiting.
    """

    project: str
    shown: bool = True
    overlap: int | None = None
    wait_for: Share | Count = Share(1.0)
    every_s: float | None = 30.0


@dataclass(frozen=True, slots=True)
class Learning:
    """How to learn from the answers."""

    settings: FinetuneSettings = field(default_factory=FinetuneSettings)
    replay: Dataset | None = None
    promote: Promote = "auto"
    ignored: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """All of it; without `paths` the clips are those that the workspace has."""

    policy: Policy
    asking: Asking
    paths: Sequence[Path] = ()
    choosing: Choosing = field(default_factory=Choosing)
    learning: Learning = field(default_factory=Learning)
    run: RunSettings = field(default_factory=lambda: RunSettings(PlanSettings()))


class Observer(Protocol):
    """Told of what a loop does."""

    def finished(self, round_: int, step: Step, fact: Fact) -> None:
        """A step is done and written down."""

    def problems(self, lines: Sequence[str]) -> None:
        """What went wrong or was left out, and did not stop the loop."""

    def waiting(self, round_: int, answered: int, needed: int) -> None:
        """How many of the answers that are waited for are there."""

    def running(self) -> AbstractContextManager[RunObserver]:
        """What a run tells how far it is."""

    def training(self) -> AbstractContextManager[Watcher]:
        """What a training tells how far it is."""

    def counting(
        self, what: str, total: int | None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """What is told how many more are done."""
