"""What people hold of a clip that they were asked about in several projects.

Projects may ask for different labels, and who was not asked for a label has said neither yes nor
no to it. So each label is judged by those who were asked for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TypeVar

from annotator.labels.consensus import MAJORITY, Consensus, Rule, State, consensus
from annotator.labels.stored import newest, vote_of
from annotator.labels.votes import Vote
from annotator.store.review_records import ClipAnswer

Value = TypeVar("Value")


def consensus_across(
    answers: Iterable[ClipAnswer],
    labels_of: Mapping[int, Sequence[str]],
    rule: Rule = MAJORITY,
) -> Consensus | None:
    """The consensus of one clip from all present answers about it; None if nobody voted.

    Of a label that nobody was asked for it says nothing. The clip is open if it is for any group
    of labels that were asked for together; its disagreement is the mean over labels.

    Args:
        answers: about one clip.
        labels_of: what each project asks for.
        rule: when a label is a yes.
    """
    votes = [(given.project_id, vote_of(given)) for given in newest(answers)]
    if not votes:
        return None
    clip_id = votes[0][1].clip_id
    parts = [
        consensus(
            clip_id, [_about(vote, labels) for p, vote in votes if p in projects], labels, rule
        )
        for projects, labels in _asked_together({p for p, _ in votes}, labels_of)
    ]
    return parts[0] if len(parts) == 1 else _merged(parts, [vote for _, vote in votes])


def _asked_together(
    projects: Iterable[int], labels_of: Mapping[int, Sequence[str]]
) -> Iterable[tuple[frozenset[int], list[str]]]:
    """Labels that the same projects ask for, with these."""
    asking: defaultdict[str, set[int]] = defaultdict(set)
    for project in sorted(projects):
        for label in labels_of[project]:
            asking[label].add(project)
    groups: defaultdict[frozenset[int], list[str]] = defaultdict(list)
    for label, where in asking.items():
        groups[frozenset(where)].append(label)
    return groups.items()


def _about(vote: Vote, labels: Sequence[str]) -> Vote:
    """What a vote says of some of its labels; none of them is a no to each."""
    picked = vote.labels & set(labels)
    if picked == vote.labels:
        return vote
    given = {label: value for label, value in vote.intensities.items() if label in picked}
    return replace(vote, labels=picked, neutral=not picked, intensities=given)


def _merged(parts: Sequence[Consensus], votes: Sequence[Vote]) -> Consensus:
    """Groups of labels as one; each was judged by its own voters."""
    states = {part.state for part in parts}
    state: State = states.pop() if len(states) == 1 else "open"
    reasons = [part.reason for part in parts if part.reason is not None]
    disagreements = [
        (part.disagreement, len(part.hard)) for part in parts if part.disagreement is not None
    ]
    softs = [part.soft for part in parts if part.soft is not None]
    return Consensus(
        parts[0].clip_id,
        voters=len(votes),
        unusable_votes=sum(vote.unusable for vote in votes),
        neutral_votes=sum(vote.neutral for vote in votes),
        votes=_joined([part.votes for part in parts]),
        soft=_joined(softs) if softs else None,
        hard=_joined([part.hard for part in parts]),
        intensity=_joined([part.intensity for part in parts]),
        disagreement=fmean(
            [value for value, _ in disagreements], [count for _, count in disagreements]
        )
        if disagreements
        else None,
        state=state,
        reason="; ".join(reasons) or ("unusable for some labels" if state == "open" else None),
    )


def _joined(mappings: Iterable[Mapping[str, Value]]) -> dict[str, Value]:
    return {label: value for mapping in mappings for label, value in mapping.items()}
