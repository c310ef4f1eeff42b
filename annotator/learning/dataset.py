"""A labelled corpus as training sees it, whatever it was read from.

Features keep their true length; a modality that an example lacks is not in its mapping. The arrays
are usually views into one large array that a reader loaded, so an example costs next to nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.types import MAX_STEPS, Bounds, Modality

Array = NDArray[np.floating[Any]]

TRAIN, VALID, TEST = "train", "valid", "test"
SPLITS = (TRAIN, VALID, TEST)

FOREIGN = "foreign"  # begins the id of what made features that are not ours


@dataclass(frozen=True, slots=True)
class Place:
    """Where a clip's media lie."""

    path: Path
    bounds: Bounds

    @property
    def length_ms(self) -> int:
        """Of the clip."""
        return self.bounds[1] - self.bounds[0]


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
    words: str | None = None  # that the text features were made from, if the corpus has them
    place: Place | None = None  # if the corpus has its media


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Examples by split, with the labels in the order of every target."""

    name: str
    labels: tuple[str, ...]
    dimensions: Mapping[Modality, int]  # of a step; every modality that any example has
    extractors: Mapping[Modality, str]  # what made the features: ids of ours, or FOREIGN ...
    splits: Mapping[str, Sequence[Example]]  # keys among SPLITS
    files: Mapping[str, str] = field(default_factory=dict)  # name → sha256 of what was read

    def split(self, name: str) -> Sequence[Example]:
        """The examples of a split.

        Raises:
            UsageError: it has none.
        """
        examples = self.splits.get(name, ())
        if not examples:
            known = ", ".join(key for key, found in self.splits.items() if found) or "no split"
            raise UsageError(f"{self.name} has no {name} examples: expected some beside {known}")
        return examples


def check(dataset: Dataset, splits: Iterable[str]) -> None:
    """Refuse a corpus that training or evaluation would stumble over in these splits.

    Raises:
        UsageError: a split is empty, an example has no modality, features of another dimension
            or that are not finite, a target out of range or of another length.
    """
    for split in splits:
        for example in dataset.split(split):
            if problem := _problem(dataset, example):
                raise UsageError(
                    f"{dataset.name}, {split} example {example.id!r}: {problem}: "
                    "mend the data, or leave the example out"
                )


def _problem(dataset: Dataset, example: Example) -> str | None:
    """What is wrong with an example, None if nothing is."""
    if not any(len(values) for values in example.features.values()):
        return "it has no modality: expected visual, audio or text features"
    for modality, values in example.features.items():
        expected = dataset.dimensions[modality]
        if values.ndim != 2 or values.shape[1] != expected or len(values) > MAX_STEPS:
            return (
                f"{modality} features are {values.shape}, expected (steps, {expected}) "
                f"with at most {MAX_STEPS} steps"
            )
        if not np.isfinite(values).all():
            return f"{modality} features hold NaN or infinity"
    return _target_problem(example.target, len(dataset.labels))


def _target_problem(target: NDArray[np.float32], labels: int) -> str | None:
    if target.shape != (labels,):
        return f"its target is {target.shape}, expected one value for each of {labels} labels"
    if np.isnan(target).all():
        return "no label is known"
    if ((target < 0) | (target > 1)).any():
        return "its target must lie between 0 and 1"
    return None
