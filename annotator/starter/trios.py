"""Synthetic trios: a face, a voice and words of the same emotion, of three different people.

There is no corpus here in which one person is seen, heard and read, so the fusion learns from
these. What real people do with three modalities at once, contradict themselves for instance, is
not in them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from annotator.learning.dataset import Example
from annotator.starter.labels import LABELS, NEUTRAL
from annotator.types import MODALITIES, Modality

CLEAR = 0.5  # a share above this is the emotion of a clip, if no other is


def pair(
    sources: Mapping[Modality, Sequence[Example]], count: int, seed: int, split: str
) -> list[Example]:
    """Draw trios, a third of which lack one modality; emotions are evenly drawn.

    The target is the mean of the parts' targets. The same clip may be part of several trios.
    """
    random = np.random.default_rng(seed)
    by_emotion = {m: _by_emotion(examples) for m, examples in sources.items()}
    trios = []
    for number in range(count):
        emotion = (*LABELS, NEUTRAL)[number % (len(LABELS) + 1)]
        drawn: dict[Modality, Example] = {}
        for modality in MODALITIES:
            choice = by_emotion[modality].get(emotion, [])
            if choice:
                drawn[modality] = choice[random.integers(len(choice))]
        if len(drawn) == len(MODALITIES) and random.random() < 1 / 3:
            del drawn[MODALITIES[random.integers(len(MODALITIES))]]
        features = {m: example.features[m] for m, example in drawn.items()}
        target = np.mean([example.target for example in drawn.values()], axis=0)
        name = f"trio {split} {number}"
        trios.append(Example(name, name, features, target.astype(np.float32)))
    return trios


def _by_emotion(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """Clips of one clear emotion, or of none."""
    found: dict[str, list[Example]] = {}
    for example in examples:
        clear = np.flatnonzero(example.target > CLEAR)
        if len(clear) == 1:
            found.setdefault(LABELS[clear[0]], []).append(example)
        elif not len(clear) and example.target.sum() < CLEAR:
            found.setdefault(NEUTRAL, []).append(example)
    return found
