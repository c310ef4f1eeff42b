"""Training in several processes that torchrun started: `torchrun --nproc-per-node 2 -m cli train`.

Each process runs the network on its part of a batch; then all see the outputs of the whole batch
and compute the same loss, contrastive and calibration losses included, so it is the loss of one
process. A process has the gradient of its own part, and the parts are summed.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from annotator.errors import UsageError
from lddu_model import Output


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which process this is, of how many."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the files and talks to people."""
        return self.rank == 0

    def part(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of a batch.

        >>> Ranks(1, 2).part(np.arange(5))
        array([3, 4])
        """
        return np.array_split(batch, self.world)[self.rank]


def join(device: torch.device, environment: Mapping[str, str] = os.environ) -> Ranks:
    """Meet the other processes torchrun started, if it did.

    Raises:
        UsageError: the environment is not as torchrun sets it.
    """
    if environment.get("WORLD_SIZE", "1") == "1":
        return Ranks()
    try:
        ranks = Ranks(int(environment["RANK"]), int(environment["WORLD_SIZE"]))
    except (KeyError, ValueError) as error:
        raise UsageError(
            "WORLD_SIZE is set but RANK is not: start several processes with torchrun"
        ) from error
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return ranks


def gather_output(output: Output, present: Tensor, ranks: Ranks) -> Output:
    """The output of the whole batch; its gradient reaches this process's part only.

    Args:
        output: of this process's part.
        present: (B, 3) of the whole batch, on the CPU, which every process knows.
        ranks: of this process.
    """
    if ranks.world == 1:
        return output
    sizes = [len(part) for part in np.array_split(np.arange(len(present)), ranks.world)]

    def gathered(value: Tensor) -> Tensor:
        return _gather(value, sizes, ranks.rank)

    return replace(
        output,
        logit_direct=gathered(output.logit_direct),
        logit_mu=gathered(output.logit_mu),
        logit_sigma=gathered(output.logit_sigma),
        mu=gathered(output.mu),
        sigma=gathered(output.sigma),
        present=present,
        intensity=None if output.intensity is None else gathered(output.intensity),
    )


def sum_gradients(network: nn.Module, ranks: Ranks) -> None:
    """Add up the gradients of all processes, in one message."""
    if ranks.world == 1:
        return
    parameters = [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        if parameter.grad is None:  # no part of this process's batch came by
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    dist.all_reduce(flat)
    pieces: Iterable[Tensor] = torch.split(flat, [p.numel() for p in parameters])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view_as(parameter)


def _gather(value: Tensor, sizes: list[int], rank: int) -> Tensor:
    """All processes' values along the first axis, padded on the way to one length."""
    padded = value.detach().new_zeros(max(sizes), *value.shape[1:])
    padded[: len(value)] = value.detach()
    received = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(received, padded)
    parts = [part[:size] for part, size in zip(received, sizes, strict=True)]
    parts[rank] = value
    return torch.cat(parts)
