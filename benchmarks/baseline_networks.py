"""Two networks to hold LDDU against, made of its own encoders and label attention.

Both take a batch as `annotator.features.collate` makes it. `forward` gives the probabilities
(B, q), `loss` the loss of a batch whose targets (B, q) may be shares, and NaN where unknown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

from lddu_model import MODALITIES, Config, Modality
from lddu_model.contrastive import ContrastiveLoss, contrastive_rows
from lddu_model.emotion_space import LabelAttention
from lddu_model.encoder import UnimodalEncoder
from lddu_model.fusion import LabelLinear, label_heads
from lddu_model.losses import LossConfig
from lddu_model.packing import real_steps

# CARAT's released settings for aligned CMU-MOSEI (train.sh of chengzju/CARAT); the weights of the
# second level's answer, the aggregation, the contrast and both reconstructions are 1.
OWN_WEIGHT = 0.01  # of the answer from a modality's own features
FIRST_WEIGHT = 0.1  # of the answer after the first reconstruction
SHUFFLED_WEIGHT = 0.1  # of the aggregation of shuffled samples and modalities
MOMENTUM = 0.99  # what a prototype keeps of itself with every latent that joins it

Inputs = Mapping[str, Tensor]


class Emotions(nn.Module):
    """What each modality says of each label; no modality sees another, or its label embeddings."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, c = config, config
        self.encoder = nn.ModuleDict({m: UnimodalEncoder(c, c.spec(m)) for m in MODALITIES})
        shape = (len(c.labels), c.hidden)
        self.labels = nn.ParameterDict(
            {m: nn.init.xavier_uniform_(torch.empty(shape)) for m in MODALITIES}
        )
        self.attention = nn.ModuleDict(
            {m: LabelAttention(c.hidden, c.attention_dropout) for m in MODALITIES}
        )

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Z (B, q, 3, hidden), 0 where the modality is absent, and which are present (B, 3)."""
        parts, present = zip(*(self._modality(m, inputs) for m in MODALITIES), strict=True)
        z = torch.stack(parts, 2)
        return z, torch.stack(present, 1).to(z.device)

    def _modality(self, m: Modality, inputs: Inputs) -> tuple[Tensor, Tensor]:
        labels: Tensor = self.labels[m]
        if m not in inputs:
            batch = len(next(iter(inputs.values())))
            nowhere = torch.zeros(batch, dtype=torch.bool)
            return labels.new_zeros(batch, *labels.shape), nowhere
        positions = self.config.spec(m).positions
        steps = real_steps(m, inputs[m], inputs[f"{m}_length"], positions)
        encoded = self.encoder[m](steps.values, steps.packing)
        found = self.attention[m](labels, encoded, steps.packing)
        z = found.new_zeros(len(steps.present), *labels.shape)
        z[steps.present] = found
        return z, steps.present


class LateFusion(nn.Module):
    """An encoder and classifiers for each modality, trained by cross-entropy, each on its own.

    The answer is the mean of the log-odds of the modalities that a sample has.
    """

    positive_weight: Tensor

    def __init__(self, config: Config, _loss: LossConfig, positive_weight: Tensor) -> None:
        super().__init__()
        c = config
        self.emotions = Emotions(c)
        self.heads = nn.ModuleList(
            label_heads(len(c.labels), c.hidden, c.head_hidden, c.classifier_dropout)
            for _ in MODALITIES
        )
        self.register_buffer("positive_weight", positive_weight.float())

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, q), the probabilities."""
        logits, present = self._logits(inputs)
        answers = (logits * present[:, :, None]).sum(1) / present.sum(1, keepdim=True)
        return answers.sigmoid()

    def loss(self, inputs: Inputs, target: Tensor) -> Tensor:
        """The mean cross-entropy over all modalities that the samples have."""
        logits, present = self._logits(inputs)
        asked = target[:, None].expand(logits.shape).masked_fill(~present[:, :, None], torch.nan)
        return cross_entropy(logits, asked, self.positive_weight)

    def _logits(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """(B, 3, q) and (B, 3)."""
        z, present = self.emotions(inputs)
        return by_modality(self.heads, z).squeeze(3).transpose(1, 2).float(), present


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """A batch on its way through CARAT's reconstructions, (B, q, 3, hidden) each."""

    own: Tensor  # what the encoders say
    latent: Tensor  # (B, q, 3, d), its code
    decoded: Tensor  # what the code keeps of it
    first: Tensor  # each modality from the other two and its prototypes
    second: Tensor  # each modality from the first level of all three
    present: Tensor  # (B, 3)


class CaratStyle(nn.Module):
    """The main parts of CARAT (Peng et al., AAAI 2024, arXiv 2312.10201), with our encoders.

    It has: label-specific attention per modality; a latent code per label and modality with a
    decoder; prototypes of each label's presence and absence, as moving means; two levels of
    reconstruction, of a modality from the others and its prototypes, then from all three; the
    supervised contrastive loss over the latents of all levels and a queue; the strongest modality
    as the answer of a level; and the aggregation over labels, trained on shuffled samples and
    modalities too. Weights and momentum are those of the release.

    It leaves out: CTC alignment, and the attention by a bare linear layer, for which LDDU's stands;
    the optimiser and thresholds of the release. Added, since CARAT knows only whole samples: where
    a modality is absent, the mean of its two prototypes stands in, and the losses on it are left
    out. So this is CARAT in style, and its numbers are not the published ones.
    """

    prototypes: Tensor  # (2, q, 3, d): of latents where the label is there, and where it is not
    positive_weight: Tensor

    def __init__(self, config: Config, loss: LossConfig, positive_weight: Tensor) -> None:
        super().__init__()
        q, wide, latent = len(config.labels), config.hidden, config.latent
        narrow = max(1, wide // 2)
        self.emotions = Emotions(config)
        self.encode = nn.ModuleList(_perceptron(wide, narrow, latent) for _ in MODALITIES)
        self.decode = nn.ModuleList(_perceptron(latent, narrow, wide) for _ in MODALITIES)
        self.reconstruct = nn.ModuleList(nn.Linear(3 * wide, wide) for _ in MODALITIES)
        self.classify = nn.ModuleList(LabelLinear(q, wide, 1) for _ in MODALITIES)
        self.aggregate = _perceptron(q * wide, wide, q)
        self.contrast = ContrastiveLoss(2 * latent, 6 * q, loss.queue, loss.temperature)
        self.register_buffer("prototypes", torch.zeros(2, q, len(MODALITIES), latent))
        self.register_buffer("positive_weight", positive_weight.float())

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, q), the probabilities: the mean of the strongest modality and the aggregation."""
        second = self._levels(inputs).second
        aggregated = self._aggregated(second).sigmoid().mean(1)
        return 0.5 * (self._strongest(second).sigmoid() + aggregated)

    def loss(self, inputs: Inputs, target: Tensor) -> Tensor:
        """The sum of all of CARAT's losses; the batch then moves the prototypes and the queue."""
        levels = self._levels(inputs)
        answers = (
            OWN_WEIGHT * self._entropy(self._strongest(levels.own, levels.present), target)
            + FIRST_WEIGHT * self._entropy(self._strongest(levels.first), target)
            + self._entropy(self._strongest(levels.second), target)
            + self._entropy(self._aggregated(levels.second), target[:, None])
            + SHUFFLED_WEIGHT * self._shuffled(levels.second, target)
        )
        rebuilt = _distance(levels.decoded, levels) + _distance(levels.first, levels)
        contrast = self._contrast(levels, target)
        self._move_prototypes(levels, target)
        return answers + rebuilt + contrast

    def _levels(self, inputs: Inputs) -> _Levels:
        own, present = self.emotions(inputs)
        latent = by_modality(self.encode, own)
        decoded = by_modality(self.decode, latent)
        filling = by_modality(self.decode, self._filling(latent, present))
        known = torch.where(present[:, None, :, None], decoded, filling)
        itself = torch.eye(len(MODALITIES), dtype=torch.bool, device=own.device)[:, :, None]
        rest = [torch.where(mine, filling, known).flatten(2) for mine in itself]
        first = torch.stack([net(x) for net, x in zip(self.reconstruct, rest, strict=True)], 2)
        second = torch.stack([net(first.flatten(2)) for net in self.reconstruct], 2)
        return _Levels(own, latent, decoded, first, second, present)

    def _filling(self, latent: Tensor, present: Tensor) -> Tensor:
        """(B, q, 3, d), the prototypes by likeness, in evaluation the nearer; absent: both."""
        there, not_there = self.prototypes
        lean = (F.normalize(latent.float(), dim=-1) * (there - not_there)).sum(-1)
        lean = lean.masked_fill(~present[:, None], 0)
        share = (lean.sigmoid() if self.training else 0.5 * (lean.sign() + 1))[..., None]
        filling: Tensor = share * there + (1 - share) * not_there
        return filling

    def _strongest(self, level: Tensor, present: Tensor | None = None) -> Tensor:
        """(B, q), the highest logit of a modality."""
        logits = by_modality(self.classify, level).squeeze(3).float()
        if present is not None:
            logits = logits.masked_fill(~present[:, None], -torch.inf)
        return logits.amax(2)

    def _aggregated(self, level: Tensor) -> Tensor:
        """(B, 3, q), logits of each modality from all labels together."""
        logits: Tensor = self.aggregate(level.transpose(1, 2).flatten(2))
        return logits.float()

    def _shuffled(self, level: Tensor, target: Tensor) -> Tensor:
        """The aggregation's loss where every label is of another sample and modality."""
        draw = torch.rand(2, *level.shape[:3], device=level.device)
        sample, modality = draw[0].argsort(0), draw[1].argsort(2)
        label = torch.arange(level.shape[1], device=level.device)[:, None]
        mixed, asked = level[sample, label, modality], target[sample, label]
        return self._entropy(self._aggregated(mixed), asked.transpose(1, 2))

    def _entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(logits, target.expand(logits.shape), self.positive_weight)

    def _contrast(self, levels: _Levels, target: Tensor) -> Tensor:
        """Over the latents of all levels and the queue."""
        # A row has two unit halves and half the product counts: equal halves make it the cosine.
        latents = [levels.latent]
        latents += [by_modality(self.encode, x) for x in (levels.first, levels.second)]
        found = [contrastive_rows(x, x, target, levels.present) for x in latents]
        rows, classes = (torch.cat(part) for part in zip(*found, strict=True))
        loss: Tensor = self.contrast(rows, classes, enqueue=True)
        return loss

    @torch.no_grad()
    def _move_prototypes(self, levels: _Levels, target: Tensor) -> None:
        """As if the batch's latents came one after another, all counting alike."""
        unit = F.normalize(levels.latent.float(), dim=-1)
        y = target[:, :, None, None]
        joins = torch.stack([y >= 0.5, y < 0.5]) & levels.present[:, None, :, None]
        count = joins.sum(1)
        mean = (joins * unit).sum(1) / count.clamp(min=1)
        kept = MOMENTUM**count
        self.prototypes = kept * self.prototypes + (1 - kept) * mean


Baseline = LateFusion | CaratStyle


def by_modality(modules: Iterable[nn.Module], x: Tensor) -> Tensor:
    """(B, q, 3, in) to (B, q, 3, out), a module for each modality."""
    return torch.stack([module(part) for module, part in zip(modules, x.unbind(2), strict=True)], 2)


def cross_entropy(logits: Tensor, target: Tensor, positive_weight: Tensor) -> Tensor:
    """The mean over known targets of -(w·y·log p + (1-y)·log(1-p)), as in `Objective`.

    Args:
        logits: (..., q).
        target: likewise, NaN where unknown.
        positive_weight: (q,), w.

    >>> cross_entropy(torch.zeros(2), torch.tensor([1.0, torch.nan]), torch.ones(2))
    tensor(0.6931)
    """
    known = ~target.isnan()
    each = F.binary_cross_entropy_with_logits(
        logits, target.nan_to_num(), pos_weight=positive_weight, reduction="none"
    )
    return (each * known).sum() / known.sum()


def _distance(level: Tensor, levels: _Levels) -> Tensor:
    """The mean squared error to the modalities' own features, summed over modalities."""
    each = (level.float() - levels.own.float()).square().mean((1, 3)) * levels.present
    return (each.sum(0) / levels.present.sum(0).clamp(min=1)).sum()


def _perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
