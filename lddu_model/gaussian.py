"""The latent distribution N(μ, diag σ²) of a label in a modality.

A modality that a sample lacks tells nothing, so its distribution is the prior N(0, I).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from lddu_model.config import MODALITIES
from lddu_model.dropout import Dropout

PRIOR_MU = 0.0
PRIOR_SIGMA = 1.0
ANSWERS = 2  # that σ may read: the logits of ŷ_dir and ŷ_μ
ANSWERS_WIDTH = 16  # of the layer that reads them


class LatentDistribution(nn.Module):
    """A multilayer perceptron to μ and log σ², shared by all labels; nothing is sampled.

    Of a mixture of several Gaussians, weighed by a softmax, μ and σ are the moments of the whole.
    With a constant σ log σ² stays a layer, so that the other weights begin as they would with it.
    """

    def __init__(
        self,
        hidden: int,
        widths: tuple[int, ...],
        latent: int,
        components: int = 1,
        *,
        constant_sigma: bool = False,
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
        self.dropout = Dropout(sigma_dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Z (..., hidden) to μ and σ, (..., latent) each and never in half precision."""
        mu, sigma = self._moments(self.trunk(z))
        return mu, torch.full_like(sigma, PRIOR_SIGMA) if self.constant_sigma else sigma

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu = at_least_float32(self.mu(x))
        log_variance = at_least_float32(self.log_variance(self.dropout(x)))
        if self.mixture is None:
            return mu, log_variance.mul(0.5).exp()
        weight = at_least_float32(self.mixture(x)).softmax(-1).unsqueeze(-1)
        shape = (self.components, -1)
        mu, log_variance = mu.unflatten(-1, shape), log_variance.unflatten(-1, shape)
        mean = (weight * mu).sum(-2)
        within = (weight * log_variance.exp()).sum(-2)
        between = (weight * (mu - mean.unsqueeze(-2)).square()).sum(-2)
        return mean, (within + between).sqrt()


class AnswerSpread(nn.Module):
    """How far σ is spread by what a label is answered: one factor for all modalities, above 0.

    How wrong an answer may be depends first on the answer and on what it was made of, and a linear
    layer on what μ is computed of cannot tell that. So a small network reads the logits of the two
    heads that need no σ, to which no gradient goes back, and which modalities there are. What σ
    tells of one modality beside another it leaves as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        last = nn.Linear(ANSWERS_WIDTH, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        first = nn.Linear(ANSWERS + len(MODALITIES), ANSWERS_WIDTH)
        self.log_variance = nn.Sequential(first, nn.ReLU(), last)

    def forward(self, logit_direct: Tensor, logit_mu: Tensor, present: Tensor) -> Tensor:
        """(B, q), the factor of each label's σ, 1 before any training; `present` is (B, 3) bool."""
        answers = torch.stack([logit_direct, logit_mu], dim=-1).detach()
        made_of = present.to(answers, non_blocking=True)[:, None, :].expand(*answers.shape[:2], -1)
        read = torch.cat([answers, made_of], dim=-1)
        log_variance: Tensor = at_least_float32(self.log_variance(read)).squeeze(-1)
        return log_variance.mul(0.5).exp()


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor, promoted from half precision, in which exp overflows at 11.

    >>> at_least_float32(torch.ones(1, dtype=torch.float16)).dtype
    torch.float32
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
