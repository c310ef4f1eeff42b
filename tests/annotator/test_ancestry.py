import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.ancestry import FIRST, ancestry_of
from annotator.metrics.bootstrap import Interval

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
PARTS = ("parent", "promotion", "validation", "labels_from", "round")


def test_a_version_that_was_not_fine_tuned():
    assert ancestry_of({"trained": True}) == FIRST


def test_all_that_a_fine_tuning_writes():
    measured = {"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}, "ece": {"value": None}}
    found = ancestry_of(
        {
            "parent": {"name": "starter", "weights_sha256": "ab"},
            "round": 2,
            "labels_from": {"answers": 30, "people": 2, "clips": 20},
            "promotion": {"promoted": False, "reason": "not surely above 0"},
            "validation": {"clips": 40, "metrics": measured},
        }
    )
    assert (found.parent, found.parent_weights, found.round) == ("starter", "ab", 2)
    assert found.labels_from == {"answers": 30, "people": 2, "clips": 20}
    assert found.reason == "not surely above 0"
    assert found.validation == {"macro_f1": Interval(0.5, 0.4, 0.6)}
    assert found.clips == 40


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"parent": "starter"}, "parent"),
        ({"parent": {"name": 3}}, "name"),
        ({"round": -1}, "round"),
        ({"round": True}, "round"),
        ({"promotion": {"reason": []}}, "reason"),
    ],
)
def test_what_is_damaged_is_named(facts, named):
    with pytest.raises(ValueError, match=f"^{named} must be"):
        ancestry_of(facts)


@given(facts=st.dictionaries(st.sampled_from(PARTS), JSON))
def test_anything_is_read_or_refused(facts):
    try:
        ancestry_of(facts)
    except ValueError as error:
        assert "must be" in str(error)
