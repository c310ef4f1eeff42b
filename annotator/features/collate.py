"""A batch for the network from the features of clips."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from annotator.types import MODALITIES, Modality


def collate(
    clips: Sequence[Mapping[Modality, NDArray[np.floating[Any]]]], *, pinned: bool = False
) -> dict[str, Tensor]:
    """Pad each modality that any clip has to its longest, with the true lengths beside it.

    Args:
        clips: (steps, dimension) for each modality a clip has.
        pinned: in page-locked memory, from which a GPU copies while it computes.

    Returns:
        The arguments of `LDDU.forward`: (B, T, dimension) float32 and (B,) lengths.

    >>> batch = collate([{"text": np.ones((2, 3))}, {}])
    >>> batch["text"].shape, batch["text_length"].tolist()
    (torch.Size([2, 2, 3]), [2, 0])
    """
    batch: dict[str, Tensor] = {}
    for name in MODALITIES:
        values = [clip.get(name) for clip in clips]
        lengths = [0 if value is None else len(value) for value in values]
        if not any(lengths):
            continue
        dimension = next(value.shape[1] for value in values if value is not None)
        padded = torch.zeros(len(clips), max(lengths), dimension, pin_memory=pinned)
        into = padded.numpy()
        for row, value in enumerate(values):
            if value is not None:
                into[row, : len(value)] = value
        batch[name] = padded
        batch[f"{name}_length"] = torch.tensor(lengths)
    return batch


def send(batch: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch on the device, without waiting; lengths stay on the CPU, where they are read."""
    return {
        name: value if name.endswith("_length") else value.to(device, non_blocking=True)
        for name, value in batch.items()
    }
