"""Variance collapse: σ is the same for every clip, and then it says nothing of any.

Both thresholds were measured on corpora of planted noise (`annotator.learning.synthetic` and the
tests' toy corpus): ‖σ‖ spread by 0.5 to 3 % of its mean before training, which is what chance
weights make of the input, and by 3.5 % and more after it, with and without each loss. Networks that
were stopped early had less than 1 % in a modality, and did not miss it when it was dropped.
"""

import numpy as np

from annotator.experiments.diagnosis_finding import Finding
from annotator.experiments.latents import Floats, Latents
from annotator.types import MODALITIES

NAME = "variance collapse"
SPREAD = 0.02  # standard deviation of ‖σ‖ over its mean, below which σ has collapsed
DEAD = 0.01  # of one dimension's σ over its mean: less than the collapse by half
DEAD_SHARE = 0.5  # of the dimensions: the rest are then fewer than the dead
REMEDY = (
    "give the calibration more weight (loss.lambda_) or a lower loss.error_temperature, and see "
    "that network.constant_sigma is not set"
)


def variance_collapse(latents: Latents) -> tuple[Finding, Finding]:
    """How much ‖σ‖ differs between clips, and how many dimensions of σ do not differ at all.

    Both are measured label by label, since a σ that tells labels apart may still be blind to
    clips, and for each modality. The worst modality counts.
    """
    norm = latents.sigma_norm
    spread: dict[str, float] = {m: _spread(norm[..., i]) for i, m in enumerate(MODALITIES)}
    dead: dict[str, float] = {m: _dead_share(latents, i) for i, m in enumerate(MODALITIES)}
    least, most = float(np.fmin.reduce([*spread.values()])), float(np.fmax.reduce([*dead.values()]))
    return (
        Finding(
            NAME,
            "spread",
            least,
            SPREAD,
            "below",
            f"‖σ‖ differs between clips by {least:.1%} of its mean in the worst modality.",
            REMEDY,
            spread,
        ),
        Finding(
            NAME,
            "dead_dimensions",
            most,
            DEAD_SHARE,
            "above",
            f"{most:.0%} of the dimensions of σ are the same for all clips in the worst modality.",
            REMEDY + "; a smaller network.latent has fewer dimensions to lose",
            dead,
        ),
    )


def _spread(norm: Floats) -> float:
    """Mean over labels of the relative deviation of (n, q), NaN where a clip lacks it."""
    known = norm[~np.isnan(norm[:, 0])]
    if len(known) < 2:
        return float("nan")
    return float((known.std(axis=0) / known.mean(axis=0)).mean())


def _dead_share(latents: Latents, modality: int) -> float:
    sigma = latents.sigma[latents.present[:, modality], :, modality].astype(np.float64)
    if len(sigma) < 2:
        return float("nan")
    relative = sigma.std(axis=0) / sigma.mean(axis=0)  # (q, d)
    return float((relative.mean(axis=0) < DEAD).mean())
