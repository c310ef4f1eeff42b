"""The predicted lead time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from annotator.acquisition.cost import EXTRA_S, lead_time

durations = st.lists(st.floats(0.01, 1e4), min_size=1, max_size=20).map(np.array)


@given(durations, durations, st.data())
def test_it_is_above_zero_and_never_falls_with_length(seconds, watched, data):
    lead = np.array(
        data.draw(st.lists(st.floats(0, 1e5), min_size=len(watched), max_size=len(watched)))
    )
    cost = lead_time(np.sort(seconds), watched, lead)
    assert (cost > 0).all()
    assert (np.diff(cost) >= 0).all()


def test_one_task_left_open_does_not_move_it():
    watched = np.full(5, 4.0)
    usual = lead_time(np.array([4.0]), watched, np.array([9.0, 10, 10, 11, 12]))
    lunch = lead_time(np.array([4.0]), watched, np.array([9.0, 10, 10, 11, 3600]))
    assert usual == lunch == 10


def test_before_anybody_answered_it_is_the_length_and_a_guess():
    assert lead_time(np.array([3.0]), np.empty(0), np.empty(0)) == 3 + EXTRA_S
