import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import multilabel_average_precision

from annotator.metrics.inputs import counts, mean_clips, mean_labels
from annotator.metrics.multilabel import (
    accuracy,
    average_precision,
    count,
    decide,
    sample_jaccard,
    sample_precision,
    sample_recall,
)

SCORES = (0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 1.0)  # few, so that many are equal
HARD = (0.0, 1.0)
SOFT = (0.0, 0.25, 0.5, 1.0, math.nan)


@st.composite
def answers(draw, targets=SOFT):
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 4)))
    p = draw(arrays.arrays(float, shape, elements=st.sampled_from(SCORES)))
    return p, draw(arrays.arrays(float, shape, elements=st.sampled_from(targets)))


def same(found, expected):
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float), atol=1e-12)


def naive_sets(p, y, cut):
    """Chosen and present labels of each clip that anybody was asked about."""
    for scores, shares in zip(p.tolist(), y.tolist(), strict=True):
        known = [k for k, share in enumerate(shares) if not math.isnan(share)]
        if known:
            chosen = {k for k in known if scores[k] >= cut}
            yield chosen, {k for k in known if shares[k] >= 0.5}


def naive_mean(values):
    values = list(values)
    return sum(values) / len(values) if values else math.nan


@given(answers(), st.sampled_from([0.25, 0.5, 0.6]))
def test_sample_measures_are_those_of_sets(pair, cut):
    sets = list(naive_sets(*pair, cut))
    same(accuracy(*pair, cut), naive_mean(len(c & y) / max(len(c | y), 1) for c, y in sets))
    same(sample_precision(*pair, cut), naive_mean(len(c & y) / len(c) for c, y in sets if c))
    same(sample_recall(*pair, cut), naive_mean(len(c & y) / len(y) for c, y in sets if y))


@given(answers(), st.sampled_from([0.25, 0.5, 0.6]))
def test_counts_are_those_of_sets(pair, cut):
    sets = list(naive_sets(*pair, cut))
    pooled = count(*pair, cut).pooled()
    assert pooled.tp == sum(len(c & y) for c, y in sets)
    assert pooled.fp == sum(len(c - y) for c, y in sets)
    assert pooled.fn == sum(len(y - c) for c, y in sets)
    assert pooled.tp + pooled.fp + pooled.fn + pooled.tn == (~np.isnan(pair[1])).sum()


@given(answers(HARD))
@settings(max_examples=60)
def test_scikit_learn_agrees(pair):
    p, y = pair
    chosen = (p >= 0.5).astype(int)
    truth = y.astype(int)
    if p.shape[1] == 1:  # scikit-learn would not see a multi-label problem
        chosen, truth = np.c_[chosen, chosen], np.c_[truth, truth]
        p, y = np.c_[p, p], np.c_[y, y]

    def theirs(score, average, zero_division=math.nan):
        return score(truth, chosen, average=average, zero_division=zero_division)

    pooled, counted = count(p, y).pooled(), count(p, y)
    same(pooled.precision, theirs(sklearn_metrics.precision_score, "micro"))
    same(pooled.recall, theirs(sklearn_metrics.recall_score, "micro"))
    same(pooled.f1, theirs(sklearn_metrics.f1_score, "micro"))
    same(counted.f1, theirs(sklearn_metrics.f1_score, None))
    same(mean_labels(counted.f1), theirs(sklearn_metrics.f1_score, "macro"))
    same(accuracy(p, y), theirs(sklearn_metrics.jaccard_score, "samples", 0))
    same(sample_precision(p, y), theirs(sklearn_metrics.precision_score, "samples"))
    same(sample_recall(p, y), theirs(sklearn_metrics.recall_score, "samples"))


