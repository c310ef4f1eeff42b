"""Multi-head self-attention over padded sequences.

On a processor torch's attention is slow in two cases: with dropout it runs step by step and takes
a quarter of a training step, and its fused kernel is meant for sequences longer than a sentence.
There `_Attention` takes its place, with half of the copies.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor
from torch.autograd.function import once_differentiable

from lddu_model.dropout import kept

SHORT = 32  # steps up to which the whole score matrices beat the fused kernel, about twofold


def self_attention(qkv: Tensor, heads: int, mask: Tensor | None, rate: float) -> Tensor:
    """softmax(Q·Kᵀ/√d + mask), with dropout at `rate`, times V.

    Args:
        qkv: (n, T, 3·hidden), Q, K and V side by side, and in each of them the heads.
        heads: how many, each of d = hidden / heads.
        mask: (n, 1, 1, T) added to the scores, or None.
        rate: of the dropout, which the softmax undergoes.

    Returns:
        (n, T, hidden).

    >>> self_attention(torch.ones(2, 5, 3 * 8), heads=4, mask=None, rate=0.3).shape
    torch.Size([2, 5, 8])
    """
    if qkv.device.type == "cpu" and (rate or qkv.shape[1] <= SHORT):
        return cast(Callable[..., Tensor], _Attention.apply)(qkv, heads, mask, rate)
    query, key, value = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in qkv.chunk(3, dim=2))
    mixed = F.scaled_dot_product_attention(query, key, value, mask, dropout_p=rate)
    return mixed.transpose(1, 2).flatten(2)


class _Attention(torch.autograd.Function):
    """With P the softmax and D what dropout leaves of it, O = D·V.

    Backward, dD = dO·Vᵀ and dS = D∘dD - P∘r, where r = Σ P∘dP of a row of P is also Σ dO∘O.
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int, mask: Tensor | None, rate: float) -> Tensor:
        n, steps = qkv.shape[:2]
        parts = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        parts = parts.clone(memory_format=torch.contiguous_format).flatten(1, 2)
        query, key, value = parts  # (n·heads, T, d) each
        query.mul_(query.shape[2] ** -0.5)
        scores = torch.bmm(query, key.transpose(1, 2))
        if mask is not None:
            scores.view(n, heads, steps, steps).add_(mask)
        weights = scores.softmax(2).to(qkv.dtype)
        dropped = weights * kept(weights, rate) if rate else weights
        mixed = torch.bmm(dropped, value)
        ctx.heads = heads
        ctx.save_for_backward(parts, weights, dropped, mixed)
        return mixed.view(n, heads, steps, mixed.shape[2]).transpose(1, 2).flatten(2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        parts, weights, dropped, mixed = ctx.saved_tensors
        query, key, value = parts
        n, heads = len(outer), ctx.heads
        outer = outer.unflatten(2, (heads, -1)).transpose(1, 2).reshape(mixed.shape)
        row = (outer * mixed).sum(2, keepdim=True)
        scores = torch.bmm(outer, value.transpose(1, 2)).mul_(dropped)
        scores.addcmul_(weights, row, value=-1)
        gradient = torch.empty_like(parts)
        torch.bmm(scores, key, out=gradient[0]).mul_(query.shape[2] ** -0.5)
        torch.bmm(scores.transpose(1, 2), query, out=gradient[1])
        torch.bmm(dropped.transpose(1, 2), outer, out=gradient[2])
        gradient = gradient.unflatten(1, (n, heads)).permute(1, 3, 0, 2, 4).flatten(2)
        return gradient, None, None, None
