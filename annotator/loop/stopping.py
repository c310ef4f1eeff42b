"""When a loop is over: pure rules over its rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from annotator.errors import UsageError
from annotator.loop.records import Round

CEILING_CLIPS = 20  # answered by several people, before a model is held against them


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to go on.

    Attributes:
        rounds: at most so many, of this loop in all.
        budget: at most so many clips are asked about, of this loop in all.
        batch: clips a round; by default the budget in equal parts.
        plateau: stop after so many rounds without a better held-out measure; None: never.
        ceiling: stop when the model agrees with people as well as they do with each other.

    Raises:
        UsageError: the budget cannot be shared over the rounds.
    """

    rounds: int
    budget: int
    batch: int | None = None
    plateau: int | None = None
    ceiling: bool = False

    def __post_init__(self) -> None:
        if self.budget < self.rounds:
            raise UsageError(
                f"a budget of {self.budget} clips cannot be shared over {self.rounds} rounds: "
                "expected at least one clip a round"
            )

    def size(self, rounds: Sequence[Round]) -> int:
        """Clips of the next round: what is left may be less than a batch.

        >>> Policy(rounds=3, budget=500).size([])
        167
        """
        batch = self.batch or ceil(self.budget / self.rounds)
        return min(batch, self.budget - spent(rounds))


def spent(rounds: Sequence[Round]) -> int:
    """Clips that were asked about."""
    return sum(one.asked for one in rounds)


def why_stop(rounds: Sequence[Round], policy: Policy) -> str | None:
    """Why there is to be no further round; None where there is.

    Args:
        rounds: those of before, all done.
        policy: what the user wants.

    >>> why_stop([], Policy(rounds=1, budget=10))
    """
    if len(rounds) >= policy.rounds:
        return "the one round is done" if policy.rounds == 1 else f"{len(rounds)} rounds are done"
    if spent(rounds) >= policy.budget:
        return f"the budget of {policy.budget} clips is spent"
    if policy.plateau is not None and (since := _since_better(rounds)) >= policy.plateau:
        return f"the held-out measure has not been better for {since} rounds"
    if policy.ceiling and rounds and _at_ceiling(rounds[-1]):
        return (
            "the model agrees with people as well as they do with each other on the clips of the "
            "audit"
        )
    return None


def _since_better(rounds: Sequence[Round]) -> int:
    """Rounds since the one with the best held-out measure; what was learnt from counts first."""
    best, since = float("-inf"), 0
    for one in rounds:
        learnt = one.learnt
        before = learnt.before if learnt else None
        after = learnt.after if learnt else None
        if best == float("-inf") and before is not None:
            best = before
        better = after is not None and after > best
        since = 0 if better else since + 1
        best = after if better and after is not None else best
    return since


def _at_ceiling(last: Round) -> bool:
    found = last.audited
    return (
        found is not None
        and found.shared >= CEILING_CLIPS
        and found.model is not None
        and found.people is not None
        and found.model >= found.people
    )
