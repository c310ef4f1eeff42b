"""Whether σ grows with the error and with the raters' disagreement: rank correlations.

σ is (n, q, 3), the norm of the latent σ for each label and modality (visual, audio, text), NaN
where the clip lacks the modality. What it is compared with is (n, q), NaN where unknown. Weights
as in `inputs`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from annotator.metrics.inputs import Array, counts, ratio
from annotator.metrics.ranking import before, steps

MODALITIES = 3  # visual, audio, text
ENOUGH_RATERS = 2  # one rater cannot disagree


@dataclass(frozen=True, slots=True)
class Agreement:
    """Spearman's ρ of σ with something.

    `pooled` (...,) and `per_label` (..., q) take the `joint_sigma` of an entry;
    `per_modality` (..., 3) takes each modality's σ over all labels.
    """

    pooled: Array
    per_label: Array
    per_modality: Array


def spearman(x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """Spearman's ρ of (n,) and (n,): Pearson's correlation of the ranks, ties at their mean rank.

    Pairs with a NaN are left out. NaN, without a warning, for fewer than two pairs or a constant
    (scipy's `spearmanr` warns there).

    >>> float(spearman([1, 2, 3, 4], [10, 20, 40, 30]).round(3))
    0.8
    >>> float(spearman([1, 2], [5, 5]))
    nan
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two sequences of one length, got {a.shape} and {b.shape}")
    w = counts(weight, len(a))
    known = ~(np.isnan(a) | np.isnan(b))
    w = w[..., known]
    ranks, others = _centred_ranks(a[known], w), _centred_ranks(b[known], w)
    spread = np.sqrt((w * ranks**2).sum(axis=-1)) * np.sqrt((w * others**2).sum(axis=-1))
    return ratio((w * ranks * others).sum(axis=-1), spread)


def agreement(
    sigma_norm: ArrayLike, other: ArrayLike, weight: ArrayLike | None = None
) -> Agreement:
    """Correlate σ (n, q, 3) with the error |p − y| or the vote entropy, (n, q).

    >>> sigma = np.array([0.1, 0.4, 0.2]).reshape(3, 1, 1).repeat(3, axis=2)
    >>> float(agreement(sigma, [[0.0], [0.9], [0.3]]).pooled.round(3))
    1.0
    """
    sigma, values = np.asarray(sigma_norm, np.float64), np.asarray(other, np.float64)
    if values.ndim != 2 or sigma.shape != (*values.shape, MODALITIES):
        raise ValueError(
            f"expected (clips, labels, 3) and (clips, labels), got {sigma.shape}, {values.shape}"
        )
    w = counts(weight, len(values))
    labels = values.shape[1]
    whole = joint_sigma(sigma)
    entries = np.repeat(w, labels, axis=-1)  # a clip's weight is that of each of its labels
    flat = values.ravel()
    per_label = [spearman(whole[:, k], values[:, k], w) for k in range(labels)]
    per_modality = [spearman(sigma[..., m].ravel(), flat, entries) for m in range(MODALITIES)]
    return Agreement(
        spearman(whole.ravel(), flat, entries),
        np.stack(per_label, axis=-1) if per_label else np.empty((*w.shape[:-1], 0)),
        np.stack(per_modality, axis=-1),
    )


def joint_sigma(sigma_norm: ArrayLike) -> Array:
    """(n, q) of (n, q, 3): ‖σ‖ of the modalities that a clip has taken together.

    Their root mean square, as the calibration in training takes it (`lddu_model.calibration`); NaN
    for a clip without any. Adding up their precisions, as a product of Gaussians does, would order
    clips by how many modalities they have, too (docs/measurements.md, "What σ of the starter stands
    on").

    >>> joint_sigma([[[3.0, 4.0, np.nan]]]).round(3)
    array([[3.536]])
    """
    norm = np.asarray(sigma_norm, np.float64)
    return np.sqrt(ratio(np.nansum(norm**2, axis=-1), (~np.isnan(norm)).sum(axis=-1)))


def vote_entropy(share: ArrayLike, raters: ArrayLike) -> Array:
    """Disagreement on each label, in bits: −s log₂ s − (1 − s) log₂(1 − s), from 0 to 1.

    `share` (n, q) of the raters (n,) who saw the label. NaN where that is unknown or fewer than two
    were asked.

    >>> vote_entropy([[0.5, 1.0], [0.5, 0.0]], [4, 1])
    array([[ 1.,  0.],
           [nan, nan]])
    """
    s, asked = np.asarray(share, np.float64), np.asarray(raters, np.float64)
    if s.ndim != 2 or asked.shape != s.shape[:1]:
        raise ValueError(f"expected (clips, labels) and (clips,), got {s.shape}, {asked.shape}")
    return np.where((asked >= ENOUGH_RATERS)[:, None], _bits(s) + _bits(1 - s), np.nan)


def choice_entropy(votes: ArrayLike) -> Array:
    """Disagreement on which one label fits, in bits: −Σ_k s_k log₂ s_k, from 0 to log₂ q.

    `votes` (n, q) is how many raters chose each label. NaN for fewer than two votes.

    >>> choice_entropy([[2, 2, 0], [3, 0, 0], [1, 0, 0]])
    array([ 1.,  0., nan])
    """
    chosen = np.asarray(votes, np.float64)
    if chosen.ndim != 2 or not (chosen >= 0).all():
        raise ValueError(f"expected numbers of votes as (clips, labels), got {chosen.shape}")
    total = chosen.sum(axis=1)
    entropy = _bits(ratio(chosen, total[:, None])).sum(axis=1)
    return np.where(total >= ENOUGH_RATERS, entropy, np.nan)


def _bits(share: Array) -> Array:
    """−s log₂ s, 0 at 0."""
    bits: Array = -share * np.log2(share, out=np.zeros_like(share), where=share != 0)
    return bits + 0.0  # no −0


def _centred_ranks(scores: Array, weight: Array) -> Array:
    """The mean rank of each score among all weighted scores, less the mean of all ranks: (..., n).

    A step of m scores after K others has the ranks K + 1 to K + m, whose mean is K + (m + 1) / 2;
    the mean of all ranks is (total + 1) / 2. Halves of whole numbers: a constant is exactly 0.
    """
    rising = steps(scores)
    upto = rising.sums(weight)
    centred = (upto + before(upto) - weight.sum(axis=-1, keepdims=True)) / 2
    ranks: Array = centred[..., rising.step]
    return ranks
