"""What learns between the rounds."""

from dataclasses import replace

import pytest
import torch

from annotator.simulation.learner import DEFAULTS, fit
from lddu_model.optimisation import of_sigma
from toy_corpus import corpus

pytestmark = pytest.mark.usefixtures("one_thread")


def test_sigma_learns_on_by_itself_as_in_every_training():
    without = replace(DEFAULTS, train=replace(DEFAULTS.train, recalibrate=0))
    before, after = (fit(corpus(), one, steps=6).state_dict() for one in (without, DEFAULTS))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(map(of_sigma, changed))
