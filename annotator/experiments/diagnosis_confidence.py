"""Overconfident errors: wrong answers among those that the network is surest of.

The surest tenth is taken of each label by itself: rare labels are easy, and would fill it. Equal
scores enter together.
"""

import numpy as np
from numpy.typing import ArrayLike

from annotator.experiments.diagnosis_finding import Finding
from annotator.experiments.latents import Flags, Floats, Latents
from annotator.metrics.inputs import mean_labels
from annotator.metrics.multilabel import decide
from annotator.metrics.uncertainty import spearman

NAME = "overconfident errors"
SUREST = 0.1
# Errors among the surest tenth over errors among all.
BY_SIGMA = 1.0  # by definition: from here on a small σ is worth nothing, or misleads
# Trained networks had 0 to 0.1 on corpora of planted noise (0.35 where they were undertrained),
# untrained ones 0.6 to 1.
BY_PROBABILITY = 0.5
SPEARMAN = 0.1  # Cohen 1988: less is below a small effect
SIGMA_REMEDY = (
    "give the calibration more weight (loss.lambda_), make sure that loss.calibration is error and "
    "not released, let σ read the answers (network.sigma_of_answers), and rank by entropy rather "
    "than variance meanwhile"
)
PROBABILITY_REMEDY = (
    "stop earlier (train.patience), regularise more (network.dropout, train.weight_decay), and "
    "look at clips that are surely wrong: labels may be"
)


def overconfident_errors(latents: Latents, thresholds: ArrayLike) -> tuple[Finding, ...]:
    """Errors among the surest tenth by σ and by probability, and Spearman's ρ of σ and error.

    Args:
        latents: of clips with known labels.
        thresholds: of ŷ, one or (q,).
    """
    decided = decide(latents.probability, latents.target, thresholds)
    wrong = decided.chosen != decided.present
    base = float(wrong[decided.known].mean())
    error = np.abs(latents.p_direct - latents.target)
    q = len(latents.labels)
    rho = [float(spearman(latents.spread[:, k], error[:, k])) for k in range(q)]
    return (
        _surest("sigma", latents.spread, wrong, decided.known, base),
        _surest("probability", -np.abs(latents.probability - 0.5), wrong, decided.known, base),
        _correlation(float(mean_labels(rho)), dict(zip(latents.labels, rho, strict=True))),
    )


def surest_errors(uncertainty: Floats, wrong: Flags, known: Flags) -> float:
    """Share of wrong answers (n, q) among the tenth of each label with the least uncertainty.

    >>> uncertainty = np.arange(20.0)[:, None]
    >>> surest_errors(uncertainty, uncertainty < 1, uncertainty >= 0)
    0.5
    """
    chosen = []
    for k in range(known.shape[1]):
        asked = known[:, k]
        if asked.any():
            scores = uncertainty[asked, k]
            sure = scores <= np.quantile(scores, SUREST, method="inverted_cdf")
            chosen.append(wrong[asked, k][sure])
    return float(np.concatenate(chosen).mean()) if chosen else float("nan")


def _surest(by: str, uncertainty: Floats, wrong: Flags, known: Flags, base: float) -> Finding:
    share = surest_errors(uncertainty, wrong, known)
    called, threshold, remedy = {
        "sigma": ("smallest σ", BY_SIGMA, SIGMA_REMEDY),
        "probability": ("most decided probability", BY_PROBABILITY, PROBABILITY_REMEDY),
    }[by]
    return Finding(
        NAME,
        f"surest_tenth_by_{by}",
        share / base if base else float("nan"),
        threshold,
        "above",
        f"Of the tenth with the {called} {share:.1%} are wrong, of all answers {base:.1%}.",
        remedy,
        {"surest": share, "all": base},
    )


def _correlation(rho: float, by_label: dict[str, float]) -> Finding:
    return Finding(
        NAME,
        "sigma_error_spearman",
        rho,
        SPEARMAN,
        "below",
        f"σ and the error of ŷ_dir have a rank correlation of {rho:.2f}, label by label.",
        SIGMA_REMEDY,
        by_label,
    )
