"""Earlier training data beside new labels, so that a model does not forget what it knows.

Of the earlier data only train clips are taken, and none of a speaker or video that is held out of
the new labels: the held-out clips decide about the model.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from annotator.errors import UsageError
from annotator.learning.dataset import TRAIN, Dataset, Example


def replayed(
    new: Dataset, earlier: Dataset, ratio: float, held: Collection[str], seed: int
) -> Dataset:
    """The new labels, with clips of earlier data among those to train on.

    Args:
        new: whose valid and test clips stay as they are.
        earlier: of whose train clips some are drawn; its labels may be others, in any order: what
            it does not know is unknown.
        ratio: earlier clips a new one, as far as there are any.
        held: groups that are not to be learnt from.
        seed: of the draw.

    Raises:
        UsageError: it shares no label with the new data, or all its clips are held out.
    """
    shared = [label for label in new.labels if label in earlier.labels]
    if not shared:
        raise UsageError(
            f"{earlier.name} has none of the model's labels ({', '.join(new.labels)}): "
            "replay the data it was trained on"
        )
    usable = [
        example
        for example in (
            _relabelled(one, earlier.labels, new.labels) for one in earlier.split(TRAIN)
        )
        if example.group not in held and not np.isnan(example.target).all()
    ]
    if not usable:
        raise UsageError(
            f"{earlier.name} has only train clips of held-out speakers or videos: replay others"
        )
    wanted = min(len(usable), round(ratio * len(new.split(TRAIN))))
    chosen = np.random.default_rng(seed).permutation(len(usable))[:wanted]
    train = [*new.split(TRAIN), *(usable[place] for place in sorted(chosen))]
    return replace(
        new,
        dimensions={**earlier.dimensions, **new.dimensions},
        extractors={**earlier.extractors, **new.extractors},
        splits={**new.splits, TRAIN: train},
        files={**earlier.files, **new.files},
    )


def _relabelled(example: Example, theirs: Sequence[str], ours: Sequence[str]) -> Example:
    """The example with its target in our labels, NaN for those it was not asked about."""
    places = [theirs.index(label) if label in theirs else None for label in ours]

    def turned(values: np.typing.NDArray[np.float32]) -> np.typing.NDArray[np.float32]:
        return np.array([np.nan if p is None else values[p] for p in places], np.float32)

    intensity = None if example.intensity is None else turned(example.intensity)
    return replace(example, target=turned(example.target), intensity=intensity)
