"""Cohen's kappa (1960): how far two people agree beyond what their habits alone would give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from annotator.labels.figure import Figure, mean
from annotator.labels.votes import ByClip, Vote, by_annotator, usable

ONE_CLIP = "one clip cannot tell agreement from chance"
CONSTANT = "both gave one and the same answer throughout: chance would agree as well"
NO_CLIP = "no usable answer of both on any clip"
NO_LABEL = "undefined for every label"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators on the clips that both found usable: kappa per label, and their mean."""

    first: str
    second: str
    clips: int
    kappa: Mapping[str, Figure]
    mean: Figure


def cohen_kappa(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    """(p_o − p_e) / (1 − p_e) of two people's yes or no to the same clips, from −1 to 1.

    p_o is the share of clips on which they agree and p_e the share expected from how often each
    says yes. None where p_e is 1. Counted in whole numbers, so that the borders are exact.

    >>> cohen_kappa([True, True, False, False], [True, False, False, False])
    0.5
    """
    if len(first) != len(second):
        raise ValueError(f"expected as many answers of both, got {len(first)} and {len(second)}")
    n, yes, other = len(first), sum(first), sum(second)
    expected = yes * other + (n - yes) * (n - other)  # p_e n²
    observed = n * sum(a == b for a, b in zip(first, second, strict=True))  # p_o n²
    return (observed - expected) / (n * n - expected) if n * n > expected else None


def kappa_figure(first: Sequence[bool], second: Sequence[bool]) -> Figure:
    """Kappa with its clips, or why it is undefined; one clip could give nothing but 0."""
    if len(first) < 2:
        return Figure(None, len(first), ONE_CLIP if first else NO_CLIP)
    value = cohen_kappa(first, second)
    return Figure(value, len(first), None if value is not None else CONSTANT)


def pairs(clips: ByClip, labels: Sequence[str]) -> list[Pair]:
    """Every two annotators who share a clip, in the order of their names."""
    answers = {
        person: {vote.clip_id: vote for vote in usable(votes)}
        for person, votes in by_annotator(clips).items()
    }
    found = []
    for first, second in combinations(answers, 2):
        ours, theirs = answers[first], answers[second]
        both = [(ours[clip], theirs[clip]) for clip in ours if clip in theirs]
        if both:
            found.append(_pair(first, second, both, labels))
    return found


def mean_kappa(kappas: Mapping[str, Figure], clips: int) -> Figure:
    """The mean over the labels for which it is defined."""
    defined = [kappa.value for kappa in kappas.values() if kappa.value is not None]
    shared = {kappa.reason for kappa in kappas.values()}  # one reason for all says more
    return mean(defined, clips, (shared.pop() if len(shared) == 1 else None) or NO_LABEL)


def _pair(
    first: str, second: str, votes: Sequence[tuple[Vote, Vote]], labels: Sequence[str]
) -> Pair:
    kappas = {
        label: kappa_figure(
            [label in one.labels for one, _ in votes], [label in other.labels for _, other in votes]
        )
        for label in labels
    }
    return Pair(first, second, len(votes), kappas, mean_kappa(kappas, len(votes)))
