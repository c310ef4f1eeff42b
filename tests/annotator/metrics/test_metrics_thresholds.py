import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from annotator.metrics.multilabel import count
from annotator.metrics.thresholds import f1_thresholds, micro_f1_thresholds

SCORES = (0.0, 0.1, 0.3, 0.45, 0.6, 0.8, 1.0)
ENOUGH = (0.0, 0.05, 0.2, 0.4, 0.5, 0.7, 0.9, 1.1)  # one between any two scores


@st.composite
def answers(draw):
    shape = draw(st.tuples(st.integers(1, 10), st.integers(1, 3)))
    p = draw(arrays.arrays(float, shape, elements=st.sampled_from(SCORES)))
    return p, draw(arrays.arrays(float, shape, elements=st.sampled_from([0.0, 0.4, 1.0, math.nan])))


@given(answers())
def test_no_threshold_has_a_better_f1(pair):
    found = count(*pair, f1_thresholds(*pair)).f1
    best = np.array([count(*pair, cut).f1 for cut in ENOUGH])
    for label, present in enumerate((pair[1] >= 0.5).any(axis=0)):
        if present:
            assert found[label] == pytest.approx(np.nanmax(best[:, label]))


@given(answers())
@settings(max_examples=40)
def test_no_thresholds_have_a_better_micro_f1(pair):
    found = micro_f1_thresholds(*pair)
    present = (pair[1] >= 0.5).any(axis=0)
    assert (found[~present] == 0.5).all()
    choices = [ENOUGH if here else (0.5,) for here in present]
    best = max(
        float(np.nan_to_num(count(*pair, cuts).pooled().f1)) for cuts in itertools.product(*choices)
    )
    assert np.nan_to_num(count(*pair, found).pooled().f1) == pytest.approx(best)


def test_the_midpoint_is_taken():
    p, y = [[0.1], [0.2], [0.6], [0.9]], [[0], [0], [1], [1]]
    assert f1_thresholds(p, y) == pytest.approx([0.4])


def test_among_equals_the_nearest_to_one_half():
    # From 0.9 on: F1 2/3; from 0.2 on: 2·2/(2 + 4) = 2/3 as well.
    p, y = [[0.9], [0.7], [0.4], [0.2]], [[1], [0], [0], [1]]
    assert f1_thresholds(p, y) == pytest.approx([0.8])


def test_a_label_without_positives_keeps_one_half():
    p, y = [[0.1, 0.2], [0.9, 0.3]], [[0, math.nan], [0, math.nan]]
    assert f1_thresholds(p, y).tolist() == [0.5, 0.5]
    assert micro_f1_thresholds(p, y).tolist() == [0.5, 0.5]


def test_micro_f1_gives_up_a_hopeless_label():
    rng = np.random.default_rng(0)
    y = (rng.random((400, 2)) < [0.5, 0.02]).astype(float)
    p = np.c_[np.clip(y[:, 0] * 0.6 + 0.3 * rng.random(400), 0, 1), rng.random(400)]
    assert not (p[:, 1] >= micro_f1_thresholds(p, y)[1]).sum() > 4
    assert (p[:, 1] >= f1_thresholds(p, y)[1]).sum() > 4


def test_neighbouring_floats_are_parted():
    low = 0.7
    high = math.nextafter(low, 1)
    for pair in ((low, high), (math.nextafter(1, 0), 1.0), (0.0, math.nextafter(0, 1))):
        (cut,) = f1_thresholds([[pair[0]], [pair[1]]], [[0], [1]])
        assert pair[0] < cut <= pair[1]


def test_all_scores_equal():
    (cut,) = f1_thresholds([[0.0], [0.0]], [[1], [0]])
    assert cut <= 0
    (cut,) = f1_thresholds([[1.0], [1.0]], [[1], [0]])
    assert cut == 0.5
