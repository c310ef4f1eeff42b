import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import binary_calibration_error

from annotator.metrics.calibration import (
    SMALLEST,
    brier,
    expected_calibration_error,
    log_loss,
    reliability,
)

SCORES = (0.0, 0.1, 0.25, 0.5, 0.6, 0.75, 1.0)
SOFT = (0.0, 0.25, 0.5, 1.0, math.nan)


@st.composite
def answers(draw):
    shape = draw(st.tuples(st.integers(0, 12), st.integers(1, 3)))
    p = draw(arrays.arrays(float, shape, elements=st.sampled_from(SCORES)))
    return p, draw(arrays.arrays(float, shape, elements=st.sampled_from(SOFT)))


def naive_ece(p, y, edges):
    """One label; bins [low, high), the last with its upper end."""
    pairs = [(a, b) for a, b in zip(p, y, strict=True) if not math.isnan(b)]
    total = 0.0
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        last = place == len(edges) - 2
        inside = [(a, b) for a, b in pairs if low <= a and (a < high or last)]
        if inside:
            confidence = sum(a for a, _ in inside) / len(inside)
            frequency = sum(b for _, b in inside) / len(inside)
            total += len(inside) / len(pairs) * abs(confidence - frequency)
    return total if pairs else math.nan


@given(answers(), st.sampled_from([1, 2, 4, 15]))
def test_ece_is_the_sum_over_bins(pair, bins):
    p, y = pair
    edges = [place / bins for place in range(bins + 1)]
    expected = [naive_ece(p[:, k], y[:, k], edges) for k in range(p.shape[1])]
    np.testing.assert_allclose(expected_calibration_error(p, y, bins=bins), expected, atol=1e-12)


@given(answers(), st.sampled_from(["width", "mass"]))
def test_ece_follows_from_the_curve(pair, binning):
    expected = []
    for curve in reliability(*pair, bins=5, binning=binning):
        gaps = np.nan_to_num(np.abs(curve.confidence - curve.frequency))
        total = curve.count.sum()
        expected.append((gaps * curve.count).sum() / total if total else math.nan)
        assert (np.isnan(curve.confidence) == (curve.count == 0)).all()
    found = expected_calibration_error(*pair, bins=5, binning=binning)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_torchmetrics_agrees():
    rng = np.random.default_rng(1)
    p, y = rng.random((500, 3)) * 0.999, rng.integers(0, 2, (500, 3))
    theirs = [
        float(binary_calibration_error(torch.tensor(p[:, k]), torch.tensor(y[:, k])))
        for k in range(3)
    ]
    np.testing.assert_allclose(expected_calibration_error(p, y), theirs, atol=1e-6)


def test_bins_of_equal_mass_hold_equally_many():
    p = np.sort(np.random.default_rng(2).beta(1, 20, (100, 1)), axis=0)
    (curve,) = reliability(p, np.zeros_like(p), bins=4, binning="mass")
    assert curve.count.tolist() == [25, 25, 25, 25]
    np.testing.assert_allclose(curve.confidence, p.reshape(4, 25).mean(axis=1))


def test_equal_probabilities_share_a_bin():
    p = np.full((10, 1), 0.3)
    (curve,) = reliability(p, np.eye(10, 1), bins=4, binning="mass")
    assert sorted(curve.count.tolist()) == [0, 0, 0, 10]


def test_unknown_targets_do_not_move_the_bins():
    p = np.array([[0.1], [0.2], [0.3], [0.4], [0.9], [0.95]])
    y = np.array([[0], [1], [1], [1], [math.nan], [math.nan]])
    for binning in ("width", "mass"):
        (curve,) = reliability(p, y, bins=2, binning=binning)
        (known,) = reliability(p[:4], y[:4], bins=2, binning=binning)
        assert curve.count.tolist() == known.count.tolist()
        with_unknown = expected_calibration_error(p, y, bins=2, binning=binning)
        assert with_unknown == expected_calibration_error(p[:4], y[:4], bins=2, binning=binning)


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_a_calibrated_model_has_almost_no_error(binning):
    rng = np.random.default_rng(3)
    p = rng.random((200_000, 1))
    y = rng.random(p.shape) < p
    assert expected_calibration_error(p, y, binning=binning)[0] < 0.005
    assert expected_calibration_error(p**2, y, binning=binning)[0] == pytest.approx(1 / 6, abs=0.01)


@given(answers())
@settings(max_examples=60)
def test_scikit_learn_agrees_on_brier_and_log_loss(pair):
    p, y = pair
    p = np.clip(p, 0.01, 0.99)
    found, squared = log_loss(p, y), brier(p, y)
    for label in range(p.shape[1]):
        known = np.isin(y[:, label], [0, 1])
        hard = np.where(known, y[:, label], math.nan)[:, None]
        if not known.any():
            continue
        scores, truth = p[known, label], y[known, label]
        theirs = sklearn_metrics.log_loss(truth, scores, labels=[0, 1])
        assert log_loss(p[:, [label]], hard)[0] == pytest.approx(theirs)
        theirs = sklearn_metrics.brier_score_loss(truth, scores, pos_label=1)
        assert brier(p[:, [label]], hard)[0] == pytest.approx(theirs)
    assert (np.isnan(found) == np.isnan(y).all(axis=0)).all()
    assert (np.isnan(squared) == np.isnan(y).all(axis=0)).all()


def test_a_soft_target_is_the_mean_over_its_raters():
    votes = [[1], [1], [0], [0], [0]]
    soft, asked_one_by_one = [[0.4]], [[0.7]] * 5
    assert log_loss([[0.7]], soft) == pytest.approx(log_loss(asked_one_by_one, votes))


def test_a_certain_miss_costs_much_but_not_infinity():
    assert log_loss([[0.0]], [[1]])[0] == pytest.approx(-math.log(SMALLEST))
    assert log_loss([[1.0]], [[0]])[0] == pytest.approx(-math.log(SMALLEST), rel=1e-6)
    assert log_loss([[1.0]], [[1]])[0] < 1e-6


@pytest.mark.parametrize("settings", [{"bins": 0}, {"binning": "height"}])
def test_unknown_binning(settings):
    with pytest.raises(ValueError, match="expected bins"):
        expected_calibration_error([[0.5]], [[1]], **settings)
