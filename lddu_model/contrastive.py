"""The supervised contrastive loss over the batch and a queue of earlier rows.

One row per sample, modality and label, z = [μ/|μ| ; σ/|σ|]. Its class is modality·2q + label, and
q more where the label is absent. With s_ij = z_i·z_j / 2τ the loss of an anchor i is the mean of
log Σ_{a≠i} exp s_ia - s_ip over the p ≠ i of its class, 0 if there is none; every row of batch and
queue is an anchor, and the loss is the mean over all of them (arXiv 2502.13954, as released).

The released code builds the whole (batch + queue)² matrix. The same loss and gradient need less:

- the positives of a class need its sum only: Σ_i z_i·(Σ_j z_j - z_i) = |Σ_j z_j|² - Σ_i |z_i|²;
- queue rows carry no gradient, so what queue anchors see of the queue is kept from step to step,
  as sums over blocks of slots. The rows of a batch bring the sums of the blocks they will fill
  from their own loss; a block they fill in part is computed anew, and nothing is ever subtracted.

What is left is batch × (batch + queue).
"""

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lddu_model.packing import indices

NO_CLASS = -1  # of a row that is nobody's positive: an empty slot of the queue
BLOCK = 64  # slots whose sums are kept together
CHUNK = 512  # rows that a batch is compared to at a time, so that the result stays in the cache
MIN_TEMPERATURE = 0.02  # exp(±1/τ) and sums of many fit into float32 down to 0.012


