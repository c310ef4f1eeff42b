"""How each person annotates: beside the others, how fast, and how much as the model suggested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from annotator.labels.figure import Figure, mean
from annotator.labels.kappa import kappa_figure, mean_kappa
from annotator.labels.votes import ByClip, Vote, by_annotator, usable

NO_OTHER = "no clip with a usable answer of this person and a clear one of the others"
NO_TIME = "no answer with a time"
NOT_SHOWN = "no answer to a pre-annotated clip"

Answers = Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Likeness:
    """One person against the majority of the others on the same clips.

    `share` is the mean over clips of the share of labels on which they agree. Rare labels make it
    high for whoever never picks anything; `kappa`, the mean over labels, makes up for that.
    """

    share: Figure
    kappa: Figure


@dataclass(frozen=True, slots=True)
class Annotator:
    """One person's answers.

    `unusable` is the share of votes that call the clip unusable, `seconds` the median time of an
    answer. `unchanged` is the share of pre-annotations sent as they were. Whether that is anchoring
    or a good model shows in how far `shown` (pre-annotated) departs from `blind`; the clips of the
    two differ, so a small gap means nothing.
    """

    name: str
    votes: int
    unusable: Figure
    seconds: Figure
    unchanged: Figure
    overall: Likeness
    blind: Likeness
    shown: Likeness


def annotators(clips: ByClip, labels: Sequence[str]) -> list[Annotator]:
    """Everyone who voted, in the order of their names."""
    return [_annotator(name, votes, clips, labels) for name, votes in by_annotator(clips).items()]


def majority(votes: Sequence[Vote], labels: Sequence[str]) -> dict[str, bool]:
    """What more than half of the votes say of each label; a label on which they tie is left out.

    >>> votes = [Vote(1, "ann", frozenset({"sad", "fear"})), Vote(1, "bob", frozenset({"sad"}))]
    >>> majority(votes, ["happy", "sad", "fear"])
    {'happy': False, 'sad': True}
    """
    yes = {label: sum(label in vote.labels for vote in votes) for label in labels}
    return {label: 2 * n > len(votes) for label, n in yes.items() if 2 * n != len(votes)}


def _annotator(name: str, votes: Sequence[Vote], clips: ByClip, labels: Sequence[str]) -> Annotator:
    timed = [vote.seconds for vote in votes if vote.seconds is not None]
    shown = [vote.unchanged for vote in votes if vote.unchanged is not None]
    compared = _compared(votes, clips, labels)
    return Annotator(
        name,
        len(votes),
        unusable=Figure(fmean(vote.unusable for vote in votes), len(votes)),
        seconds=Figure(median(timed), len(timed)) if timed else Figure(None, 0, NO_TIME),
        unchanged=mean(shown, len(shown), NOT_SHOWN),
        overall=_likeness(compared, labels),
        blind=_likeness([(v, them) for v, them in compared if v.unchanged is None], labels),
        shown=_likeness([(v, them) for v, them in compared if v.unchanged is not None], labels),
    )


def _compared(
    votes: Sequence[Vote], clips: ByClip, labels: Sequence[str]
) -> list[tuple[Vote, Answers]]:
    """A person's usable votes, each beside what the others clearly say of the same clip."""
    compared: list[tuple[Vote, Answers]] = []
    for vote in usable(votes):
        others = [v for v in usable(clips[vote.clip_id]) if v.annotator != vote.annotator]
        them = majority(others, labels)
        if them:
            compared.append((vote, them))
    return compared


def _likeness(compared: Sequence[tuple[Vote, Answers]], labels: Sequence[str]) -> Likeness:
    shares = [
        fmean((label in vote.labels) == said for label, said in them.items())
        for vote, them in compared
    ]
    kappas = {
        label: kappa_figure(
            [label in vote.labels for vote, them in compared if label in them],
            [them[label] for _, them in compared if label in them],
        )
        for label in labels
    }
    share = mean(shares, len(compared), NO_OTHER)
    kappa = mean_kappa(kappas, len(compared)) if compared else share
    return Likeness(share, kappa)
