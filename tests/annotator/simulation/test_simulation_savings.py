import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.simulation.savings import Curves, gained, labels_to_reach, saved

LABELLED = np.array([100.0, 200.0, 300.0])


def curves(*runs):
    return Curves(LABELLED, np.array(runs, float))


def test_half_the_labels_are_half_saved():
    quick, slow = curves([0.0, 0.8, 0.9]), curves([0.0, 0.4, 0.8])
    assert saved(quick, slow, target=0.8).value == pytest.approx(1 - 200 / 300)


def test_a_strategy_is_no_better_than_itself():
    same = curves([0.1, 0.5, 0.9], [0.2, 0.6, 0.8])
    found = saved(same, same, target=0.7)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert gained(same, same).value == 0


def test_what_never_gets_there():
    never, random = curves([0.1, 0.2, 0.3]), curves([0.1, 0.5, 0.9])
    assert saved(never, random, target=0.8).value == -np.inf
    assert np.isnan(saved(random, never, target=0.8).value)


def test_one_seed_has_no_interval():
    found = saved(curves([0.0, 0.8, 0.9]), curves([0.0, 0.4, 0.8]), target=0.5)
    assert np.isnan([found.low, found.high]).all()


def test_the_interval_is_of_pairs_of_seeds():
    """A seed's luck that both share is no difference between them."""
    luck = np.linspace(0, 0.3, 5)[:, None]
    random = Curves(LABELLED, np.array([0.1, 0.3, 0.5]) + luck)
    better = Curves(LABELLED, np.array([0.2, 0.4, 0.6]) + luck)
    found = gained(better, random)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


def test_other_seeds_are_refused():
    with pytest.raises(ValueError, match="expected 2 seeds, got 1"):
        saved(curves([0, 0, 0]), curves([0, 0, 0], [0, 0, 0]), target=0.5)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0, 1))
def test_the_crossing_is_where_the_line_first_reaches_the_target(values, target):
    labelled = np.arange(1, len(values) + 1) * 10.0
    found = labels_to_reach(labelled, np.array(values), target)
    if found == np.inf:
        assert max(values) < target
    else:
        assert np.interp(found, labelled, values) >= target - 1e-9
        before = labelled < found
        assert (np.array(values)[before] < target).all()