@given(answers())
@settings(max_examples=60)
def test_scikit_learn_agrees_on_average_precision_and_uar(pair):
    p, y = pair
    found, uar = average_precision(p, y), count(p, y).uar
    for label in range(p.shape[1]):
        known = ~np.isnan(y[:, label])
        scores, truth = p[known, label], y[known, label] >= 0.5
        if truth.any():
            same(found[label], sklearn_metrics.average_precision_score(truth, scores))
        else:
            assert math.isnan(found[label])
        if truth.any() and not truth.all():
            same(uar[label], sklearn_metrics.balanced_accuracy_score(truth, scores >= 0.5))
        else:
            assert math.isnan(uar[label])


def test_torchmetrics_agrees_on_average_precision():
    rng = np.random.default_rng(0)
    p, y = rng.random((300, 5)).round(1), rng.integers(0, 2, (300, 5))
    theirs = multilabel_average_precision(torch.tensor(p), torch.tensor(y), 5, average="none")
    np.testing.assert_allclose(average_precision(p, y), theirs.numpy(), atol=1e-6)


def test_precision_and_recall_are_not_swapped():
    counted = count([[0.9], [0.9], [0.9], [0.1]], [[1], [0], [0], [0]]).pooled()
    assert counted.precision == pytest.approx(1 / 3)
    assert counted.recall == 1


def test_perfect_and_inverted():
    y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert accuracy(y, y) == count(y, y).pooled().f1 == 1
    assert average_precision(y, y).tolist() == [1, 1]
    assert accuracy(1 - y, y) == count(1 - y, y).pooled().f1 == 0


def test_silence_about_an_empty_clip():
    p, y = [[0.1, 0.2], [0.9, 0.1]], [[0, 0], [1, 0]]
    assert sample_jaccard(p, y).tolist() == [0, 1]
    assert sample_jaccard(p, y, empty=1.0).tolist() == [1, 1]


def test_what_is_undefined_is_nan():
    nothing = count([[0.1]], [[0]])
    for value in (nothing.precision, nothing.recall, nothing.f1, nothing.uar):
        assert np.isnan(value).all()
    assert np.isnan(average_precision([[0.4]], [[0]])).all()
    assert np.isnan(accuracy([[0.4]], [[math.nan]]))
    assert np.isnan(mean_labels([math.nan]))
    assert count([[0.9]], [[0]]).f1 == 0  # a false alarm is a known failure


def test_no_clips():
    none = np.empty((0, 2))
    assert np.isnan(accuracy(none, none))
    assert np.isnan(average_precision(none, none)).all()
    assert average_precision(np.empty((3, 0)), np.empty((3, 0))).shape == (0,)


def test_each_label_has_its_threshold():
    decided = decide([[0.4, 0.4]], [[1, 1]], [0.4, 0.41])
    assert decided.chosen.tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("p", "y", "cut", "message"),
    [
        ([0.5], [1], 0.5, "clips, labels"),
        ([[0.5, 0.5]], [[1]], 0.5, "clips, labels"),
        ([[1.5]], [[1]], 0.5, "probabilities from 0 to 1"),
        ([[math.nan]], [[1]], 0.5, "probabilities from 0 to 1"),
        ([[0.5]], [[2]], 0.5, "targets from 0 to 1"),
        ([[0.5]], [[1]], [0.5, 0.5], "one threshold"),
        ([[0.5]], [[1]], math.nan, "one threshold"),
    ],
)
def test_what_cannot_be_measured(p, y, cut, message):
    with pytest.raises(ValueError, match=message):
        count(p, y, cut)


@pytest.mark.parametrize("weight", [[1, 1, 1], 2, [0.5, 1], [-1, 1], [math.nan, 1]])
def test_weights_count_clips(weight):
    with pytest.raises(ValueError, match="expected"):
        counts(weight, 2)


def test_unknown_values_have_no_weight():
    values = np.array([[1.0, math.nan], [3.0, math.nan]])
    found = mean_clips(values, np.array([[1.0, 1.0], [0.0, 2.0]]))
    np.testing.assert_array_equal(found, [[2, math.nan], [3, math.nan]])
