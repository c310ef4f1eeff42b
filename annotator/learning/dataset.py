"""A labelled corpus as training sees it, whatever it was read from.

Features keep their true length; a modality that an example lacks is not in its mapping. The arrays
are usually views into one large array that a reader loaded, so an example costs next to nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.types import Modality

Array = NDArray[np.floating[Any]]

TRAIN, VALID, TEST = "train", "valid", "test"
SPLITS = (TRAIN, VALID, TEST)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One clip and what people said of it.

    `target` is (q,), the share of raters who saw each label, from 0 to 1; NaN where nobody was
    asked. `raters` is how many people stand behind it, None if the corpus does not say.
    `intensity` is (q,), the mean strength they gave (CMU-MOSEI: 0 to 3), if they gave any.
    """

    id: str
    group: str  # the video or speaker: a split never cuts through one
    features: Mapping[Modality, Array]  # (steps, dimension), finite
    target: NDArray[np.float32]
    raters: int | None = None
    intensity: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Examples by split, with the labels in the order of every target."""

    name: str
    labels: tuple[str, ...]
    dimensions: Mapping[Modality, int]  # of a step; every modality that any example has
    extractors: Mapping[Modality, str]  # what made the features: ids of ours, or "foreign ..."
    splits: Mapping[str, Sequence[Example]]  # keys among SPLITS
    files: Mapping[str, str] = field(default_factory=dict)  # name → sha256 of what was read

    def split(self, name: str) -> Sequence[Example]:
        """The examples of a split; a ValueError if it has none."""
        examples = self.splits.get(name, ())
        if not examples:
            raise ValueError(f"the {name} split of {self.name} is empty: training needs one")
        return examples
