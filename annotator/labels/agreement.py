"""How far a project's annotators agree: all together, two by two, and each beside the others.

Every figure says how many clips it stands on. What the answers cannot tell is None with its reason.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotator.labels.alpha import label_alphas, set_alpha
from annotator.labels.annotators import Annotator, annotators
from annotator.labels.figure import Figure
from annotator.labels.kappa import Pair, pairs
from annotator.labels.votes import Vote, by_clip
from annotator.metrics.bootstrap import RESAMPLES


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha per label and of whole answers, Cohen's kappa, and each person.

    `clips` and `votes` are all there are, usable or not.
    """

    clips: int
    votes: int
    alpha: Mapping[str, Figure]
    alpha_sets: Figure
    pairs: Sequence[Pair]
    annotators: Sequence[Annotator]


def agreement(
    votes: Iterable[Vote],
    labels: Sequence[str],
    *,
    groups: Mapping[int, Hashable] | None = None,
    resamples: int = RESAMPLES,
) -> Agreement:
    """The agreement of people's present answers; `groups` and `resamples` as in `label_alphas`.

    Raises:
        ValueError: as `by_clip`, or `groups` lacks a clip.

    >>> picks = {1: ("sad", "sad"), 2: ("happy", "happy"), 3: ("happy", "sad"), 4: ("sad", "sad")}
    >>> votes = [
    ...     Vote(clip, name, frozenset({pick}))
    ...     for clip, both in picks.items()
    ...     for name, pick in zip(("ann", "bob"), both)
    ... ]
    >>> found = agreement(votes, ["happy", "sad"], resamples=0)
    >>> round(found.alpha["happy"].value, 3), found.pairs[0].kappa["happy"].value
    (0.533, 0.5)
    """
    clips = by_clip(votes, labels)
    if groups is not None and not clips.keys() <= groups.keys():
        raise ValueError("expected a group for every clip, got none for some")
    return Agreement(
        clips=len(clips),
        votes=sum(len(ours) for ours in clips.values()),
        alpha=label_alphas(clips, labels, groups=groups, resamples=resamples),
        alpha_sets=set_alpha(clips),
        pairs=pairs(clips, labels),
        annotators=annotators(clips, labels),
    )
