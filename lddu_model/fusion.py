"""The three classifiers and the fusion of their answers."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

from lddu_model.config import Fusion
from lddu_model.dropout import Dropout

SMALLEST_WEIGHT = 1e-7  # of ŷ_μ in its logarithm: at ŷ_dir = ½ the difficulty leaves it none


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


def fuse(p_direct: Tensor, p_mu: Tensor, p_sigma: Tensor, fusion: Fusion = "released") -> Tensor:
    """ŷ = w·ŷ_μ + (1 - w)·ŷ_σ.

    `released`: w = ŷ_dir, as the released code has it. `difficulty`: w falls with the difficulty
    of the prediction, as the paper's text has it. The difficulty |ŷ_dir - y| needs the answer; its
    expectation under ŷ_dir itself is 2·ŷ_dir·(1 - ŷ_dir), at most ½, so w is 1 less twice that.

    >>> p_direct, p_mu, p_sigma = torch.tensor([[0.75], [1.0], [0.0]])
    >>> fuse(p_direct, p_mu, p_sigma), fuse(p_direct, p_mu, p_sigma, "difficulty")
    (tensor([0.7500]), tensor([0.2500]))
    """
    w = p_direct if fusion == "released" else 1 - 4 * p_direct * (1 - p_direct)
    return w * p_mu + (1 - w) * p_sigma


def fused_log_odds(
    logit_direct: Tensor, logit_mu: Tensor, logit_sigma: Tensor, fusion: Fusion = "released"
) -> tuple[Tensor, Tensor]:
    """The logarithms of ŷ and 1 - ŷ of `fuse`, exact where ŷ itself would round to 0 or 1."""
    log_p, log_q = F.logsigmoid(logit_direct), F.logsigmoid(-logit_direct)
    if fusion == "released":
        log_w, log_rest = log_p, log_q
    else:
        log_rest = math.log(4) + log_p + log_q
        log_w = (logit_direct / 2).tanh().square().add(SMALLEST_WEIGHT).log()
    return (
        torch.logaddexp(log_w + F.logsigmoid(logit_mu), log_rest + F.logsigmoid(logit_sigma)),
        torch.logaddexp(log_w + F.logsigmoid(-logit_mu), log_rest + F.logsigmoid(-logit_sigma)),
    )


def _head(
    linear: Callable[[int, int], nn.Module], inputs: int, hidden: int, dropout: float
) -> nn.Sequential:
    return nn.Sequential(linear(inputs, hidden), Dropout(dropout), nn.ReLU(), linear(hidden, 1))
