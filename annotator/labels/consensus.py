"""What a clip's voters hold together: the share of each label, and yes or no by a rule.

Every voter counts the same. What the rule leaves undecided is None and the clip stays open; nothing
is decided by the order of votes or labels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np

from annotator.labels.votes import Vote, by_clip, check_labels, usable
from annotator.metrics.uncertainty import ENOUGH_RATERS, vote_entropy

State = Literal["labelled", "unusable", "open"]


@dataclass(frozen=True, slots=True)
class Rule:
    """When a label is a yes, and how many voters that takes.

    `need` is "majority" (more than half of the usable votes; just half is undecided), "any" (one
    vote), "all" (every one), or a share from above 0 to 1 that the label must reach; 0.5 is thus
    "half or more" and leaves nothing undecided.

    Raises:
        ValueError: it is none of these, or `minimum_voters` is below 1.

    >>> [Rule("majority").decide(yes, of=4) for yes in (1, 2, 3)]
    [False, None, True]
    >>> [Rule(0.75).decide(yes, of=4) for yes in (2, 3)]
    [False, True]
    """

    need: Literal["majority", "any", "all"] | float = "majority"
    minimum_voters: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.need, str):
            known = self.need in {"majority", "any", "all"}
        else:
            known = 0 < self.need <= 1
        if not known:
            raise ValueError(
                f"expected majority, any, all or a share above 0 up to 1, got {self.need}"
            )
        if self.minimum_voters < 1:
            raise ValueError(f"expected minimum_voters from 1, got {self.minimum_voters}")

    def decide(self, yes: int, *, of: int) -> bool | None:
        """Whether `yes` of so many usable votes, at least one, make the label; None is a tie."""
        if self.need == "majority":
            return None if 2 * yes == of else 2 * yes > of
        if self.need == "any":
            return yes > 0
        if self.need == "all":
            return yes == of
        return yes / of >= self.need  # 3/5 and 0.6 are the same float: both are rounded once


MAJORITY = Rule()


@dataclass(frozen=True, slots=True)
class Consensus:
    """One clip's voters together; each mapping is in the order of the project's labels.

    `voters` are all who voted, `unusable_votes` and `neutral_votes` how many of them said so.
    `votes` are the yeses to each label, `soft` their share of the usable votes (None without any),
    `hard` what the rule makes of it: None where it is tied, and for every label of a clip that is
    unusable or has too few voters. `intensity` is the mean of those given, of the labels that have
    any. `disagreement` runs from 0 (all say the same) to 1 (split in half on every label), and is
    None for fewer than two usable votes. `reason` says why a clip is open.
    """

    clip_id: int
    voters: int
    unusable_votes: int
    neutral_votes: int
    votes: Mapping[str, int]
    soft: Mapping[str, float] | None
    hard: Mapping[str, bool | None]
    intensity: Mapping[str, float]
    disagreement: float | None
    state: State
    reason: str | None


def consensuses(
    votes: Iterable[Vote], labels: Sequence[str], rule: Rule = MAJORITY
) -> list[Consensus]:
    """The consensus of every clip that has a vote, by clip number.

    Raises:
        ValueError: as `by_clip`.
    """
    return [consensus(clip, ours, labels, rule) for clip, ours in by_clip(votes, labels).items()]


def consensus(
    clip_id: int, votes: Sequence[Vote], labels: Sequence[str], rule: Rule = MAJORITY
) -> Consensus:
    """The consensus of one clip from its votes, one a person; without any it is open.

    Raises:
        ValueError: a vote is of another clip or picks what is not in `labels`.

    >>> happy, sad = frozenset({"happy"}), frozenset({"happy", "sad"})
    >>> both = [Vote(1, "ann", happy), Vote(1, "bob", sad)]
    >>> found = consensus(1, both, ["happy", "sad"])
    >>> found.soft, found.hard
    ({'happy': 1.0, 'sad': 0.5}, {'happy': True, 'sad': None})
    >>> found.state, found.reason, found.disagreement
    ('open', 'tied on sad', 0.5)
    """
    check_labels(votes, labels)
    if any(vote.clip_id != clip_id for vote in votes):
        raise ValueError(f"expected votes on clip {clip_id} alone, got one on another")
    judging = usable(votes)
    yes = {label: sum(label in vote.labels for vote in judging) for label in labels}
    state, reason = _standing(len(votes), len(judging), rule)
    hard: dict[str, bool | None] = dict.fromkeys(labels)
    if state == "labelled":
        hard = {label: rule.decide(count, of=len(judging)) for label, count in yes.items()}
        tied = [label for label, decided in hard.items() if decided is None]
        if tied:
            state, reason = "open", f"tied on {', '.join(tied)}"
    return Consensus(
        clip_id,
        voters=len(votes),
        unusable_votes=len(votes) - len(judging),
        neutral_votes=sum(vote.neutral for vote in votes),
        votes=yes,
        soft={label: count / len(judging) for label, count in yes.items()} if judging else None,
        hard=hard,
        intensity=_intensity(judging, labels),
        disagreement=_disagreement(list(yes.values()), len(judging)),
        state=state,
        reason=reason,
    )


def _standing(voters: int, judging: int, rule: Rule) -> tuple[State, str | None]:
    """Whether the clip can be labelled at all, and if it is open, why."""
    unusable = voters - judging
    if voters < rule.minimum_voters:
        return "open", f"{voters} of {rule.minimum_voters} voters"
    if 2 * unusable > voters:
        return "unusable", None
    if 2 * unusable == voters:
        return "open", "tied on whether it is usable"
    if judging < rule.minimum_voters:
        return "open", f"{judging} of {rule.minimum_voters} usable votes"
    return "labelled", None


def _intensity(votes: Sequence[Vote], labels: Sequence[str]) -> dict[str, float]:
    given = {
        label: [vote.intensities[label] for vote in votes if label in vote.intensities]
        for label in labels
    }
    return {label: fmean(values) for label, values in given.items() if values}


def _disagreement(yes: Sequence[int], of: int) -> float | None:
    """The mean over labels of the binary entropy of their share, in bits.

    Entropy, as in ChaosNLI (Nie, Zhou and Bansal 2020, arXiv 2010.03532), rather than the variance
    4·s·(1 − s): σ is held against the same `vote_entropy` when a model is evaluated, so the word
    means one thing. Both are 0 and 1 at the same shares, and both come out low for few voters.
    """
    if of < ENOUGH_RATERS:
        return None
    return float(vote_entropy(np.array([yes]) / of, [of]).mean())
