"""What a network makes of clips inside: every latent distribution and every classifier's answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from annotator.learning.answers import BATCH, forward
from annotator.learning.batches import lengths_of
from annotator.learning.dataset import Example
from annotator.metrics.multilabel import PRESENT
from annotator.metrics.uncertainty import joint_sigma
from annotator.types import MODALITIES
from lddu_model import LDDU
from lddu_model.config import Fusion

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """The inside of a network for n clips, q labels and a latent width of d.

    An axis of 3 is visual, audio, text. A modality that a clip lacks has the prior, μ = 0 and
    σ = 1, and `present` says so.
    """

    labels: tuple[str, ...]
    mu: Singles  # (n, q, 3, d)
    sigma: Singles  # (n, q, 3, d)
    present: Flags  # (n, 3)
    p_direct: Floats  # (n, q), ŷ_dir
    p_mu: Floats  # (n, q), ŷ_μ
    p_sigma: Floats  # (n, q), ŷ_σ
    probability: Floats  # (n, q), ŷ
    target: Floats  # (n, q), the share of raters, NaN where nobody was asked
    fusion: Fusion

    @property
    def sigma_norm(self) -> Floats:
        """(n, q, 3), ‖σ‖, NaN where the clip lacks the modality."""
        norm = np.linalg.norm(self.sigma.astype(np.float64), axis=3)
        return np.where(self.present[:, None, :], norm, np.nan)

    @property
    def spread(self) -> Floats:
        """(n, q), ‖σ‖ of the modalities a clip has together."""
        return joint_sigma(self.sigma_norm).astype(np.float64)

    @property
    def known(self) -> Flags:
        """(n, q), where a rater was asked."""
        return ~np.isnan(self.target)


def encode(network: LDDU, examples: Sequence[Example], device: torch.device) -> Latents:
    """Run a network over examples, those of like length together; their order is kept.

    The network is left in evaluation mode.
    """
    network.eval()
    order = np.argsort(lengths_of(examples).sum(axis=1), kind="stable")
    parts = []
    for start in range(0, len(order), BATCH):
        output = forward(network, [examples[i] for i in order[start : start + BATCH]], device)
        values = (
            output.mu,
            output.sigma,
            output.present,
            *(p.double() for p in (output.p_direct, output.p_mu, output.p_sigma)),
            output.probability.double(),
        )
        parts.append([value.cpu().numpy() for value in values])
    back = np.argsort(order)
    mu, sigma, present, direct, of_mu, of_sigma, probability = (
        np.concatenate(values)[back] for values in zip(*parts, strict=True)
    )
    return Latents(
        labels=network.config.labels,
        mu=mu,
        sigma=sigma,
        present=present,
        p_direct=direct,
        p_mu=of_mu,
        p_sigma=of_sigma,
        probability=probability,
        target=np.stack([example.target for example in examples]).astype(np.float64),
        fusion=network.config.fusion,
    )


def some(examples: Sequence[Example], most: int, seed: int) -> Sequence[Example]:
    """All examples, or as many as `most` of them drawn at random, in their order.

    >>> some(["a", "b", "c"], most=5, seed=0)
    ['a', 'b', 'c']
    """
    if len(examples) <= most:
        return examples
    drawn = np.random.default_rng(seed).choice(len(examples), most, replace=False)
    return [examples[i] for i in np.sort(drawn)]


@dataclass(frozen=True, slots=True, eq=False)
class Distributions:
    """Latent distributions of present labels as rows [μ/|μ|; σ/|σ|], as the contrastive loss.

    Of k rows `rows` is (k, 2d); `label` and `modality` (k,) say of what each one is.
    """

    labels: tuple[str, ...]
    rows: Floats
    label: Places
    modality: Places


def distributions(latents: Latents, each: int, seed: int) -> Distributions:
    """At most `each` rows, drawn at random, of every pair of a label and a modality."""
    random = np.random.default_rng(seed)
    rows, label, modality = [], [], []
    for k in range(len(latents.labels)):
        for m in range(len(MODALITIES)):
            clips = np.flatnonzero((latents.target[:, k] >= PRESENT) & latents.present[:, m])
            clips = random.permutation(clips)[:each]
            mu, sigma = latents.mu[clips, k, m], latents.sigma[clips, k, m]
            rows.append(np.concatenate([_unit(mu), _unit(sigma)], axis=1))
            label.append(np.full(len(clips), k))
            modality.append(np.full(len(clips), m))
    return Distributions(
        latents.labels, np.concatenate(rows), np.concatenate(label), np.concatenate(modality)
    )


def _unit(vectors: Singles) -> Floats:
    """Rows of length 1; 0 stays 0."""
    wide = vectors.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: Floats = wide / np.maximum(length, np.finfo(np.float64).tiny)
    return unit
