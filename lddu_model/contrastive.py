"""The supervised contrastive loss over the batch and a queue of earlier rows.

One row per sample, modality and label, z = [μ/|μ| ; σ/|σ|]. Its class is modality·2q + label, and
q more where the label is absent. With s_ij = z_i·z_j / 2τ the loss of an anchor i is the mean of
log Σ_{a≠i} exp s_ia - s_ip over the p ≠ i of its class, 0 if there is none; every row of batch and
queue is an anchor, and the loss is the mean over all of them (arXiv 2502.13954, as released).

The released code builds the whole (batch + queue)² matrix. The same loss and gradient need less:

- the positives of a class need its sum only: Σ_i z_i·(Σ_j z_j - z_i) = |Σ_j z_j|² - Σ_i |z_i|²;
- queue rows carry no gradient, so what queue anchors see of the queue is kept from step to step,
  as sums over blocks of slots; replacing slots computes their blocks anew and never subtracts.

What is left is batch × (batch + queue).
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

NO_CLASS = -1  # of a row that is nobody's positive: an empty slot of the queue
BLOCK = 256  # slots whose sums are kept together
MIN_TEMPERATURE = 0.02  # exp(±1/τ) and sums of many fit into float32 down to 0.012


def contrastive_rows(
    mu: Tensor, sigma: Tensor, target: Tensor, present: Tensor, *, absent_classes: bool = True
) -> tuple[Tensor, Tensor]:
    """The rows of a batch and their classes; a modality that a sample lacks gives none.

    Args:
        mu: (B, q, 3, d).
        sigma: (B, q, 3, d).
        target: (B, q); from 0.5 on a label counts as present, NaN (unknown) gives NO_CLASS.
        present: (B, 3) bool, the modalities of each sample.
        absent_classes: as released; if false, rows of absent labels belong to no class.

    Returns:
        (n, 2d) rows and (n,) classes below 6q.

    >>> mu, target = torch.randn(2, 1, 3, 4), torch.tensor([[1.0], [0.0]])
    >>> present = torch.tensor([[True, True, True], [False, True, False]])
    >>> rows, classes = contrastive_rows(mu, mu.exp(), target, present)
    >>> rows.shape, classes.tolist()
    (torch.Size([4, 8]), [0, 2, 4, 3])
    """
    q = target.shape[1]
    rows = torch.cat([F.normalize(mu, dim=-1), F.normalize(sigma, dim=-1)], dim=-1)
    modality = 2 * q * torch.arange(3, device=target.device)
    label = torch.arange(q, device=target.device)[None, :] + q * (target < 0.5)
    label = label.masked_fill(target.isnan(), NO_CLASS)
    if not absent_classes:
        label = label.masked_fill(target < 0.5, NO_CLASS)
    classes = label[:, :, None] + modality
    classes = classes.masked_fill(label[:, :, None] == NO_CLASS, NO_CLASS)
    kept = present.cpu()[:, None, :].expand(classes.shape).flatten().nonzero().squeeze(1)
    if len(kept) == classes.numel():
        return rows.flatten(0, 2), classes.flatten()
    kept = kept.to(rows.device, non_blocking=True)
    return rows.flatten(0, 2)[kept], classes.flatten()[kept]


class ContrastiveLoss(nn.Module):
    """The loss and its queue, whose buffers belong to a checkpoint of the training.

    Args:
        width: 2d, the width of a row.
        classes: how many there are, 6q.
        queue: slots, 0 for none; released: 8192.
        temperature: τ; released: 0.07.
        seed: of the rows that fill the queue at first; they are negatives without a class.

    Raises:
        ValueError: the queue or the temperature is out of range.

    >>> loss = ContrastiveLoss(width=4, classes=2, queue=8)
    >>> rows = F.normalize(torch.randn(6, 4), dim=1).requires_grad_()
    >>> loss(rows, torch.tensor([0, 0, 0, 1, 1, 1])).backward()
    >>> loss.enqueue(rows, torch.tensor([0, 0, 0, 1, 1, 1]))
    >>> loss.slot_classes.tolist()
    [0, 0, 0, 1, 1, 1, -1, -1]
    """

    rows: Tensor  # (K, 2d)
    slot_classes: Tensor  # (K,)
    block_sums: Tensor  # (K, blocks), Σ exp s_ij over the j of a block other than i

    def __init__(
        self, width: int, classes: int, queue: int = 8192, temperature: float = 0.07, seed: int = 0
    ) -> None:
        super().__init__()
        if queue < 0:
            raise ValueError(f"the queue must have 0 or more slots, got {queue}")
        if not temperature >= MIN_TEMPERATURE:
            raise ValueError(f"the temperature must be at least {MIN_TEMPERATURE}")
        self.classes, self.scale = classes, 0.5 / temperature
        generator = torch.Generator().manual_seed(seed)
        half = width // 2
        noise = torch.randn(queue, 2, half, generator=generator)
        self.register_buffer("rows", F.normalize(noise, dim=2).reshape(queue, 2 * half))
        self.register_buffer("slot_classes", torch.full((queue,), NO_CLASS))
        self.register_buffer("block_sums", torch.zeros(queue, -(-queue // BLOCK)))
        self._next = 0  # the oldest slot
        self._refresh(range(self.block_sums.shape[1]))

    def forward(self, rows: Tensor, classes: Tensor) -> Tensor:
        """The loss of a batch against itself and the queue; the queue stays as it is.

        Args:
            rows: (n, 2d) of `contrastive_rows`.
            classes: (n,) integers, NO_CLASS or below the number of classes.
        """
        with torch.autocast(rows.device.type, enabled=False):
            seen = self.block_sums.sum(1)
            queue = (self.rows, self.slot_classes, seen)
            contrast = cast(Callable[..., Tensor], _Contrast.apply)
            return contrast(rows.float(), classes, *queue, self.classes, self.scale)

    @torch.no_grad()
    def enqueue(self, rows: Tensor, classes: Tensor) -> None:
        """Put the rows of a batch in place of the oldest; of more rows than slots, the last."""
        slots = len(self.slot_classes)
        if slots == 0 or len(rows) == 0:
            return
        rows, classes = rows.detach().float()[-slots:], classes[-slots:]
        end = self._next + len(rows)
        where = torch.arange(self._next, end, device=rows.device) % slots
        self.rows[where] = rows
        self.slot_classes[where] = classes
        self._refresh(_blocks(self._next, min(end, slots)) | _blocks(0, end - slots))
        self._next = end % slots

    def get_extra_state(self) -> Tensor:
        """The oldest slot, for the state dict."""
        return torch.tensor(self._next)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the oldest slot from a state dict."""
        self._next = int(state)

    @torch.no_grad()
    def _refresh(self, blocks: Iterable[int]) -> None:
        """Compute the sums that slots of these blocks are part of."""
        for block in blocks:
            first = block * BLOCK
            columns = self.rows[first : first + BLOCK]
            similar = _exponentials(self.rows, columns * self.scale)
            similar[first : first + BLOCK].fill_diagonal_(0)
            self.block_sums[:, block] = similar.sum(1)
            self.block_sums[first : first + BLOCK] = _sums_by_block(similar).T


