import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from annotator.metrics.selective import augrc, aurc, risk_coverage

LOSSES = st.sampled_from([0.0, 0.25, 0.5, 1.0])
PAIRS = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3]), LOSSES), min_size=1, max_size=6)


def naive_orders(pairs):
    """The losses in every order that the uncertainties allow."""
    for order in itertools.permutations(pairs):
        if all(a[0] <= b[0] for a, b in itertools.pairwise(order)):
            yield [loss for _, loss in order]


def naive_aurc(losses):
    risks = [sum(losses[:k]) / k for k in range(1, len(losses) + 1)]
    return sum(risks) / len(losses)


def naive_augrc(losses):
    n = len(losses)
    points = [sum(losses[:k]) / n for k in range(n + 1)]
    return sum((a + b) / 2 for a, b in itertools.pairwise(points)) / n


@given(PAIRS)
def test_ties_are_the_mean_over_all_orders(pairs):
    uncertainty, loss = zip(*pairs, strict=True)
    orders = list(naive_orders(pairs))
    for area, naive in ((aurc, naive_aurc), (augrc, naive_augrc)):
        expected = sum(map(naive, orders)) / len(orders)
        assert area(uncertainty, loss).value == pytest.approx(expected, abs=1e-12)


@given(PAIRS)
def test_random_and_oracle_are_the_mean_and_the_least_of_all_orders(pairs):
    uncertainty, loss = zip(*pairs, strict=True)
    orders = list(itertools.permutations(loss))
    for area, naive in ((aurc, naive_aurc), (augrc, naive_augrc)):
        found, values = area(uncertainty, loss), [naive(order) for order in orders]
        assert found.random == pytest.approx(sum(values) / len(values), abs=1e-12)
        assert found.oracle == pytest.approx(min(values), abs=1e-12)
        assert found.excess >= -1e-12


@given(st.lists(st.tuples(st.floats(0, 1).map(lambda u: round(u, 1)), st.booleans()), min_size=2))
def test_augrc_is_that_of_its_paper(pairs):
    """AUGRC = (1 − AUROC of failures)(1 − e)e + e²/2, arXiv 2407.01032."""
    uncertainty, failed = zip(*pairs, strict=True)
    error = sum(failed) / len(failed)
    auroc = roc_auc_score(failed, uncertainty) if 0 < error < 1 else 0.0
    expected = (1 - auroc) * (1 - error) * error + error**2 / 2
    assert augrc(uncertainty, np.array(failed, float)).value == pytest.approx(expected)


def test_perfect_random_and_inverted_orders():
    loss = np.array([0.0] * 6 + [1.0] * 2)
    rank = np.arange(8.0)
    error = 0.25
    perfect, constant, inverted = (augrc(u, loss) for u in (rank, np.ones(8), -rank))
    assert perfect.value == pytest.approx(error**2 / 2)
    assert constant.value == pytest.approx(error / 2)
    assert inverted.value == pytest.approx(error**2 / 2 + error * (1 - error))
    assert [area.gain for area in (perfect, constant, inverted)] == pytest.approx([1, 0, -1])
    assert aurc(np.ones(8), loss).value == pytest.approx(error)
    assert aurc(rank, loss).excess == 0


def test_no_order_is_better_where_all_losses_are_equal():
    for clips in range(1, 40):  # rounding parts random and oracle at some lengths
        for measure in (aurc, augrc):
            area = measure(range(clips), [0.1] * clips)
            assert math.isnan(area.gain)
            assert area.excess == pytest.approx(0, abs=1e-15)


def test_the_curve_has_a_point_for_each_uncertainty():
    curve = risk_coverage([0.3, 0.1, 0.3, 0.2], [1, 0, 0.5, 0.3])
    assert curve.threshold.tolist() == [0.1, 0.2, 0.3]
    assert curve.coverage.tolist() == [0.25, 0.5, 1]
    np.testing.assert_allclose(curve.risk, [0, 0.15, 0.45])


def test_clips_of_unknown_loss_are_left_out():
    found = aurc([0.1, 0.2, 0.3], [0, math.nan, 1])
    assert found == aurc([0.1, 0.3], [0, 1])
    assert math.isnan(aurc([0.5], [math.nan]).value)
    assert risk_coverage([0.5], [math.nan]).risk.size == 0


@pytest.mark.parametrize(
    ("uncertainty", "loss"), [([1, 2], [1]), ([[1]], [[1]]), ([math.nan], [1]), ([1], [math.inf])]
)
def test_what_cannot_be_ordered(uncertainty, loss):
    with pytest.raises(ValueError, match="expected"):
        aurc(uncertainty, loss)