def contrastive_rows(
    mu: Tensor, sigma: Tensor, target: Tensor, present: Tensor, *, absent_classes: bool = True
) -> tuple[Tensor, Tensor]:
    """The rows of a batch and their classes; a modality that a sample lacks gives none.

    Args:
        mu: (B, q, 3, d).
        sigma: (B, q, 3, d).
        target: (B, q); from 0.5 on a label counts as present, NaN (unknown) gives NO_CLASS.
        present: (B, 3) bool on the CPU, the modalities of each sample.
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
    if present.all():
        return rows.flatten(0, 2), classes.flatten()
    kept = indices(present[:, None, :].expand(classes.shape).flatten(), rows.device)
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
    >>> loss(rows, torch.tensor([0, 0, 0, 1, 1, 1]), enqueue=True).backward()
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
        for block in range(self.block_sums.shape[1]):
            self.block_sums[:, block] = self._exponentials_of(block).sum(1)

    def forward(self, rows: Tensor, classes: Tensor, *, enqueue: bool = False) -> Tensor:
        """The loss of a batch against itself and the queue, which it then enters if asked.

        Args:
            rows: (n, 2d) of `contrastive_rows`.
            classes: (n,) integers, NO_CLASS or below the number of classes.
            enqueue: put the rows in place of the oldest; of more rows than slots, the last.
        """
        with torch.autocast(rows.device.type, enabled=False):
            rows = rows.float()
            blocks, members = self._blocks_to_fill(len(rows), rows.device)
            every = torch.cat([classes, self.slot_classes])
            queue = (self.rows, self.block_sums.sum(1))
            contrast = cast(Callable[..., tuple[Tensor, ...]], _Contrast.apply)
            loss, across, down = contrast(rows, every, *queue, members, self.classes, self.scale)
            if enqueue and len(self.rows):
                self._replace(rows.detach(), classes, blocks, across, down)
            return loss

    @torch.no_grad()
    def enqueue(self, rows: Tensor, classes: Tensor) -> None:
        """Put the rows of a batch in place of the oldest, without asking for their loss."""
        self(rows, classes, enqueue=True)

    def get_extra_state(self) -> Tensor:
        """The oldest slot, for the state dict."""
        return torch.tensor(self._next)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the oldest slot from a state dict."""
        self._next = int(state)

    def _blocks_to_fill(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """The blocks (b,) that `count` rows will get slots of, and (b, count), 1 at its rows."""
        slots = len(self.rows)
        end = self._next + min(count, slots)
        first = self._next // BLOCK
        last = -(-min(end, slots) // BLOCK)
        wrapped = min(-(-max(end - slots, 0) // BLOCK), first)
        blocks = torch.cat(
            [torch.arange(first, last, device=device), torch.arange(wrapped, device=device)]
        )
        place = torch.arange(end - count, end, device=device)
        block = (place % max(slots, 1) // BLOCK).masked_fill(place < self._next, -1)
        return blocks, (block == blocks[:, None]).float()

    def _replace(
        self, rows: Tensor, classes: Tensor, blocks: Tensor, across: Tensor, down: Tensor
    ) -> None:
        """Put rows into the queue, with the sums that their loss came by.

        Args:
            rows: (n, 2d).
            classes: (n,).
            blocks: (b,) of `_blocks_to_fill`.
            across: (n, all blocks), what each row sees of each block as it was.
            down: (b, n + K), what rows and slots see of the rows that fill each of `blocks`.
        """
        slots, n = len(self.rows), len(rows)
        count = min(n, slots)
        where = torch.arange(self._next, self._next + count, device=rows.device) % slots
        self.rows[where] = rows[n - count :]
        self.slot_classes[where] = classes[n - count :]
        self.block_sums[where] = across[n - count :]
        seen = down[:, n:].index_copy(1, where, down[:, n - count : n])
        self.block_sums[:, blocks] = seen.T
        end = (self._next + count) % slots
        for block in {edge // BLOCK for edge in (self._next, end) if edge % BLOCK}:
            similar = self._exponentials_of(block)
            first = block * BLOCK
            slot = torch.arange(first, first + similar.shape[1], device=rows.device)
            kept = (slot - self._next) % slots >= count
            self.block_sums[:, block] += similar @ kept.float()
        self._next = end

    def _exponentials_of(self, block: int) -> Tensor:
        """(K, slots of the block), exp s_ij, 0 for i = j."""
        first = block * BLOCK
        similar = _exponentials(self.rows, self.rows[first : first + BLOCK] * self.scale)
        similar[first : first + BLOCK].fill_diagonal_(0)
        return similar


class _Contrast(torch.autograd.Function):
    """The loss, and its gradient while the exponentials are at hand.

    Besides the loss it returns what the queue needs to know of them once the batch has entered it:
    the sums (n, blocks) over the blocks of the queue, and the sums (b, n + K) over the batch's rows
    that `members` (b, n) gathers.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        classes: Tensor,  # of rows and queue
        queue: Tensor,
        queue_sums: Tensor,
        members: Tensor,
        class_count: int,
        scale: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, scaled = len(rows), rows * scale
        chunks = (*rows.split(CHUNK), *queue.split(CHUNK))
        similar, across, down, columns = [], [], [], []
        for number, chunk in enumerate(chunks):
            part = _exponentials(scaled, chunk)
            part[number * CHUNK :].fill_diagonal_(0)  # of the batch with itself; then it is empty
            similar.append(part)
            across.append(_sums_by_block(part))
            down.append(members @ part)
            columns.append(part.sum(0))
        by_block = torch.cat(across, 1)
        total = torch.cat([by_block.sum(1), queue_sums + torch.cat(columns)[n:]])
        total = total.clamp(min=torch.finfo(total.dtype).tiny)  # a row alone has nothing to sum

        every = torch.cat([rows, queue])
        numbers = torch.arange(class_count, device=rows.device)[:, None]
        belongs = (numbers == classes).to(rows.dtype)
        counts, sums, squares = belongs.sum(1), belongs @ every, belongs @ every.square().sum(1)
        share = torch.where(counts > 1, scale / (counts - 1).clamp(min=1), 0.0)
        is_anchor = belongs.T @ (counts > 1).to(rows.dtype)
        attraction = (share * (sums.square().sum(1) - squares)).sum()
        loss = (is_anchor * total.log()).sum() - attraction

        if ctx.needs_input_grad[0]:
            pull = is_anchor / total
            own, gradient = pull[:n, None], torch.zeros_like(rows)
            widths = [len(chunk) for chunk in chunks]
            for part, chunk, theirs in zip(similar, chunks, pull.split(widths), strict=True):
                gradient.addmm_(part.mul_(own + theirs), chunk, alpha=scale)
            pushed = belongs[:, :n].T
            gradient -= 2 * (pushed @ (share[:, None] * sums) - (pushed @ share)[:, None] * rows)
            ctx.save_for_backward(gradient / len(every))
        by_block = by_block[:, -(-n // BLOCK) :]
        seen = torch.cat(down, 1)
        ctx.mark_non_differentiable(by_block, seen)
        return loss / len(every), by_block, seen

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return outer * gradient, None, None, None, None, None, None


def _exponentials(left: Tensor, right: Tensor) -> Tensor:
    """(a, w) and (b, w), one of them scaled, to (a, b), exp s_ij; no |s_ij| is above 1/τ."""
    return torch.mm(left, right.T).exp_()


def _sums_by_block(similar: Tensor) -> Tensor:
    """(a, b) to (a, blocks); the last block may be a shorter one."""
    sums: Tensor = F.pad(similar, (0, -similar.shape[1] % BLOCK)).unflatten(1, (-1, BLOCK)).sum(2)
    return sums
