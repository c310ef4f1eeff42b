import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.labels.votes import Vote, by_annotator, by_clip, usable
from vote_samples import LABELS, projects, said

HAPPY = frozenset({"happy"})


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "just one"),
        ({"labels": HAPPY, "neutral": True}, "just one"),
        ({"labels": HAPPY, "unusable": True}, "just one"),
        ({"neutral": True, "unusable": True}, "just one"),
        ({"labels": HAPPY, "intensities": {"sad": 2}}, "picked labels alone"),
        ({"labels": HAPPY, "intensities": {"happy": 0}}, "from 1 to 5"),
        ({"labels": HAPPY, "intensities": {"happy": 6}}, "from 1 to 5"),
        ({"labels": HAPPY, "seconds": -0.1}, "seconds from 0"),
        ({"labels": HAPPY, "seconds": math.inf}, "seconds from 0"),
        ({"labels": HAPPY, "seconds": math.nan}, "seconds from 0"),
    ],
)
def test_a_vote_that_contradicts_itself_is_refused(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        Vote(7, "ann", **given)


def test_a_vote_needs_a_name():
    with pytest.raises(ValueError, match="name of the annotator"):
        Vote(7, "", HAPPY)


def test_whole_votes_pass():
    assert Vote(7, "ann", HAPPY, intensities={"happy": 5}, seconds=0).labels == HAPPY
    assert usable([said(1, "ann", "?"), said(1, "bob", "")]) == [said(1, "bob", "")]


def test_two_votes_of_one_person_on_a_clip_are_refused():
    votes = [said(1, "ann", "happy"), said(1, "bob", ""), said(1, "ann", "sad")]
    with pytest.raises(ValueError, match="two of one on clip 1"):
        by_clip(votes, LABELS)


def test_a_label_of_another_project_is_refused():
    with pytest.raises(ValueError, match="clip 3 has a vote for bored, tired"):
        by_clip([said(3, "ann", "happy tired bored")], LABELS)


@pytest.mark.parametrize("labels", [(), ("happy", "happy")])
def test_a_list_of_labels_has_each_once(labels):
    with pytest.raises(ValueError, match="each once"):
        by_clip([], labels)


@given(st.data(), projects())
def test_groups_hold_every_vote_in_an_order_of_their_own(data, votes):
    clips = by_clip(votes, LABELS)
    assert clips == by_clip(data.draw(st.permutations(votes)), LABELS)
    assert list(clips) == sorted(clips)
    people = by_annotator(clips)
    assert list(people) == sorted(people)
    for groups in (clips, people):
        found = [vote for group in groups.values() for vote in group]
        assert len(found) == len(votes)
        assert all(vote in found for vote in votes)
