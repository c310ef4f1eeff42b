"""What a file states, as yes and no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.imports.stated import decide

LABELS = ("happy", "sad")


@given(st.dictionaries(st.sampled_from(LABELS), st.sampled_from([0, 1, 0.0, 1.0])))
def test_ones_are_picked_and_the_rest_is_a_no(values):
    decided = decide(values, LABELS, None)
    assert set(decided.labels) == {label for label, value in values.items() if value == 1}
    assert decided.neutral == (not decided.labels)


@given(st.dictionaries(st.sampled_from(LABELS), st.floats(0, 1)), st.floats(0.01, 1))
def test_a_threshold_is_reached_from_below(values, threshold):
    decided = decide(values, LABELS, threshold)
    assert set(decided.labels) == {name for name, value in values.items() if value >= threshold}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"joy": 1}, "no label 'joy' here: expected happy, sad"),
        ({"happy": 1, "HAPPY": 0}, "given twice"),
        ({"happy": 0.5}, "happy is 0.5, neither 0 nor 1"),
        ({"neutral": 1, "sad": 1}, "both neutral and a label"),
        ({"neutral": 0}, "or neither"),
    ],
)
def test_what_cannot_be_decided(values, words):
    with pytest.raises(ValueError, match=words):
        decide(values, LABELS, None)


def test_neutral_may_be_a_label_itself():
    assert decide({"Neutral": 1}, ("neutral", "sad"), None).labels == ("neutral",)
