"""A linear model on an encoder's states: all is found where they tell the labels, else chance."""

from dataclasses import astuple

import numpy as np
import pytest

import text_encoder
from annotator.learning.dataset import TEST, TRAIN, VALID

CLIPS = 200


def splits(told: float):
    """Two labels, seen in the states as much as `told` says."""
    random = np.random.default_rng(0)
    found = {}
    for split in (TRAIN, VALID, TEST):
        targets = (random.random((CLIPS, 2)) < 0.3).astype(float)
        noise = random.normal(size=(CLIPS, 8))
        noise[:, :2] = told * (2 * targets - 1) + (1 - told) * noise[:, :2]
        found[split] = (noise, targets)
    return found


def test_states_that_tell_the_labels():
    assert astuple(text_encoder.quality(splits(told=1))) == pytest.approx((1, 1, 1, 1))


def test_states_that_do_not():
    found = text_encoder.quality(splits(told=0))
    assert 0.2 < found.test < 0.45
    assert found.train > found.test
    assert found.macro_f1 < 0.55, "of labels that 3 in 10 have, all yes has 0.46"
