import math
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.labels.agreement import agreement
from annotator.labels.figure import Figure
from vote_samples import LABELS, projects, said, table


def numbers(value):
    """Every number within dataclasses turned into dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [number for part in value for number in numbers(part)]
    return [value] if isinstance(value, (int, float)) else []


@settings(max_examples=40)
@given(projects())
def test_no_answers_give_a_number_that_is_none(votes):
    found = agreement(votes, LABELS, resamples=10)
    assert all(math.isfinite(number) for number in numbers(asdict(found)))
    assert found.votes == len(votes)
    assert found.clips == len({vote.clip_id for vote in votes})


@settings(max_examples=40)
@given(st.data(), projects())
def test_the_order_of_votes_changes_nothing(data, votes):
    found = agreement(votes, LABELS, resamples=10)
    assert agreement(data.draw(st.permutations(votes)), LABELS, resamples=10) == found


def test_a_project_without_a_vote():
    found = agreement([], LABELS)
    assert (found.clips, found.votes, found.pairs, found.annotators) == (0, 0, [], [])
    assert {figure.value for figure in found.alpha.values()} == {None}


def test_the_parts_of_one_project():
    rows = {"ann": ["happy", "sad", ""], "bob": ["happy", "sad", ""], "cem": ["sad", "?", None]}
    found = agreement(table(rows), LABELS, resamples=50)
    assert list(found.alpha) == list(LABELS)
    assert found.alpha["happy"].clips == found.alpha_sets.clips == 3
    assert [(pair.first, pair.second, pair.clips) for pair in found.pairs] == [
        ("ann", "bob", 3),
        ("ann", "cem", 1),
        ("bob", "cem", 1),
    ]
    assert [one.name for one in found.annotators] == ["ann", "bob", "cem"]
    assert (found.clips, found.votes) == (3, 8)


def test_groups_must_name_every_clip():
    votes = [said(clip, name, "happy") for clip in (1, 2) for name in "ab"]
    with pytest.raises(ValueError, match="a group for every clip"):
        agreement(votes, LABELS, groups={1: "video"})
    assert agreement(votes, LABELS, groups={1: "video", 2: "video", 3: "other"}).clips == 2


@pytest.mark.parametrize(
    ("value", "reason"), [(None, None), (0.5, "and why not"), (math.nan, None), (math.inf, None)]
)
def test_a_figure_has_a_finite_value_or_a_reason(value, reason):
    with pytest.raises(ValueError, match="expected a"):
        Figure(value, 3, reason)
