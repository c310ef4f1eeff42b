"""Scores of clips from predictions; but for margin, high is uncertain.

All functions are pure, vectorised over clips, and take probabilities of q independent labels
(a multi-label model has one Bernoulli variable a label, not one softmax).
"""

import numpy as np
from numpy.typing import NDArray

from annotator.metrics.uncertainty import joint_sigma

Array = NDArray[np.floating]

_TINY = 1e-30  # keeps log finite where its factor is zero


def variance(sigma_norm: Array, present: NDArray[np.bool_]) -> Array:
    """LDDU's aleatoric score: the mean over labels of the latent standard deviation's norm.

    ‖σ‖ is taken per modality; those a clip has are taken together by `joint_sigma`.

    Args:
        sigma_norm: (n, q, 3) norms of σ a label and modality.
        present: (n, 3) which modalities the clip has, at least one each.

    Returns:
        (n,) scores, in the units of the latent space.

    >>> variance(np.array([[[3.0, 4.0, 99.0]]]), np.array([[True, True, False]])).round(3)
    array([3.536])
    """
    score: Array = joint_sigma(np.where(present[:, None, :], sigma_norm, np.nan)).mean(axis=1)
    return score


def entropy(probability: Array) -> Array:
    """Mean binary entropy over labels, in bits: 0 is sure, 1 is a coin toss on every label.

    Args:
        probability: (n, q).

    Returns:
        (n,) scores.

    >>> entropy(np.array([[0.5, 0.5], [1.0, 0.5]]))
    array([1. , 0.5])
    """
    score: Array = binary_entropy(probability).mean(axis=1)
    return score


def margin(probability: Array) -> Array:
    """Distance of the least decided label from 0.5, scaled to 0..1; the smallest is least sure.

    Args:
        probability: (n, q).

    Returns:
        (n,) margins.

    >>> margin(np.array([[0.9, 0.4]])).round(3)
    array([0.2])
    """
    score: Array = (2 * np.abs(probability - 0.5)).min(axis=1)
    return score


def bald(samples: Array) -> Array:
    """Epistemic score: mutual information of prediction and weights, mean over labels, in bits.

    BALD (Houlsby et al. 2011, arXiv 1112.5745) with Monte Carlo dropout (Gal & Ghahramani 2016):
    H[E p] - E H[p].

    Args:
        samples: (m, n, q) probabilities of m stochastic passes.

    Returns:
        (n,) scores, zero where all passes agree.

    >>> bald(np.array([[[0.0]], [[1.0]]])), bald(np.array([[[0.3]], [[0.3]]]))
    (array([1.]), array([0.]))
    """
    total = binary_entropy(samples.mean(axis=0))
    expected = binary_entropy(samples).mean(axis=0)
    score: Array = np.maximum(total - expected, 0.0).mean(axis=1)
    return score


def least_confidence(probability: Array) -> Array:
    """One minus the probability of the most probable label set: 1 - prod_k max(p_k, 1 - p_k).

    Least confidence (Lewis & Gale 1994) of a multi-label answer whose labels are independent given
    the clip, as the network takes them to be.

    Args:
        probability: (n, q).

    Returns:
        (n,) scores, from 0 to 1 - 2^-q.

    >>> least_confidence(np.array([[0.5, 0.5], [1.0, 0.9]])).round(3)
    array([0.75, 0.1 ])
    """
    score: Array = 1 - np.maximum(probability, 1 - probability).prod(axis=1)
    return score


def disagreement(parts: Array) -> Array:
    """How far classifiers that see different sides of a clip differ, mean over labels, in bits.

    The Jensen-Shannon divergence of m Bernoulli variables a label, which is the formula of `bald`.

    Args:
        parts: (m, n, q) probabilities of m classifiers.

    Returns:
        (n,) scores, from 0 to 1.
    """
    return bald(parts)


def cardinality(probability: Array, usual: float) -> Array:
    """How far the number of labels a clip is given is from what is usual, in labels.

    Label cardinality inconsistency (Li & Guo 2013, "Active learning with multi-label SVM
    classification", IJCAI), with the number of labels of probability 0.5 or more.

    Args:
        probability: (n, q).
        usual: mean number of labels of an answered clip.

    Returns:
        (n,) scores.

    >>> cardinality(np.array([[0.9, 0.6, 0.1], [0.2, 0.1, 0.7]]), usual=1.25)
    array([0.75, 0.25])
    """
    given = (probability >= 0.5).sum(axis=1)
    score: Array = np.abs(given - usual)
    return score


def binary_entropy(probability: Array) -> Array:
    """Entropy of a Bernoulli variable, in bits, of the same shape.

    >>> binary_entropy(np.array([0.0, 0.5]))
    array([0., 1.])
    """
    p = np.clip(probability, 0.0, 1.0)
    q = 1 - p
    bits: Array = p * np.log2(np.maximum(p, _TINY)) + q * np.log2(np.maximum(q, _TINY))
    return 0.0 - bits
