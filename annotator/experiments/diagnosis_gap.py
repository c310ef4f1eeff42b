"""The modality gap: how far apart the modalities lie that speak of the same emotion.

LDDU's contrastive loss has a class for every pair of a label and a modality (3q in the paper), so
it pushes the modalities apart on purpose, and a linear classifier tells them apart in any healthy
network: that share is given but not judged. What is judged is the distance, as in "Mind the Gap"
(Liang et al. 2022, arXiv 2203.02053), in units of how far clips lie from their centroid. Trainings
on corpora of planted noise, with a latent width of 16, ended at 3.3 to 4.0 with the contrastive
loss and 1.4 to 1.7 without, untrained networks at about 4; twice that is a gap that no loss asked
for. Narrower latents have less room to spread: with a width of 4 it was 5.9 to 7.1.
"""

from itertools import combinations

import numpy as np

from annotator.experiments.diagnosis_finding import Finding
from annotator.experiments.latents import Floats, Latents
from annotator.metrics.inputs import mean_labels
from annotator.metrics.multilabel import PRESENT
from annotator.types import MODALITIES

NAME = "modality gap"
GAP = 8.0  # centroid distance over the spread within a modality
FEWEST = 5  # clips with a label and a modality, below which their centroid is not trusted
REMEDY = (
    "lower loss.beta, or keep the modalities' classes less apart (loss.absent_classes=false); see "
    "that the features of all modalities are of a like scale, and that train.modality_dropout "
    "lets none be ignored"
)


def modality_gap(latents: Latents) -> Finding:
    """Distance between two modalities' centroids of μ of one label over the spread around them.

    The spread is the root mean square distance from the centroid, over both modalities. The mean
    over labels is taken for each pair of modalities, and the widest pair counts.
    """
    pairs = list(combinations(range(len(MODALITIES)), 2))
    gaps = {f"{MODALITIES[a]}-{MODALITIES[b]}": _gap(latents, a, b) for a, b in pairs}
    known = [gap for gap in gaps.values() if not np.isnan(gap)]
    widest = max(known, default=float("nan"))
    share = separability(latents)
    explanation = (
        f"Centroids of one emotion in two modalities lie {widest:.1f} spreads apart at most; a "
        f"linear classifier tells the modality in {share:.0%} of cases (the contrastive loss "
        "wants that)."
    )
    if not known:
        explanation = f"No two modalities have {FEWEST} clips of one label to compare."
    details = {**gaps, "linear_separability": share}
    return Finding(NAME, "gap", widest, GAP, "above", explanation, REMEDY, details)


def separability(latents: Latents) -> float:
    """Share of held-out μ of present labels whose modality a least-squares classifier names.

    Every other clip is held out. NaN with fewer than two modalities; ½ or ⅓ is chance.
    """
    clip, label = np.nonzero(latents.target >= PRESENT)
    has = latents.present[clip]  # (k, 3)
    row, modality = np.nonzero(has)
    mu = latents.mu[clip[row], label[row], modality].astype(np.float64)
    inputs = np.concatenate([mu, np.ones((len(mu), 1))], axis=1)
    held_out = clip[row] % 2 == 1
    if len(np.unique(modality[~held_out])) < 2 or not held_out.any():
        return float("nan")
    truth = np.eye(len(MODALITIES))[modality]
    weights = np.linalg.lstsq(inputs[~held_out], truth[~held_out], rcond=None)[0]
    said = (inputs[held_out] @ weights).argmax(axis=1)
    return float((said == modality[held_out]).mean())


def _gap(latents: Latents, one: int, other: int) -> float:
    return float(
        mean_labels(
            [
                _distance(_cloud(latents, k, one), _cloud(latents, k, other))
                for k in range(len(latents.labels))
            ]
        )
    )


def _cloud(latents: Latents, label: int, modality: int) -> Floats:
    chosen = (latents.target[:, label] >= PRESENT) & latents.present[:, modality]
    cloud: Floats = latents.mu[chosen, label, modality].astype(np.float64)
    return cloud


def _distance(one: Floats, other: Floats) -> float:
    if min(len(one), len(other)) < FEWEST:
        return float("nan")
    apart = np.linalg.norm(one.mean(axis=0) - other.mean(axis=0))
    within = np.sqrt((one.var(axis=0).sum() + other.var(axis=0).sum()) / 2)
    return float(apart / max(within, np.finfo(np.float64).tiny))
