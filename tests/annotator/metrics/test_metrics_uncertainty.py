import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from annotator.metrics.uncertainty import agreement, choice_entropy, spearman, vote_entropy

VALUES = st.sampled_from([0.0, 0.1, 0.5, 2.0, math.nan])


@given(st.lists(st.tuples(VALUES, VALUES), max_size=12))
def test_scipy_agrees_on_spearman(pairs):
    x, y = np.array(pairs, float).reshape(-1, 2).T
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = spearman(x, y)
    known = ~(np.isnan(x) | np.isnan(y))
    if known.sum() < 2 or np.ptp(x[known]) == 0 or np.ptp(y[known]) == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(x[known], y[known]).statistic, abs=1e-12)


def test_a_monotone_relation_is_one():
    x = np.random.default_rng(0).random(50)
    assert spearman(x, np.exp(9 * x)) == pytest.approx(1)
    assert spearman(x, -(x**3)) == pytest.approx(-1)


def test_agreement_pools_and_parts():
    rng = np.random.default_rng(1)
    sigma, error = rng.random((40, 3, 3)), rng.random((40, 3))
    sigma[:7, :, 1] = math.nan  # no audio
    sigma[5, :, :] = math.nan
    error[3, 2] = math.nan
    found = agreement(sigma, error)
    whole = np.full(error.shape, math.nan)
    for place in np.ndindex(error.shape):
        here = [s for s in sigma[place] if not math.isnan(s)]
        if here:
            whole[place] = (sum(s**2 for s in here) / len(here)) ** 0.5

    def expected(x, y):
        return stats.spearmanr(x.ravel(), y.ravel(), nan_policy="omit").statistic

    assert found.pooled == pytest.approx(expected(whole, error))
    for k in range(3):
        assert found.per_label[k] == pytest.approx(expected(whole[:, k], error[:, k]))
        assert found.per_modality[k] == pytest.approx(expected(sigma[..., k], error))


def test_an_absent_modality_is_unknown():
    sigma = np.random.default_rng(2).random((9, 2, 3))
    sigma[..., 0] = math.nan
    found = agreement(sigma, np.random.default_rng(3).random((9, 2)))
    assert np.isnan(found.per_modality).tolist() == [True, False, False]


@given(st.integers(2, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_scipy_agrees_on_the_entropy_of_votes(votes):
    seen, raters = votes
    expected = stats.entropy([seen, raters - seen], base=2)
    found = vote_entropy([[seen / raters]], [raters])[0, 0]
    assert found == pytest.approx(expected, abs=1e-12)
    assert math.copysign(1, found) == 1
    assert choice_entropy([[seen, 0, raters - seen]])[0] == pytest.approx(expected, abs=1e-12)


def test_one_rater_cannot_disagree():
    assert np.isnan(vote_entropy([[0.5], [0.5]], [1, 0])).all()
    assert np.isnan(vote_entropy([[math.nan]], [3])).all()
    assert np.isnan(choice_entropy([[1, 0], [0, 0]])).all()
    assert choice_entropy([[1, 1, 1, 1]]).tolist() == [2]


@pytest.mark.parametrize(
    "call",
    [
        lambda: spearman([1, 2], [1]),
        lambda: agreement(np.ones((2, 1, 2)), np.ones((2, 1))),
        lambda: vote_entropy([[0.5]], [3, 3]),
        lambda: choice_entropy([[-1, 2]]),
    ],
)
def test_shapes_must_fit(call):
    with pytest.raises(ValueError, match="expected"):
        call()
