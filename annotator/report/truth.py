"""The clips whose labels are known, from people or with the corpus, beside the model's answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.labels.consensus import consensuses
from annotator.labels.stored import votes_of
from annotator.metrics.evaluate import Answers
from annotator.store.engine import Store
from annotator.store.records import KnownClip

MOST = 4_000  # clips with labels of the corpus, or with people's, that are measured
NONE_KNOWN = (
    "No label is known of any clip: have people answer (`annotate export --uncertain-top 100`, "
    "then `annotate pull`), or annotate a manifest that has labels"
)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Of n clips: `answers` beside the targets, and how far people disagree.

    `reviewed` of them have people's answers, which stand for the labels of the corpus there.
    `disagreement` (n,) is that of `Consensus`, NaN for fewer than two usable answers.
    """

    answers: Answers
    disagreement: Floats
    reviewed: int

    @property
    def source(self) -> str:
        """Where the labels come from, in words."""
        corpus = len(self.disagreement) - self.reviewed
        parts = [f"{self.reviewed:,} clips that people answered"] if self.reviewed else []
        parts += [f"{corpus:,} clips with labels of the corpus"] if corpus else []
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class _Known:
    target: Mapping[str, float]
    raters: int
    disagreement: float | None


def known_truth(store: Store, model_id: int, labels: Sequence[str]) -> Truth | None:
    """All that is known of clips the model has answered; None where that is nothing."""
    known = _from_corpus(store.given_labels(model_id, MOST), labels) | _from_people(store, labels)
    ids = sorted(known)
    clips = store.known_clips(model_id, ids[:: max(1, len(ids) // MOST)])
    scored = {clip_id: clip for clip_id, clip in clips.items() if clip.scores is not None}
    if not scored:
        return None
    return _truth(scored, known, labels)


def _truth(
    clips: Mapping[int, KnownClip],
    known: Mapping[int, _Known],
    labels: Sequence[str],
) -> Truth:
    ids = list(clips)
    scores = [clip.scores for clip in clips.values() if clip.scores is not None]
    given = [{found.label: found for found in score.labels} for score in scores]
    probability = np.array([[found[label].p for label in labels] for found in given])
    target = np.array(
        [[known[clip_id].target.get(label, np.nan) for label in labels] for clip_id in ids]
    )
    answers = Answers(
        labels=tuple(labels),
        probability=probability,
        target=target,
        variance=np.array([score.variance for score in scores]),
        entropy=np.array([score.entropy for score in scores]),
        groups=[clip.content_hash for clip in clips.values()],
        raters=np.array([known[clip_id].raters for clip_id in ids]),
    )
    disagreement = [known[clip_id].disagreement for clip_id in ids]
    return Truth(
        answers,
        np.array([np.nan if value is None else value for value in disagreement]),
        sum(known[clip_id].raters > 0 for clip_id in ids),
    )


def _from_people(store: Store, labels: Sequence[str]) -> dict[int, _Known]:
    """Of a clip in several projects the one with the most voters counts."""
    found: dict[int, _Known] = {}
    for project in store.projects():
        asked = [label for label in project.labels if label in labels]
        for clip in consensuses(votes_of(store.answers(project.project_id)), project.labels):
            voters = clip.voters - clip.unusable_votes
            earlier = found.get(clip.clip_id)
            if asked and clip.soft is not None and (earlier is None or earlier.raters < voters):
                target = {label: clip.soft[label] for label in asked}
                found[clip.clip_id] = _Known(target, voters, clip.disagreement)
    return found


def _from_corpus(
    given: Mapping[int, Mapping[str, float]], labels: Sequence[str]
) -> dict[int, _Known]:
    """A clip all of whose labels are 1 lists what is there: what it does not list is not there.

    That is said only of labels that the corpus has at all; of others nothing is known.
    """
    names = {name for values in given.values() for name in values}
    asked = [label for label in labels if label in names]
    found: dict[int, _Known] = {}
    for clip_id, values in given.items():
        listed = all(value == 1.0 for value in values.values())
        target = {label: values.get(label, 0.0) for label in asked if listed or label in values}
        if target:
            found[clip_id] = _Known(target, 0, None)
    return found
