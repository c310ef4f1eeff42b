"""What one person answered about one clip, and the answers of a project clip by clip.

An answer is usable unless it says that the clip cannot be judged. A usable answer says yes or no to
every label: what was not picked is a no, and neutral is a no to all of them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

INTENSITIES = range(1, 6)  # from weak to strong


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's present answer about one clip; skips and empty submits are no votes.

    `annotator` is the person's stable name or number on the server. `labels` are the emotions
    picked, and empty exactly where the person said `neutral` (none of them) or `unusable` (cannot
    be judged). `intensities` holds 1 to 5 for picked labels where given. `seconds` is how long the
    answer took. `unchanged` says whether a pre-annotation was sent as it was; None where nothing
    was shown (blind).

    Raises:
        ValueError: these do not fit each other.

    >>> Vote(7, "ann", frozenset({"happy"}), neutral=True)
    Traceback (most recent call last):
    ...
    ValueError: expected labels, neutral or unusable, just one, in the vote of ann on clip 7
    """

    clip_id: int
    annotator: str
    labels: frozenset[str] = frozenset()
    neutral: bool = False
    unusable: bool = False
    intensities: Mapping[str, int] = field(default_factory=dict)
    seconds: float | None = None
    unchanged: bool | None = None

    def __post_init__(self) -> None:
        where = f"in the vote of {self.annotator} on clip {self.clip_id}"
        if not self.annotator:
            raise ValueError(f"expected the name of the annotator {where}")
        if bool(self.labels) + self.neutral + self.unusable != 1:
            raise ValueError(f"expected labels, neutral or unusable, just one, {where}")
        if not self.intensities.keys() <= self.labels:
            raise ValueError(f"expected intensities of picked labels alone {where}")
        if not all(given in INTENSITIES for given in self.intensities.values()):
            raise ValueError(f"expected intensities from 1 to 5 {where}")
        if self.seconds is not None and not 0 <= self.seconds < math.inf:
            raise ValueError(f"expected seconds from 0, got {self.seconds} {where}")


ByClip = Mapping[int, Sequence[Vote]]

Key = TypeVar("Key", int, str)


def by_clip(votes: Iterable[Vote], labels: Sequence[str]) -> dict[int, list[Vote]]:
    """The votes of each clip, both in the order of their names, so that no result hangs on order.

    Raises:
        ValueError: a person has two votes on a clip, a vote picks what is not in `labels`, or
            `labels` is empty or names one twice.
    """
    given = list(votes)
    check_labels(given, labels)
    grouped = _grouped((vote.clip_id, vote) for vote in given)
    for clip, ours in grouped.items():
        ours.sort(key=lambda vote: vote.annotator)
        if len({vote.annotator for vote in ours}) < len(ours):
            raise ValueError(f"expected one vote a person, got two of one on clip {clip}")
    return grouped


def by_annotator(clips: ByClip) -> dict[str, list[Vote]]:
    """The votes of each person, clip by clip."""
    return _grouped((vote.annotator, vote) for votes in clips.values() for vote in votes)


def check_labels(votes: Iterable[Vote], labels: Sequence[str]) -> None:
    """Raise ValueError where `labels` is no list of labels or a vote picks another."""
    known = set(labels)
    if not labels or len(known) < len(labels):
        raise ValueError(f"expected labels, each once, got {', '.join(labels) or 'none'}")
    for vote in votes:
        if not vote.labels <= known:
            strange = ", ".join(sorted(vote.labels - known))
            raise ValueError(f"clip {vote.clip_id} has a vote for {strange}: not a label here")


def usable(votes: Iterable[Vote]) -> list[Vote]:
    """The votes that judge the clip."""
    return [vote for vote in votes if not vote.unusable]


def _grouped(keyed: Iterable[tuple[Key, Vote]]) -> dict[Key, list[Vote]]:
    groups: defaultdict[Key, list[Vote]] = defaultdict(list)
    for key, vote in keyed:
        groups[key].append(vote)
    return dict(sorted(groups.items()))
