"""What people answered, clip by clip; copies of a clip and all projects together."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.labels.stored import newest, vote_of
from annotator.labels.votes import Vote
from annotator.store.engine import Store
from annotator.store.records import ClipPlace
from annotator.store.review_records import ClipAnswer


@dataclass(frozen=True, slots=True)
class Opinion:
    """One person's vote, and the labels that its project offered."""

    vote: Vote
    offered: frozenset[str]


@dataclass(frozen=True, slots=True)
class AnsweredClip:
    """A clip and what everybody said of it, by name."""

    place: ClipPlace
    opinions: tuple[Opinion, ...]

    @property
    def usable(self) -> list[Opinion]:
        """Those that judge the clip."""
        return [opinion for opinion in self.opinions if not opinion.vote.unusable]

    @property
    def can_be_judged(self) -> bool:
        """Whether more people judged the clip than said that it cannot be judged."""
        return 2 * len(self.usable) > len(self.opinions)

    def target(self, labels: Sequence[str]) -> NDArray[np.float32]:
        """(q,), the share of usable votes for each label; NaN where no project offered it."""
        return np.array([self._share(label) for label in labels], np.float32)

    def _share(self, label: str) -> float:
        asked = [opinion for opinion in self.usable if label in opinion.offered]
        yes = sum(label in opinion.vote.labels for opinion in asked)
        return yes / len(asked) if asked else float("nan")


def answered_clips(store: Store) -> list[AnsweredClip]:
    """Every clip that a person has said something of, by content.

    Clips whose file is not known any more are left out. Of a person who answered about several
    copies of a clip the newest answer counts.
    """
    answers = store.answers()
    offered = {project.project_id: frozenset(project.labels) for project in store.projects()}
    places = store.places(sorted({answer.clip_id for answer in answers}))
    first: dict[tuple[str, tuple[int, int]], int] = {}
    for clip_id, place in sorted(places.items()):
        first.setdefault((place.content_hash, place.bounds), clip_id)
    known = [answer for answer in answers if answer.clip_id in places]
    copies = [replace(answer, clip_id=_first(first, places, answer)) for answer in known]
    opinions: defaultdict[int, list[Opinion]] = defaultdict(list)
    for given in newest(copies):
        opinions[given.clip_id].append(Opinion(vote_of(given), offered[given.project_id]))
    clips = [
        AnsweredClip(places[clip_id], tuple(sorted(found, key=lambda o: o.vote.annotator)))
        for clip_id, found in opinions.items()
    ]
    return sorted(clips, key=lambda clip: (clip.place.content_hash, clip.place.bounds))


def demand_known(
    clips: Sequence[AnsweredClip], labels: Sequence[str], ignored: Collection[str]
) -> None:
    """Refuse votes for labels that a model does not have, unless they are to be ignored.

    Raises:
        UsageError: there are such votes, or nobody was asked about any label of the model.
    """
    offered = {label for clip in clips for o in clip.usable for label in o.offered}
    if not offered & set(labels):
        raise UsageError(
            f"people were asked about {', '.join(sorted(offered))} and the model knows "
            f"{', '.join(labels)}: name a model with those labels with --from"
        )
    given = {label for clip in clips for o in clip.usable for label in o.vote.labels}
    strange = sorted(given - set(labels) - set(ignored))
    if strange:
        names = ", ".join(strange)
        raise UsageError(
            f"people gave labels that the model does not have: {names}; name a model that has them "
            f"with --from, or leave them out with --ignore {','.join(strange)!r}"
        )


def _first(
    first: dict[tuple[str, tuple[int, int]], int],
    places: dict[int, ClipPlace],
    answer: ClipAnswer,
) -> int:
    place = places[answer.clip_id]
    return first[place.content_hash, place.bounds]
