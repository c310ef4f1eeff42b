"""What several commands open before they begin."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from annotator.learning.dataset import Dataset
    from annotator.learning.settings import Settings


def to_train(
    data: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> "tuple[Dataset, Settings, torch.device]":
    """What every training starts from; settings are read first, for they are quick to refuse."""
    from annotator.datasets import open_dataset
    from annotator.learning.settings import Settings, chosen
    from annotator.predict import choose_device

    settings = chosen(Settings(), config, assignments)
    on = choose_device(device)
    return open_dataset(data, labels=labels, cache=cache), settings, on
