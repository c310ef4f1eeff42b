"""Which examples make a batch, and which of their modalities the network sees.

Everything follows from the seed and the epoch, so a training that was killed goes on with the
batches it would have had.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.dataset import Example
from annotator.types import MODALITIES

POOL = 20  # batches that are sorted by length together: the larger, the less padding and chance

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


def lengths_of(examples: Sequence[Example]) -> Index:
    """(n, 3), the steps of each modality, 0 where it is absent."""
    return np.array(
        [[len(e.features.get(m, ())) for m in MODALITIES] for e in examples], dtype=np.int64
    )


def epoch_batches(
    lengths: Index, size: int, seed: int, epoch: int, least: int = 1, pool: int = POOL
) -> list[Index]:
    """Every example once, in batches of like length in random order.

    Args:
        lengths: (n, 3) of `lengths_of`.
        size: examples in a batch; the last one may have fewer.
        seed: of the whole training.
        epoch: which is shuffled.
        least: a last batch smaller than this joins another; at most `size`.
        pool: batches that are sorted by length together; 1 for batches of any lengths.

    >>> batches = epoch_batches(np.ones((5, 3), dtype=np.int64), size=2, seed=0, epoch=0, least=2)
    >>> sorted(map(len, batches)), sorted(np.concatenate(batches).tolist())
    ([2, 3], [0, 1, 2, 3, 4])
    """
    random = np.random.default_rng([seed, epoch, 0])
    order = random.permutation(len(lengths))
    steps = lengths.sum(axis=1)
    batches: list[Index] = []
    for part in _parts(order, size * pool):
        batches += _parts(part[np.argsort(steps[part], kind="stable")], size)
    small = [batch for batch in batches if len(batch) < least]
    batches = [batch for batch in batches if len(batch) >= least]
    if batches and small:
        batches[-1] = np.concatenate([batches[-1], *small])
    return [batches[i] for i in random.permutation(len(batches))]


def keep_modalities(lengths: Index, chance: float, seed: int, epoch: int) -> Mask:
    """(n, 3), the modalities shown in this epoch: each is hidden with `chance`, never the last.

    >>> keep_modalities(np.array([[5, 0, 3]]), chance=0.0, seed=0, epoch=0).tolist()
    [[True, False, True]]
    """
    present = lengths > 0
    draw = np.random.default_rng([seed, epoch, 1]).random(lengths.shape)
    draw = np.where(present, draw, -1.0)
    kept = present & (draw >= chance)
    lost = present.any(axis=1) & ~kept.any(axis=1)
    kept[lost, draw[lost].argmax(axis=1)] = True
    return kept


def positive_weights(targets: NDArray[np.floating[Any]], balance: str) -> NDArray[np.float64]:
    """(q,), what a positive counts: 1, the root of negatives over positives, or all of it.

    A label without positives keeps 1.

    >>> targets = np.array([[1.0], [0.0], [0.0], [0.0], [0.0], [np.nan]])
    >>> [positive_weights(targets, b).item() for b in ("none", "sqrt", "full")]
    [1.0, 2.0, 4.0]
    """
    positives = np.nansum(targets, axis=0)
    negatives = np.nansum(1 - targets, axis=0)
    odds = np.divide(negatives, positives, out=np.ones_like(positives), where=positives > 0)
    power = {"none": 0.0, "sqrt": 0.5, "full": 1.0}[balance]
    return np.asarray(odds**power, dtype=np.float64)


def rater_weights(examples: Sequence[Example]) -> NDArray[np.float64]:
    """(n,), what each example counts: in proportion to its raters, 1 on average.

    Examples of which the raters are unknown count 1.

    >>> none = np.zeros(0)
    >>> given = [Example("", "", {}, none, raters) for raters in (1, 3, None)]
    >>> rater_weights(given).tolist()
    [0.5, 1.5, 1.0]
    """
    raters = np.array([example.raters or np.nan for example in examples])
    known = raters[~np.isnan(raters)]
    return np.nan_to_num(raters / (known.mean() if known.size else 1.0), nan=1.0)


def _parts(order: Index, size: int) -> list[Index]:
    return [order[start : start + size] for start in range(0, len(order), size)]
