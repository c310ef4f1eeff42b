"""The latent distribution N(μ, diag σ²) of a label in a modality.

A modality that a sample lacks tells nothing, so its distribution is the prior N(0, I).
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from lddu_model.dropout import Dropout

PRIOR_MU = 0.0
PRIOR_SIGMA = 1.0
ANSWERS = 2  # that σ may read: the logits of ŷ_dir and ŷ_μ
ANSWERS_WIDTH = 16  # of the layer that reads them


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What is known of a latent distribution before its σ."""

    trunk: Tensor  # (..., width), what μ and log σ² are computed of
    mu: Tensor  # (..., latent), never in half precision
    means: Tensor  # (..., components, latent) of a mixture, else μ
    weight: Tensor | None  # (..., components, 1) of a mixture


class LatentDistribution(nn.Module):
    """A multilayer perceptron to μ and log σ², shared by all labels; nothing is sampled.

    Of a mixture of several Gaussians, weighed by a softmax, μ and σ are the moments of the whole.
    With a constant σ log σ² stays a layer, so that the other weights begin as they would with it.

    How wrong an answer may be depends on the answer first, and a linear layer on the trunk cannot
    compute it. With `of_answers` log σ² also has a small network that reads what the whole sample
    is answered by the two heads that need no σ. Such a σ tells how sure the answer is, and less
    of its own modality's noise (docs/measurements.md, "Planted truth").
    """

    def __init__(
        self,
        hidden: int,
        widths: tuple[int, ...],
        latent: int,
        components: int = 1,
        *,
        constant_sigma: bool = False,
        of_answers: bool = False,
        sigma_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        pairs = pairwise((hidden, *widths))
        self.components, self.constant_sigma = components, constant_sigma
        self.trunk = nn.Sequential(
            *(part for wide, narrow in pairs for part in (nn.Linear(wide, narrow), nn.ReLU()))
        )
        self.mu = nn.Linear(widths[-1], components * latent)
        self.log_variance = nn.Linear(widths[-1], components * latent)
        self.mixture = nn.Linear(widths[-1], components) if components > 1 else None
        self.of_answers = _reader(components * latent) if of_answers else None
        self.dropout = Dropout(sigma_dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, z: Tensor) -> Moments:
        """Of Z (..., hidden) all but σ, which may read what is answered by means of μ."""
        x = self.trunk(z)
        means = at_least_float32(self.mu(x))
        if self.mixture is None:
            return Moments(x, means, means, None)
        weight = at_least_float32(self.mixture(x)).softmax(-1).unsqueeze(-1)
        means = means.unflatten(-1, (self.components, -1))
        return Moments(x, (weight * means).sum(-2), means, weight)

    def sigma(self, of: Moments, answers: Tensor | None = None) -> Tensor:
        """σ (..., latent); `answers` (..., ANSWERS) are the logits that it may read.

        Raises:
            ValueError: σ reads the answers, and they are not given.
        """
        log_variance = at_least_float32(self.log_variance(self.dropout(of.trunk)))
        if self.of_answers is not None:
            if answers is None:
                raise ValueError("σ reads the answers: give them")
            log_variance = log_variance + at_least_float32(self.of_answers(answers.detach()))
        if of.weight is None:
            sigma = log_variance.mul(0.5).exp()
        else:
            within = (of.weight * log_variance.view_as(of.means).exp()).sum(-2)
            between = (of.weight * (of.means - of.mu.unsqueeze(-2)).square()).sum(-2)
            sigma = (within + between).sqrt()
        return torch.full_like(sigma, PRIOR_SIGMA) if self.constant_sigma else sigma


def _reader(outputs: int) -> nn.Sequential:
    """Of the answers, what they add to log σ²."""
    return nn.Sequential(
        nn.Linear(ANSWERS, ANSWERS_WIDTH), nn.ReLU(), nn.Linear(ANSWERS_WIDTH, outputs)
    )


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor, promoted from half precision, in which exp overflows at 11.

    >>> at_least_float32(torch.ones(1, dtype=torch.float16)).dtype
    torch.float32
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
