import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.labels import annotators as module
from annotator.labels import kappa
from annotator.labels.annotators import annotators
from annotator.labels.votes import by_clip
from vote_samples import LABELS, projects, said, table


def people(votes):
    return {one.name: one for one in annotators(by_clip(votes, LABELS), LABELS)}


def test_one_person_beside_the_majority_of_the_others():
    """On clip 0 ann misses sad; on 1 the others tie on happy and sad, and anger alone counts."""
    votes = table(
        {
            "ann": ["happy", "anger", "happy", "?"],
            "bob": ["happy sad", "happy", None, "sad"],
            "cem": ["happy sad", "sad", None, "sad"],
        }
    )
    ann = people(votes)["ann"].overall
    assert (ann.share.value, ann.share.clips) == (pytest.approx((2 / 3 + 0) / 2), 2)


def test_a_clip_on_which_the_others_tie_throughout_is_left_out():
    votes = table({"a": ["happy", ""], "b": ["happy sad anger", "sad"], "c": ["", None]})
    assert people(votes)["a"].overall.share.clips == 1


def test_a_person_who_never_picks_has_a_high_share_and_no_kappa_above_chance():
    picks = ["happy", "sad", "anger", "happy"]
    votes = table({"lazy": [""] * 4, "bob": picks, "cem": picks})
    lazy = people(votes)["lazy"].overall
    assert lazy.share.value == pytest.approx(2 / 3)
    assert lazy.kappa.value == 0


def test_perfect_agreement_is_one():
    picks = ["happy", "sad", "anger", ""]
    for one in people(table(dict.fromkeys("abc", picks))).values():
        assert one.overall.share.value == one.overall.kappa.value == 1
        assert one.overall.share.clips == one.overall.kappa.clips == 4


def test_blind_and_shown_answers_are_told_apart():
    """Shown, ann takes whatever was suggested, and it is wrong; blind, she is right."""
    others = ["happy", "sad", "happy", "sad"]
    votes = [
        *table({"bob": others, "cem": others}),
        said(0, "ann", "happy"),
        said(1, "ann", "sad"),
        said(2, "ann", "sad", unchanged=True),
        said(3, "ann", "happy", unchanged=True),
    ]
    ann = people(votes)["ann"]
    assert (ann.unchanged.value, ann.unchanged.clips) == (1, 2)
    assert (ann.blind.share.value, ann.blind.share.clips, ann.blind.kappa.value) == (1, 2, 1)
    assert (ann.shown.share.value, ann.shown.share.clips) == (pytest.approx(1 / 3), 2)
    assert ann.shown.kappa.value == -1
    assert ann.overall.share.clips == 4
    bob = people(votes)["bob"]
    assert (bob.unchanged.value, bob.unchanged.reason) == (None, module.NOT_SHOWN)
    assert (bob.shown.share.value, bob.shown.kappa.reason) == (None, module.NO_OTHER)
    assert bob.blind == bob.overall


def test_speed_is_the_median_of_the_times_given():
    times = [4.0, 100.0, 6.0, None]
    votes = [said(clip, "ann", "happy", seconds=time) for clip, time in enumerate(times)]
    ann = people(votes)["ann"]
    assert (ann.seconds.value, ann.seconds.clips, ann.votes) == (6.0, 3, 4)
    bob = people([said(1, "bob", "happy")])["bob"]
    assert (bob.seconds.value, bob.seconds.reason) == (None, module.NO_TIME)


def test_shares_of_unusable_and_unchanged():
    votes = [
        said(0, "ann", "?", unchanged=False),
        said(1, "ann", "happy", unchanged=True),
        said(2, "ann", "sad", unchanged=False),
        said(3, "ann", "sad"),
    ]
    ann = people(votes)["ann"]
    assert (ann.unusable.value, ann.unusable.clips) == (0.25, 4)
    assert (ann.unchanged.value, ann.unchanged.clips) == (pytest.approx(1 / 3), 3)


def test_one_person_alone_agrees_with_nobody():
    ann = people(table({"ann": ["happy", "sad"]}))["ann"]
    for likeness in (ann.overall, ann.blind, ann.shown):
        assert likeness.share.value is likeness.kappa.value is None
        assert likeness.share.reason == module.NO_OTHER


def test_one_clip_has_a_share_but_no_kappa():
    ann = people(table({"ann": ["happy"], "bob": ["happy sad"]}))["ann"].overall
    assert (ann.share.value, ann.share.clips) == (pytest.approx(2 / 3), 1)
    assert (ann.kappa.value, ann.kappa.reason) == (None, kappa.ONE_CLIP)


@given(st.data(), projects())
def test_neither_order_nor_abstentions_change_anyone(data, votes):
    expected = people(votes)
    assert people(data.draw(st.permutations(votes))) == expected
    clips = sorted({vote.clip_id for vote in votes})
    joined = people(votes + [said(clip, "abstainer", "?") for clip in clips])
    assert {name: joined[name] for name in expected} == expected


@given(projects())
def test_what_holds_for_everyone(votes):
    for one in people(votes).values():
        assert 0 <= one.unusable.value <= 1
        for likeness in (one.overall, one.blind, one.shown):
            assert likeness.share.value is None or 0 <= likeness.share.value <= 1
            assert likeness.kappa.value is None or -1 <= likeness.kappa.value <= 1
        assert one.blind.share.clips + one.shown.share.clips == one.overall.share.clips
