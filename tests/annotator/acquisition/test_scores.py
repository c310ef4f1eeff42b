"""Uncertainty scores against naive loops and the properties that users rely on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from annotator.acquisition import scores

probabilities = arrays(np.float64, (5, 3), elements=st.floats(0, 1))


def _entropy(p: float) -> float:
    return -sum(x * math.log2(x) for x in (p, 1 - p) if x > 0)


@given(probabilities)
def test_entropy_is_the_mean_of_binary_entropies(p):
    expected = [np.mean([_entropy(value) for value in row]) for row in p]
    assert scores.entropy(p) == pytest.approx(expected, abs=1e-9)


@given(probabilities)
def test_margin_is_smallest_where_one_label_is_undecided(p):
    undecided = p.copy()
    undecided[:, 1] = 0.5
    assert (scores.margin(undecided) == 0).all()
    assert ((scores.margin(p) >= 0) & (scores.margin(p) <= 1)).all()


@given(probabilities)
def test_bald_is_zero_without_disagreement_and_never_above_the_entropy(p):
    same = np.stack([p, p, p])
    assert scores.bald(same) == pytest.approx(0, abs=1e-9)
    mixed = np.stack([p, 1 - p])
    assert (scores.bald(mixed) <= scores.entropy(mixed.mean(axis=0)) + 1e-9).all()


def test_bald_sees_disagreement():
    sure_of_opposites = np.array([[[0.0]], [[1.0]]])
    unsure_alike = np.array([[[0.5]], [[0.5]]])
    assert scores.bald(sure_of_opposites)[0] > 0.99
    assert scores.bald(unsure_alike)[0] < 0.01


def test_variance_takes_the_mean_square_of_modalities_and_the_mean_of_labels():
    sigma = np.array([[[3.0, 4.0, np.nan], [1.0, np.nan, np.nan]]])
    both, one = [True, True, False], [True, False, False]
    assert scores.variance(sigma[:, :1], np.array([both])) == pytest.approx([12.5**0.5])
    assert scores.variance(sigma, np.array([one])) == pytest.approx([2.0])


@given(arrays(np.float64, (4, 2, 3), elements=st.floats(0, 50)))
def test_a_clip_is_not_surer_for_having_more_modalities(sigma):
    found = scores.variance(sigma, np.ones((4, 3), dtype=bool))
    alone = [scores.variance(sigma, np.tile(np.arange(3) == m, (4, 1))) for m in range(3)]
    assert (found >= np.min(alone, axis=0) - 1e-9).all()
    same = np.repeat(sigma[:, :, :1], 3, axis=2)
    assert scores.variance(same, np.ones((4, 3), dtype=bool)) == pytest.approx(alone[0])


@given(arrays(np.float64, (4, 2, 3), elements=st.floats(0, 50)), st.floats(1.01, 3))
def test_variance_grows_with_any_sigma(sigma, factor):
    present = np.ones((4, 3), dtype=bool)
    assert (scores.variance(sigma * factor, present) >= scores.variance(sigma, present)).all()
