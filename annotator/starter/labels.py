"""The labels of the starter and how other corpora's names map onto them."""

import numpy as np
from numpy.typing import NDArray

from annotator.types import DEFAULT_LABELS

LABELS = DEFAULT_LABELS
NEUTRAL = "neutral"  # none of the labels


def one_hot(emotion: str) -> NDArray[np.float32]:
    """The target (6,) of a clip with one emotion, or with none.

    >>> one_hot("sad").tolist(), one_hot("neutral").sum()
    ([0.0, 1.0, 0.0, 0.0, 0.0, 0.0], np.float32(0.0))
    """
    if emotion != NEUTRAL and emotion not in LABELS:
        raise ValueError(f"{emotion!r} is neither {NEUTRAL} nor one of {', '.join(LABELS)}")
    return np.array([label == emotion for label in LABELS], np.float32)
