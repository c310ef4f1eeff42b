"""Who is held out stays held out."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.datasets.held_out import Split, hold_out, parted
from annotator.errors import UsageError
from annotator.learning.dataset import Example

SPLIT = Split(0.2, 0.2)


def example(group: str, *target: float, number: int = 0) -> Example:
    return Example(f"{group}/{number}", group, {}, np.array(target, np.float32))


def people(count: int, clips: int = 4) -> list[Example]:
    """Of each some happy clips and some sad ones."""
    return [
        example(f"p{person}", clip % 2, (clip + 1) % 2, number=clip)
        for person in range(count)
        for clip in range(clips)
    ]


def places(parts) -> dict[str, str]:
    return {e.id: name for name, part in parts.items() for e in part}


GROUPS = st.lists(st.text(max_size=8), min_size=1, max_size=30)


@given(GROUPS, GROUPS, st.integers(0, 99))
def test_new_answers_move_nobody(old, new, seed):
    split = Split(0.2, 0.3, seed)
    first = [example(group, 1, 0, number=n) for n, group in enumerate(old)]
    later = first + [example(group, 0, 1, number=-n - 1) for n, group in enumerate(new)]
    before, after = (places(parted(found, split, ())) for found in (first, later))
    assert before.items() <= after.items()


@given(GROUPS, st.integers(0, 99), st.sets(st.text(max_size=8), max_size=3))
def test_no_speaker_is_cut_and_no_clip_lost(groups, seed, always):
    examples = [example(group, 1, 0, number=n) for n, group in enumerate(groups)]
    parts = parted(examples, Split(0.3, 0.3, seed), always | {groups[0]})
    assert sorted(places(parts)) == sorted(e.id for e in examples)
    part_of = {(e.group, name) for name, part in parts.items() for e in part}
    assert max(Counter(group for group, _ in part_of).values()) == 1
    assert (groups[0], "test") in part_of


def test_the_shares_are_of_the_groups():
    counts = Counter(places(parted(people(1000, 1), Split(0.2, 0.1, 0), ())).values())
    assert counts["valid"] == pytest.approx(200, abs=40)
    assert counts["test"] == pytest.approx(100, abs=30)


@pytest.mark.parametrize("count", [4, 5, 7, 50])
def test_the_seed_is_one_that_gives_each_part_enough(count):
    split, parts = hold_out(people(count), SPLIT, ())
    assert {name: bool(part) for name, part in parts.items()} == dict.fromkeys(parts, True)
    assert len({e.group for e in parts["test"]}) >= 2
    assert hold_out(people(count), split, ())[0] == split


def test_a_tie_decides_nothing_where_models_are_measured():
    tied = [example(e.group, *e.target[:1], 0.5, number=i) for i, e in enumerate(people(50))]
    _, parts = hold_out(tied, SPLIT, ())
    assert all(e.target[1] == 0.5 for e in parts["train"])
    assert all(np.isnan(e.target[1]) for name in ("valid", "test") for e in parts[name])


@pytest.mark.parametrize(
    ("examples", "problem"),
    [
        ([example("a", 1, 0)], "1 labelled clips for 2 labels"),
        (people(3), "of 3 speakers or videos, expected at least 4"),
        ([example(f"p{n}", 1, 0) for n in range(9)], "all 9 labelled clips were given the same"),
        ([example(f"p{n}", 0, 0) for n in range(9)], "all 9 labelled clips were given the same"),
        (
            [example(f"p{n}", 0.5, 0.5) for n in range(9)],
            "all 9 labelled clips were given the same",
        ),
        ([example(f"p{n}", n == 0, 0) for n in range(9)], "cannot be parted"),
    ],
)
def test_too_little_is_said_in_a_line(examples, problem):
    with pytest.raises(UsageError, match=problem) as caught:
        hold_out(examples, SPLIT, ())
    assert "\n" not in str(caught.value)


def test_a_seed_of_an_earlier_round_is_never_exchanged():
    split, _ = hold_out(people(50), SPLIT, ())
    with pytest.raises(UsageError, match="cannot be parted"):
        hold_out([e for e in people(50) if places(parted(people(50), split, ()))[e.id] != "test"],
                 split, ())  # fmt: skip