class _Contrast(torch.autograd.Function):
    """The loss, and its gradient while the exponentials are at hand."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        classes: Tensor,
        queue: Tensor,
        queue_classes: Tensor,
        queue_sums: Tensor,
        class_count: int,
        scale: float,
    ) -> Tensor:
        n, every = len(rows), torch.cat([rows, queue])
        similar = _exponentials(rows * scale, every).fill_diagonal_(0)
        total = torch.cat([similar.sum(1), queue_sums + similar[:, n:].sum(0)])
        total = total.clamp(min=torch.finfo(total.dtype).tiny)  # a row alone has nothing to sum
        numbers = torch.arange(class_count, device=rows.device)[:, None]
        members = (numbers == torch.cat([classes, queue_classes])).to(rows.dtype)
        counts, sums, squares = members.sum(1), members @ every, members @ every.square().sum(1)
        share = torch.where(counts > 1, scale / (counts - 1).clamp(min=1), 0.0)
        is_anchor = members.T @ (counts > 1).to(rows.dtype)
        attraction = (share * (sums.square().sum(1) - squares)).sum()
        loss = (is_anchor * total.log()).sum() - attraction

        pull = is_anchor / total
        for part, own in zip(similar.split(BLOCK), pull[:n].split(BLOCK), strict=True):
            part.mul_(own[:, None] + pull)  # in parts, for no second matrix of this size
        pushed = members[:, :n].T
        gradient = scale * (similar @ every)
        gradient -= 2 * (pushed @ (share[:, None] * sums) - (pushed @ share)[:, None] * rows)
        ctx.save_for_backward(gradient / len(every))
        return loss / len(every)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return outer * gradient, None, None, None, None, None, None


def _exponentials(left: Tensor, right: Tensor) -> Tensor:
    """(a, w) and (b, w), one of them scaled, to (a, b), exp s_ij; no |s_ij| is above 1/τ."""
    return torch.mm(left, right.T).exp_()


def _sums_by_block(similar: Tensor) -> Tensor:
    """(K, a) to (blocks, a); the last block may be a shorter one."""
    whole = len(similar) // BLOCK
    sums = similar[: whole * BLOCK].unflatten(0, (whole, BLOCK)).sum(1)
    rest = similar[whole * BLOCK :]
    return torch.cat([sums, rest.sum(0, keepdim=True)]) if len(rest) else sums


def _blocks(first: int, end: int) -> set[int]:
    """The blocks of the slots from `first` up to `end`.

    >>> _blocks(0, 256), _blocks(255, 257), _blocks(0, -5)
    ({0}, {0, 1}, set())
    """
    return set(range(first // BLOCK, (end - 1) // BLOCK + 1)) if end > first else set()
