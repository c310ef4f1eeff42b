"""Splits by group, padding, and the checks that every reader ends in."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.datasets.assemble import assemble
from annotator.datasets.padding import finite, without_padding
from annotator.datasets.splits import split_by_group, split_named
from annotator.errors import UsageError
from annotator.learning.dataset import Example

groups = st.lists(st.text(max_size=3), min_size=1, max_size=60)


def example(name: str, group: str = "g", target=(1.0, 0.0), **changes) -> Example:
    features = {"text": np.ones((2, 3), np.float32)}
    values = {"features": features, "target": np.array(target, np.float32)} | changes
    return Example(id=name, group=group, **values)


@given(groups, st.randoms(use_true_random=False))
def test_a_split_cuts_no_group_and_depends_on_no_order(names, random):
    examples = [example(str(index), name) for index, name in enumerate(names)]
    splits = split_by_group(examples)
    train, valid = ({one.group for one in splits[name]} for name in ("train", "valid"))
    assert not train & valid
    assert train | valid == set(names)
    assert sum(map(len, splits.values())) == len(examples)
    count = len(set(names))
    assert len(valid) == (max(1, round(0.2 * count)) if count > 1 else 0)
    random.shuffle(examples)
    assert {one.id for one in split_by_group(examples)["valid"]} == {
        one.id for one in splits["valid"]
    }


def test_the_split_is_the_same_on_every_machine():
    examples = [example(name, name) for name in "abcdefghij"]
    assert [one.id for one in split_by_group(examples)["valid"]] == ["d", "j"]


@pytest.mark.parametrize(
    ("name", "ours"), [("Validation", "valid"), ("dev", "valid"), ("TEST", "test"), ("x", None)]
)
def test_names_of_splits(name, ours):
    assert split_named(name) == ours


def test_padding_on_either_side():
    values = np.array([[0.0], [0.0], [3.0], [0.0], [5.0], [0.0]])
    assert without_padding(values).ravel().tolist() == [3, 0, 5]
    assert without_padding(values, 5).ravel().tolist() == [0, 0, 3, 0, 5]
    front = values[:5]
    assert without_padding(front, 4).ravel().tolist() == [0, 3, 0, 5]
    assert without_padding(np.zeros((3, 2))) is None
    assert without_padding(np.zeros((3, 2)), 2) is None
    assert without_padding(values, 0) is None
    assert np.shares_memory(without_padding(values), values)


def test_finite_copies_only_what_it_changes():
    good = np.ones((2, 2), np.float16)
    assert finite(good) == (good, 0) or finite(good)[0] is good
    bad = np.array([[-np.inf, np.nan, 1.0]], np.float16)
    values, count = finite(bad)
    assert (values.tolist(), values.dtype, count) == ([[0, 0, 1]], np.float16, 2)


def test_labels_are_chosen_and_put_in_order(caplog):
    caplog.set_level(logging.WARNING)
    one = example("a", target=(0.25, 1.0), intensity=np.array([1.0, 2.0], np.float32))
    made = assemble("x", ("happy", "sad"), {"train": [one], "test": []}, {}, asked=("sad",))
    assert made.labels == ("sad",)
    assert made.splits["train"][0].target.tolist() == [1.0]
    assert made.splits["train"][0].intensity.tolist() == [2.0]
    assert set(made.splits) == {"train"}
    assert "labels left out, as they are not asked for: happy" in caplog.text
    assert made.dimensions == {"text": 3}
    assert made.extractors["text"].startswith("foreign")


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "no labelled examples"),
        ([example("a", target=(np.nan, np.nan))], "no labelled examples"),
        ([example("a"), example("a")], "the id 'a' twice"),
        ([example("a", features={})], "'a' has no features at all"),
        (
            [example("a"), example("b", features={"text": np.ones((1, 2), np.float32)})],
            "'b' has 2 text features a step, expected 3",
        ),
        (
            [example("a", features={"text": np.array([[np.nan]], np.float32)})],
            "text features of example 'a' are not all finite",
        ),
    ],
)
def test_bad_examples(examples, message):
    with pytest.raises(UsageError, match=message) as raised:
        assemble("x", ("happy", "sad"), {"train": examples}, {})
    assert "\n" not in str(raised.value)


def test_unknown_labels_and_torn_groups(caplog):
    splits = {"train": [example("a")], "test": [example("b"), example("c", target=[np.nan] * 2)]}
    with pytest.raises(UsageError, match="no label 'joy': expected some of happy, sad"):
        assemble("x", ("happy", "sad"), splits, {}, asked=("joy",))
    assemble("x", ("happy", "sad"), splits, {})
    assert "1 videos or speakers are in more than one split" in caplog.text
    assert "1 examples of test have no label and are left out" in caplog.text
