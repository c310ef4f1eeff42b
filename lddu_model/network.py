"""LDDU: from the features of three modalities to the probability and uncertainty of each label.

Latent Distribution Decoupling (arXiv 2502.13954). In the shapes below B is the batch, q the labels
and d the latent dimension; an axis of 3 is visual, audio, text. Unlike the released code the
network masks padding, so a sample's result depends on nothing but the sample.

A modality that a sample lacks is not computed at all: it enters the info classifier as zeros (it
adds nothing to that sum) and the other two as the prior, μ = 0 and σ = 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

from lddu_model.config import MODALITIES, Config, Fusion, Modality
from lddu_model.emotion_space import LabelAttention
from lddu_model.encoder import UnimodalEncoder
from lddu_model.fusion import fuse, label_heads, shared_head
from lddu_model.gaussian import (
    PRIOR_MU,
    PRIOR_SIGMA,
    AnswerSpread,
    LatentDistribution,
    at_least_float32,
)
from lddu_model.packing import Steps, indices, real_steps


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """What the network says of a batch; the losses use the logits, μ and σ."""

    logit_direct: Tensor  # (B, q) of the info classifier
    logit_mu: Tensor  # (B, q) of the heads on μ
    logit_sigma: Tensor  # (B, q) of the heads on σ
    mu: Tensor  # (B, q, 3, d), 0 where the modality is absent
    sigma: Tensor  # (B, q, 3, d), 1 where the modality is absent
    present: Tensor  # (B, 3) bool, on the CPU, which modalities each sample has
    fusion: Fusion = "released"
    intensity: Tensor | None = None  # (B, q), 0 or more, if the network has a head for it

    @property
    def p_direct(self) -> Tensor:
        """(B, q), ŷ_dir."""
        return self.logit_direct.sigmoid()

    @property
    def p_mu(self) -> Tensor:
        """(B, q), ŷ_μ."""
        return self.logit_mu.sigmoid()

    @property
    def p_sigma(self) -> Tensor:
        """(B, q), ŷ_σ."""
        return self.logit_sigma.sigmoid()

    @property
    def probability(self) -> Tensor:
        """(B, q), ŷ, the fused probability that a label is present."""
        return fuse(self.p_direct, self.p_mu, self.p_sigma, self.fusion)

    @property
    def sigma_norm(self) -> Tensor:
        """(B, q, 3), ‖σ‖₂ in each modality; 0, which no distribution has, where it is absent."""
        norm: Tensor = torch.linalg.vector_norm(self.sigma, dim=-1)
        return norm * self.present[:, None, :].to(norm.device, non_blocking=True)


class LDDU(nn.Module):
    """The network.

    >>> from lddu_model import Config, InputSpec, untrained
    >>> config = Config(labels=("happy", "sad"), visual=InputSpec(5), audio=InputSpec(7),
    ...                 text=InputSpec(9), hidden=16)
    >>> net = untrained(config, seed=0)
    >>> out = net(text=torch.randn(4, 10, 9), text_length=torch.tensor([10, 3, 1, 7]),
    ...           audio=torch.randn(4, 50, 7), audio_length=torch.tensor([50, 0, 20, 8]))
    >>> out.probability.shape, out.sigma.shape, out.present[1].tolist()
    (torch.Size([4, 2]), torch.Size([4, 2, 3, 128]), [False, False, True])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        c, q = config, len(config.labels)
        self.encoder = nn.ModuleDict({m: UnimodalEncoder(c, c.spec(m)) for m in MODALITIES})
        self.labels = nn.Embedding(q, c.hidden)
        nn.init.xavier_uniform_(self.labels.weight)
        self.label_attention = nn.ModuleDict(
            {
                m: LabelAttention(c.hidden, c.attention_dropout, residual=c.label_residual)
                for m in MODALITIES
            }
        )
        self.latent = nn.ModuleDict(
            {
                m: LatentDistribution(
                    c.hidden,
                    c.latent_hidden,
                    c.latent,
                    c.components,
                    constant_sigma=c.constant_sigma,
                    sigma_dropout=c.sigma_dropout,
                )
                for m in MODALITIES
            }
        )
        self.answer_spread = AnswerSpread() if c.sigma_of_answers else None
        self.head_direct = shared_head(3 * c.hidden, c.head_hidden, c.classifier_dropout)
        self.head_mu = label_heads(q, 3 * c.latent, c.head_hidden, c.classifier_dropout)
        self.head_sigma = label_heads(q, 3 * c.latent, c.head_hidden, c.classifier_dropout)
        self.head_intensity = (
            label_heads(q, 3 * c.latent, c.head_hidden, c.classifier_dropout)
            if c.intensity
            else None
        )

    def forward(
        self,
        *,
        text: Tensor | None = None,
        audio: Tensor | None = None,
        visual: Tensor | None = None,
        text_length: Tensor | None = None,
        audio_length: Tensor | None = None,
        visual_length: Tensor | None = None,
    ) -> Output:
        """Predict a batch.

        Args:
            text: (B, T, dim) features, any float type, padded behind; None: no sample has text.
            audio: (B, A, dim), likewise.
            visual: (B, V, dim), likewise.
            text_length: (B,) integers, the true lengths, 0 where a sample has no text; None: T.
                On the CPU, whatever the device of the features: those of a GPU are waited for.
            audio_length: (B,), likewise.
            visual_length: (B,), likewise.

        Raises:
            ValueError: a shape or length does not fit the network, a sequence is longer than its
                positions, a real step is not finite, or a sample has no modality at all.
        """
        padded = self._checked({"visual": visual, "audio": audio, "text": text})
        lengths = {"visual": visual_length, "audio": audio_length, "text": text_length}
        steps = {
            m: real_steps(m, padded[m], lengths[m], self.config.spec(m).positions)
            for m in MODALITIES
        }
        present = torch.stack([steps[m].present for m in MODALITIES], dim=1)
        if not present.any(dim=1).all():
            sample = int((~present.any(dim=1)).nonzero()[0, 0])
            raise ValueError(f"sample {sample} has no modality: give visual, audio or text")
        parts = zip(*(self._modality(m, steps[m]) for m in MODALITIES), strict=True)
        z, mu, sigma = (torch.stack(part, dim=2) for part in parts)
        logit_direct = at_least_float32(self.head_direct(z.flatten(2)).squeeze(2))
        logit_mu = at_least_float32(self.head_mu(mu.flatten(2)).squeeze(2))
        if self.answer_spread is not None and not self.config.constant_sigma:
            factor = self.answer_spread(logit_direct, logit_mu, present)[:, :, None, None]
            here = present[:, None, :, None].to(factor.device, non_blocking=True)
            sigma = torch.where(here, sigma * factor, sigma)
        intensity = self.head_intensity(mu.flatten(2)).squeeze(2) if self.head_intensity else None
        return Output(
            logit_direct=logit_direct,
            logit_mu=logit_mu,
            logit_sigma=at_least_float32(self.head_sigma(sigma.flatten(2)).squeeze(2)),
            mu=mu,
            sigma=sigma,
            present=present,
            fusion=self.config.fusion,
            intensity=None if intensity is None else F.softplus(at_least_float32(intensity)),
        )

    def _modality(self, modality: Modality, steps: Steps) -> tuple[Tensor, Tensor, Tensor]:
        """Z (B, q, hidden), μ and σ (B, q, d) of one modality."""
        encoded = self.encoder[modality](steps.values, steps.packing)
        z = self.label_attention[modality](self.labels.weight, encoded, steps.packing)
        mu, sigma = self.latent[modality](z)
        return (
            _spread(z, steps.present, 0.0),
            _spread(mu, steps.present, PRIOR_MU),
            _spread(sigma, steps.present, PRIOR_SIGMA),
        )

    def _checked(self, given: Mapping[Modality, Tensor | None]) -> dict[Modality, Tensor]:
        """The inputs in the network's float type, an empty sequence where a modality is None."""
        dims = {m: self.config.spec(m).dim for m in MODALITIES}
        for m, x in given.items():
            if x is not None and (x.ndim != 3 or x.shape[2] != dims[m]):
                raise ValueError(f"{m} must be (B, steps, {dims[m]}), got {tuple(x.shape)}")
        batches = {x.shape[0] for x in given.values() if x is not None}
        if len(batches) > 1:
            raise ValueError(f"all modalities need one batch size, got {sorted(batches)}")
        if not any(batches):
            raise ValueError("the batch is empty: give at least one sample of one modality")
        batch, weight = batches.pop(), self.labels.weight
        return {
            m: weight.new_zeros(batch, 0, dims[m]) if x is None else x.to(weight.dtype)
            for m, x in given.items()
        }


def untrained(config: Config, seed: int) -> LDDU:
    """A network with random weights that depend on the seed only, ready to predict (eval mode)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LDDU(config).eval()


def _spread(values: Tensor, present: Tensor, fill: float) -> Tensor:
    """(n, ...) of the samples that have the modality to (B, ...), `fill` for the others."""
    if len(values) == len(present):
        return values
    spread = values.new_full((len(present), *values.shape[1:]), fill)
    return spread.index_copy(0, indices(present, values.device), values)
