"""The three classifiers and the fusion of their answers."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class LabelLinear(nn.Module):
    """A linear layer of its own for every label: weight (q, out, in), bias (q, out)."""

    def __init__(self, labels: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5  # as nn.Linear
        self.weight = nn.Parameter(torch.empty(labels, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(labels, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """(B, q, in) to (B, q, out)."""
        return torch.einsum("bqi,qoi->bqo", x, self.weight) + self.bias


def shared_head(inputs: int, hidden: int, dropout: float) -> nn.Sequential:
    """A classifier shared by all labels: (B, q, inputs) to logits (B, q, 1)."""
    return _head(nn.Linear, inputs, hidden, dropout)


def label_heads(labels: int, inputs: int, hidden: int, dropout: float) -> nn.Sequential:
    """A classifier for each label: (B, q, inputs) to logits (B, q, 1)."""
    return _head(lambda i, o: LabelLinear(labels, i, o), inputs, hidden, dropout)


def fuse(p_direct: Tensor, p_mu: Tensor, p_sigma: Tensor) -> Tensor:
    """The released fusion: ŷ = ŷ_dir·ŷ_μ + (1 - ŷ_dir)·ŷ_σ.

    >>> fuse(torch.tensor(0.75), torch.tensor(1.0), torch.tensor(0.0))
    tensor(0.7500)
    """
    return p_direct * p_mu + (1 - p_direct) * p_sigma


def _head(
    linear: Callable[[int, int], nn.Module], inputs: int, hidden: int, dropout: float
) -> nn.Sequential:
    return nn.Sequential(linear(inputs, hidden), nn.Dropout(dropout), nn.ReLU(), linear(hidden, 1))
