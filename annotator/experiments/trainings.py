"""What experiments of many trainings share."""

from dataclasses import replace
from typing import Protocol

from annotator.learning import epochs
from annotator.learning.dataset import TRAIN, VALID, Dataset


class Watcher(epochs.Watcher, Protocol):
    """Told of every training, and of every step and epoch in it."""

    def training(self, name: str, number: int, total: int) -> None:
        """A training begins, `number` from 1; one that is finished already has no steps."""


def to_learn_from(dataset: Dataset) -> Dataset:
    """The dataset without its test split, so that nothing can depend on it.

    Raises:
        UsageError: it has no train or no valid split.
    """
    return replace(dataset, splits={name: dataset.split(name) for name in (TRAIN, VALID)})
