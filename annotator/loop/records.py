"""What a loop writes down: a fact at the end of every step, of which its rounds are made up.

A fact says what was done and what is needed to go on, and nothing that the store, the server or the
models know already. Unknown numbers are None.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Predicted:
    """Who answered about the corpus: so many clips now, and so many lack features."""

    model: str
    weights_sha256: str
    clips: int
    missing: int


@dataclass(frozen=True, slots=True)
class Selected:
    """Which clips to ask about, by number, with their scores; those of the audit are among them.

    Raises:
        ValueError: these do not fit each other.
    """

    clips: tuple[int, ...]
    scores: tuple[float, ...]
    audit: tuple[int, ...]
    shortfall: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.scores) != len(set(self.clips)) or not set(self.audit) <= set(self.clips):
            raise ValueError("expected each clip once with its score, and the audit among them")


@dataclass(frozen=True, slots=True)
class Sent:
    """The project they went to, how many tasks are there now, and how many could not be cut."""

    server: str
    project: int
    title: str
    tasks: int
    failed: int


@dataclass(frozen=True, slots=True)
class Answered:
    """How many of the round's tasks were answered when the wait was over."""

    tasks: int
    answered: int


@dataclass(frozen=True, slots=True)
class Audited:
    """How good the round's model is on clips drawn at random, which nobody had answered before.

    Jaccard and macro-F1 with their 95 % intervals. On the `shared` clips that several people
    answered, `model` and `people` are the mean Jaccard with the majority of the others.
    """

    clips: int
    jaccard: float | None
    jaccard_low: float | None
    jaccard_high: float | None
    macro_f1: float | None
    macro_f1_low: float | None
    macro_f1_high: float | None
    shared: int
    model: float | None
    people: float | None


@dataclass(frozen=True, slots=True)
class Learnt:
    """The version that was made and what became of it, with both models' held-out measure.

    `name` is None where nothing could be learnt, and `reason` says why.
    """

    name: str | None
    promoted: bool
    reason: str
    clips: int = 0  # held out
    measure: str | None = None
    before: float | None = None
    after: float | None = None
    macro_f1_before: float | None = None
    macro_f1_after: float | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why no further round was begun."""

    reason: str


Step = Literal[
    "predicted", "selected", "sent", "answered", "audited", "learnt", "repredicted", "stopped"
]
Fact = Predicted | Selected | Sent | Answered | Audited | Learnt | Stopped
FACTS: Mapping[Step, type[Fact]] = {
    "predicted": Predicted,
    "selected": Selected,
    "sent": Sent,
    "answered": Answered,
    "audited": Audited,
    "learnt": Learnt,
    "repredicted": Predicted,
    "stopped": Stopped,
}


@dataclass(frozen=True, slots=True)
class Round:
    """One round as far as it has come: a fact for each step that is done."""

    number: int
    predicted: Predicted | None = None
    selected: Selected | None = None
    sent: Sent | None = None
    answered: Answered | None = None
    audited: Audited | None = None
    learnt: Learnt | None = None
    repredicted: Predicted | None = None
    stopped: Stopped | None = None

    @property
    def asked(self) -> int:
        """Clips that were chosen."""
        return len(self.selected.clips) if self.selected else 0

    @property
    def done(self) -> bool:
        """Whether every step is."""
        return self.repredicted is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact, with the round and the project of the loop that it is of."""

    project: str
    round: int
    step: Step
    fact: Fact
    at: str  # UTC, ISO 8601


def rounds_of(entries: Iterable[Entry], project: str) -> list[Round]:
    """The rounds of a project's loop, in their order.

    >>> facts = [("predicted", Predicted("m", "ab", 5, 0)), ("stopped", Stopped("enough"))]
    >>> [one] = rounds_of([Entry("p", 1, step, fact, "") for step, fact in facts], "p")
    >>> one.number, one.predicted.clips, one.stopped.reason, one.asked
    (1, 5, 'enough', 0)
    """
    rounds: dict[int, Round] = {}
    for entry in entries:
        if entry.project == project:
            known = rounds.get(entry.round, Round(entry.round))
            changed: dict[str, Any] = {"stopped": None, entry.step: entry.fact}
            rounds[entry.round] = replace(known, **changed)
    return [rounds[number] for number in sorted(rounds)]


def fact_of(step: object, values: object) -> Fact:
    """Read a fact.

    Raises:
        ValueError: it is none.

    >>> fact_of("stopped", {"reason": "enough"})
    Stopped(reason='enough')
    """
    kind = next((kind for name, kind in FACTS.items() if name == step), None)
    if kind is None or not isinstance(values, Mapping):
        raise ValueError(f"no step {step!r:.40}")
    hints = get_type_hints(kind)
    if not values.keys() <= hints.keys():
        raise ValueError(f"unknown parts of {step}")
    read: dict[str, Any] = {name: _fit(value, hints[name]) for name, value in values.items()}
    try:
        fact: Fact = kind(**read)
    except TypeError as error:
        raise ValueError(f"{step} lacks a part") from error
    return fact


def _fit(value: object, hint: Any) -> object:
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ValueError("expected a list")
        return tuple(_fit(item, get_args(hint)[0]) for item in value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"expected {hint}, got {value!r:.40}")
    return value
