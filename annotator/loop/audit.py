"""How good the model in use is, from clips drawn at random and not by its own scores.

Such a draw of the clips that nobody was asked about is the only unbiased sample a loop has: those
that a score chose are harder than the corpus is.

People are held against each other on the same clips: each person in turn, and the model beside
them, is compared with the majority of the others, so both meet the same reference. Where a model
reaches people there, their labels can tell no better models from it.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from annotator.datasets.answered import AnsweredClip, answered_clips
from annotator.labels.annotators import majority
from annotator.loop.records import Audited
from annotator.metrics import multilabel
from annotator.metrics.bootstrap import Interval, bootstrap
from annotator.metrics.inputs import Array, mean_clips, mean_labels
from annotator.metrics.multilabel import PRESENT
from annotator.registry import ModelVersion
from annotator.store.engine import Store

JACCARD = partial(multilabel.sample_jaccard, empty=1.0)  # right silence is right


def audited(store: Store, model: ModelVersion, clip_ids: Sequence[int]) -> Audited:
    """What people said about the clips of an audit says of the model that they were drawn for."""
    places = store.places(clip_ids)
    drawn = {(place.content_hash, place.bounds): place.clip_id for place in places.values()}
    clips = [
        (drawn[clip.place.content_hash, clip.place.bounds], clip)
        for clip in answered_clips(store)
        if (clip.place.content_hash, clip.place.bounds) in drawn and clip.can_be_judged
    ]
    clips.sort(key=lambda one: one[0])
    ids = np.array([clip_id for clip_id, _ in clips], np.int64)
    probability = store.label_answers(store.register_model(model), ids)[0]
    known = ~np.isnan(probability).any(axis=1)
    answered = [clip for (_, clip), there in zip(clips, known, strict=True) if there]
    thresholds = [model.thresholds[label] for label in model.labels]
    return estimate(probability[known], thresholds, answered, model.labels)


def estimate(
    probability: Array,
    thresholds: ArrayLike,
    clips: Sequence[AnsweredClip],
    labels: Sequence[str],
) -> Audited:
    """Measure answers (n, q) against n clips' people, with intervals over speakers or videos.

    A tie among people decides nothing and is left out.
    """
    if not clips:
        return Audited(0, None, None, None, None, None, None, 0, None, None)
    target = np.stack([clip.target(labels) for clip in clips]).astype(np.float64)
    target[target == PRESENT] = np.nan
    found = bootstrap(
        partial(_measure, probability, target, thresholds),
        [clip.place.speaker or clip.place.content_hash for clip in clips],
    )
    model, people, shared = _beside_people(probability, thresholds, clips, labels)
    return Audited(
        len(clips),
        *_numbers(found["jaccard"]),
        *_numbers(found["macro_f1"]),
        shared,
        _known(model),
        _known(people),
    )


def _measure(p: Array, y: Array, thresholds: ArrayLike, weight: Array) -> dict[str, Array]:
    counted = multilabel.count(p, y, thresholds, weight)
    return {
        "jaccard": mean_clips(JACCARD(p, y, thresholds), weight),
        "macro_f1": mean_labels(counted.f1),
    }


def _beside_people(
    probability: Array,
    thresholds: ArrayLike,
    clips: Sequence[AnsweredClip],
    labels: Sequence[str],
) -> tuple[float, float, int]:
    """The mean Jaccard of the model and of people with the majority of others, and on how many."""
    model, people = [], []
    for row, clip in zip(probability, clips, strict=True):
        votes = [opinion.vote for opinion in clip.usable]
        if len(votes) < 2:
            continue
        others = [majority([v for v in votes if v is not one], labels) for one in votes]
        reference = _table(others, lambda said, label: said.get(label, math.nan), labels)
        given = _table(votes, lambda vote, label: float(label in vote.labels), labels)
        answers = np.broadcast_to(row, reference.shape)
        model.append(np.nanmean(JACCARD(answers, reference, thresholds)))
        people.append(np.nanmean(JACCARD(given, reference)))
    if not model:
        return math.nan, math.nan, 0
    return float(np.mean(model)), float(np.mean(people)), len(model)


def _table(rows: Sequence[object], cell: Callable[..., float], labels: Sequence[str]) -> Array:
    return np.array([[cell(row, label) for label in labels] for row in rows])


def _numbers(found: Interval) -> tuple[float | None, float | None, float | None]:
    return _known(found.value), _known(found.low), _known(found.high)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
