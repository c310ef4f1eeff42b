import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from annotator.errors import UsageError
from annotator.simulation.annotators import Annotators
from annotator.simulation.confusion import ERRORS, Confusion, measured, named

SIX = ("happy", "sad", "anger", "surprise", "disgust", "fear")
FIVE = ("happy", "sad", "anger", "disgust", "fear")


def test_many_raters_come_to_the_shares():
    shares = np.array([[0.2, 0.9]])
    found = Annotators(raters=20_000).answers(shares, np.random.default_rng(0))
    assert found == pytest.approx(shares, abs=0.02)


def test_nobody_is_asked_where_nobody_was():
    found = Annotators(3).answers(np.array([[np.nan, 1.0]]), np.random.default_rng(0))
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 1


def test_people_err_as_often_as_they_were_measured_to():
    matrix = measured("crema-d-voice").matrix(FIVE)
    shown = np.zeros((1, 5))
    shown[0, FIVE.index("anger")] = 1
    found = Annotators(50_000, matrix).answers(shown, np.random.default_rng(0))[0]
    rates = measured("crema-d-voice").rates["anger"]
    assert found == pytest.approx([rates[label] for label in FIVE], abs=0.01)


def test_a_clip_that_shows_nothing_is_named_by_the_rates_of_none():
    confusion = measured("ferplus")
    found = named(np.zeros((1, 6)), confusion.matrix(SIX))[0]
    assert found == pytest.approx([confusion.rates[""][label] for label in SIX])


def test_another_name_of_a_label_is_known():
    one, other = (measured("ferplus").matrix(names) for names in (["happy"], ["happiness"]))
    assert (one == other).all()


def test_a_label_that_was_not_measured_is_refused():
    with pytest.raises(UsageError, match="how people mistake 'surprise' was not measured"):
        measured("crema-d-both").matrix(SIX)


@pytest.mark.parametrize("name", ERRORS)
def test_the_tables_are_chances_and_most_name_what_is_shown(name):
    rates = measured(name).rates
    for shown, row in rates.items():
        assert all(0 <= rate <= 1 for rate in row.values())
        assert sum(row.values()) <= 1.001  # one choice a person; the rest saw none
        if shown:
            assert row[shown] == max(row.values())


@given(
    arrays(float, (3, 2), elements=st.floats(0, 1)), arrays(float, (3, 2), elements=st.floats(0, 1))
)
def test_chances_stay_chances_and_more_of_a_label_never_names_it_less(shares, matrix):
    chance = named(shares, matrix)
    assert ((chance >= 0) & (chance <= 1)).all()
    certain = Confusion({"": {}, "a": {"a": 1.0}, "b": {"b": 1.0}}).matrix(["a", "b"])
    assert named(shares, certain) == pytest.approx(shares)
