"""The objective: ℒ = BCE(ŷ, y) + γ·BCE(ŷ_dir, y) + β·ℒ_scl + λ·ℒ_ocl (arXiv 2502.13954).

Targets may be shares of raters between 0 and 1, and NaN where nobody was asked. All losses are
computed in float32, whatever the network ran in.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

from lddu_model.calibration import (
    ErrorHistory,
    expected_error,
    ordinality_loss,
    released_calibration,
    spread,
)
from lddu_model.config import Config
from lddu_model.contrastive import ContrastiveLoss, contrastive_rows
from lddu_model.fusion import fused_log_odds
from lddu_model.network import Output
from lddu_model.packing import indices

Calibration = Literal["error", "released"]
ErrorOf = Literal["direct", "final"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """What the objective is made of; the weights are those of the paper's summary.

    Raises:
        ValueError: a value is out of range.
    """

    gamma: float = 0.1  # γ, of BCE(ŷ_dir, y); released script: 0.3
    beta: float = 0.8  # β, of the contrastive loss; released script: 1
    lambda_: float = 0.1  # λ, of the calibration; released script: 0.3
    intensity: float = 0.0  # of the intensity's squared error
    temperature: float = 0.07  # τ of the contrastive loss
    queue: int = 8192  # rows of earlier batches that the contrastive loss sees
    absent_classes: bool = True  # whether absent labels form classes of their own, as released
    calibration: Calibration = "error"  # or the released one, which never sees the labels
    error_temperature: float = 0.2  # of the errors' softmax in the calibration
    error_of: ErrorOf = "direct"  # whose error σ is to tell: ŷ_dir's, as published, or ŷ's

    def __post_init__(self) -> None:
        for name in ("gamma", "beta", "lambda_", "intensity"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)!r}")
        if self.calibration not in get_args(Calibration):
            raise ValueError(f"calibration must be error or released, got {self.calibration!r}")
        if self.error_of not in get_args(ErrorOf):
            raise ValueError(f"error_of must be direct or final, got {self.error_of!r}")
        if not self.error_temperature > 0:
            raise ValueError(f"error_temperature must be above 0, got {self.error_temperature!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """The parts before weighing, and the weighed sum; scalars with gradient."""

    total: Tensor
    final: Tensor
    direct: Tensor
    contrastive: Tensor
    calibration: Tensor
    intensity: Tensor


class Objective(nn.Module):
    """The losses with the state they keep between steps: the queue and the history of errors.

    Args:
        network: its labels and latent width.
        config: weights and settings.
        samples: how many training samples the history is for.
        positive_weight: (q,) factors for the positives of rare labels; None for 1.
        seed: of the queue's first rows.

    >>> from lddu_model import InputSpec, untrained
    >>> config = Config(labels=("happy", "sad"), visual=InputSpec(5), audio=InputSpec(7),
    ...                 text=InputSpec(9), hidden=16)
    >>> objective = Objective(config, LossConfig(queue=12), samples=100)
    >>> output = untrained(config, seed=0)(text=torch.randn(4, 10, 9))
    >>> losses = objective(output, torch.ones(4, 2), index=torch.arange(4))
    >>> losses.total.backward()
    """

    positive_weight: Tensor

    def __init__(
        self,
        network: Config,
        config: LossConfig,
        samples: int,
        positive_weight: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        q = len(network.labels)
        self.config = config
        self.contrast = ContrastiveLoss(
            2 * network.latent, 6 * q, config.queue, config.temperature, seed
        )
        self.history = ErrorHistory(samples, q)
        given = torch.ones(q) if positive_weight is None else positive_weight
        self.register_buffer("positive_weight", given.float())

    def forward(
        self,
        output: Output,
        target: Tensor,
        index: Tensor,
        intensity: Tensor | None = None,
        corrupted: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Losses:
        """The losses of a batch, which then enters the queue and the history.

        Args:
            output: of the network.
            target: (B, q) from 0 to 1, NaN where unknown.
            index: (B,) integers, the samples' places in the training data.
            intensity: (B, q) or None, NaN where unknown.
            corrupted: (B, 3) bool on the CPU or None, the modalities whose input was spoilt on
                purpose, for the calibration: they give no contrastive rows, a sample of none but
                such modalities teaches no label, and errors on samples with any neither enter the
                history of errors nor are compared with it.

            weight: (B,) or None, what each sample counts in the cross-entropies; 1 on average over
                the training samples, so that the losses keep their proportions.

        Raises:
            ValueError: the intensity is asked for and the network has no head for it.
        """
        c = self.config
        own = output.present if corrupted is None else output.present & ~corrupted
        known = ~target.isnan()
        taught = known & own.any(dim=1)[:, None].to(known.device, non_blocking=True)
        y = target.nan_to_num()
        logits = (output.logit_direct, output.logit_mu, output.logit_sigma)
        log_p, log_q = fused_log_odds(*logits, output.fusion)
        counted = taught if weight is None else taught * weight[:, None]
        final = self._cross_entropy(log_p, log_q, y, counted, taught)
        direct = output.logit_direct
        log_p, log_q = F.logsigmoid(direct), F.logsigmoid(-direct)
        info = self._cross_entropy(log_p, log_q, y, counted, taught)
        zero = final.new_zeros(())
        contrastive = self._contrastive(output, target, own) if c.beta else zero
        clean = (own == output.present).all(dim=1)
        calibration = self._calibration(output, y, known, index, clean) if c.lambda_ else zero
        strength = _intensity_loss(output, intensity, taught) if c.intensity else zero
        total = (
            final
            + c.gamma * info
            + c.beta * contrastive
            + c.lambda_ * calibration
            + c.intensity * strength
        )
        return Losses(total, final, info, contrastive, calibration, strength)

    def _cross_entropy(
        self, log_p: Tensor, log_q: Tensor, y: Tensor, counted: Tensor, known: Tensor
    ) -> Tensor:
        """The mean over known answers of -(w·y·log p + (1-y)·log(1-p)), times what they count."""
        each = -(self.positive_weight * y * log_p + (1 - y) * log_q)
        return (each * counted).sum() / known.sum().clamp(min=1)

    def _contrastive(self, output: Output, target: Tensor, own: Tensor) -> Tensor:
        rows, classes = contrastive_rows(
            output.mu,
            output.sigma,
            target,
            own,
            absent_classes=self.config.absent_classes,
        )
        if len(rows) == 0:
            return output.mu.sum() * 0
        loss: Tensor = self.contrast(rows, classes, enqueue=True)
        return loss

    def _calibration(
        self, output: Output, y: Tensor, known: Tensor, index: Tensor, clean: Tensor
    ) -> Tensor:
        """Half of it is due to this step's errors, half to those of earlier epochs."""
        if self.config.calibration == "released":
            return released_calibration(output.sigma, output.p_direct)
        p = output.p_direct if self.config.error_of == "direct" else output.probability
        error = expected_error(p.detach(), y)
        before = self.history.mean[index]
        kept = indices(clean, index.device)
        self.history.update(index[kept], error[kept])
        spoilt = ~clean[:, None].to(before.device, non_blocking=True)
        seen = torch.where(before.isnan() | spoilt, error, before)
        spreads = spread(output.sigma_norm, output.present)
        t = self.config.error_temperature
        now = ordinality_loss(spreads, error, known, t)
        return 0.5 * (now + ordinality_loss(spreads, seen, known, t))


def _intensity_loss(output: Output, intensity: Tensor | None, taught: Tensor) -> Tensor:
    if output.intensity is None:
        raise ValueError("the network has no intensity head: set intensity = true in its settings")
    if intensity is None:
        return output.intensity.sum() * 0
    known = taught & ~intensity.isnan()
    each = (output.intensity - intensity.nan_to_num()).square()
    return (each * known).sum() / known.sum().clamp(min=1)
