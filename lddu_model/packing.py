"""The real steps of a padded batch, without the padding.

Everything but attention works step by step, so it runs on the N real steps alone, (N, d). Only
attention goes back to (n, T, d), where padding is zero and masked: whatever the caller's padding
holds, be it NaN, no arithmetic ever sees it.

Lengths, and what follows from them, are known on the CPU; indices are sent to where the features
are without waiting. So nothing in a training step makes the CPU wait for a GPU.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """Where N packed steps lie in a padded batch of n sequences of at most T steps."""

    sequences: int  # n
    steps: int  # T, the longest true length
    position: Tensor  # (N,) each packed step's index in its own sequence
    index: Tensor | None  # (N,) each packed step's place in the flattened (n·T); None: no padding

    @classmethod
    def from_mask(cls, mask: Tensor, device: torch.device | None = None) -> "Packing":
        """The packing, on a device, of the real steps that `mask` (n, T) marks on the CPU.

        >>> Packing.from_mask(torch.tensor([[True, True], [True, False]])).position
        tensor([0, 1, 0])
        """
        sequences, steps = mask.shape
        index = indices(mask.flatten(), device)
        full = len(index) == mask.numel()
        return cls(sequences, steps, index % max(steps, 1), None if full else index)

    def pack(self, padded: Tensor) -> Tensor:
        """(n, T, d) to (N, d)."""
        flat = padded.flatten(0, 1)
        return flat if self.index is None else flat.index_select(0, self.index)

    def pad(self, packed: Tensor) -> Tensor:
        """(N, d) to (n, T, d), zero where there is no step."""
        flat = packed
        if self.index is not None:
            flat = packed.new_zeros(self.sequences * self.steps, packed.shape[1])
            flat.index_copy_(0, self.index, packed)
        return flat.view(self.sequences, self.steps, packed.shape[1])

    def key_mask(self, dtype: torch.dtype = torch.float32) -> Tensor | None:
        """(n, 1, 1, T), added to scores: 0, and -∞ at padding; None where there is no padding."""
        if self.index is None:
            return None
        size = self.sequences * self.steps
        mask = torch.full((size,), -torch.inf, dtype=dtype, device=self.index.device)
        mask[self.index] = 0
        return mask.view(self.sequences, 1, 1, self.steps)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """One modality of a batch of B samples, n of which have it."""

    values: Tensor  # (N, dim) the real steps of all samples, one after another
    packing: Packing  # of the n sequences
    present: Tensor  # (B,) bool, on the CPU, which samples have this modality


def indices(mask: Tensor, device: torch.device | None = None) -> Tensor:
    """Where a mask (n,) on the CPU is true, on a device, without waiting for it."""
    return mask.nonzero().squeeze(1).to(device, non_blocking=True)


def real_steps(name: str, padded: Tensor, lengths: Tensor | None, positions: int) -> Steps:
    """Take the real steps out of a padded batch.

    Args:
        name: the modality, for error messages.
        padded: (B, T, dim) floats; what lies past a sample's length is never read.
        lengths: (B,) integers, 0 where the sample lacks the modality; None means T for all. On
            the CPU: those of a GPU are waited for.
        positions: the longest sequence the network has positions for.

    Raises:
        ValueError: lengths do not fit, a sequence is too long, or a real step is not finite (which
            a GPU is not asked in training: there the loss tells).

    >>> values = torch.tensor([[[1.0], [float("nan")]], [[2.0], [3.0]]])
    >>> real_steps("text", values, torch.tensor([1, 2]), positions=60).values.flatten()
    tensor([1., 2., 3.])
    """
    lengths = _checked_lengths(name, padded, lengths)
    longest = int(lengths.max())
    if longest > positions:
        raise ValueError(
            f"{name} has a sequence of {longest} steps, the network has {positions} positions: "
            "shorten it"
        )
    mask = torch.arange(longest) < lengths[:, None]
    values = padded[:, :longest].flatten(0, 1)
    if not mask.all():
        values = values.index_select(0, indices(mask.flatten(), values.device))
    if values.device.type == "cpu" or not torch.is_grad_enabled():
        _check_finite(name, values, mask)
    present = lengths > 0
    return Steps(values, Packing.from_mask(mask[present], values.device), present)


def _check_finite(name: str, values: Tensor, mask: Tensor) -> None:
    if values.sum().isfinite():  # then all of them are, and this is a tenth of asking each
        return
    finite = values.isfinite().all(dim=1)
    if not finite.all():
        sample = int(mask.nonzero()[~finite.cpu()][0, 0])
        raise ValueError(f"{name} of sample {sample} holds NaN or infinity: clean the features")


def _checked_lengths(name: str, padded: Tensor, lengths: Tensor | None) -> Tensor:
    batch, steps = padded.shape[:2]
    if lengths is None:
        return torch.full((batch,), steps)
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise ValueError(f"{name}_length must hold integers, got {lengths.dtype}")
    if lengths.shape != (batch,):
        raise ValueError(f"{name}_length must be ({batch},), got {tuple(lengths.shape)}")
    lengths = lengths.cpu()
    if ((lengths < 0) | (lengths > steps)).any():
        raise ValueError(f"{name}_length must be 0 to {steps}, got {lengths.tolist()!s:.60}")
    return lengths
