import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.labels.consensus import MAJORITY, Rule, consensus, consensuses
from vote_samples import LABELS, PICKS, projects, said

RULES = st.builds(
    Rule,
    st.sampled_from(["majority", "any", "all"]) | st.floats(0, 1, exclude_min=True),
    st.integers(1, 4),
)


def of(*picks: str, rule: Rule = MAJORITY):
    """The consensus of people who picked so."""
    return consensus(5, [said(5, f"person {n}", one) for n, one in enumerate(picks)], LABELS, rule)


def test_three_people_on_one_clip():
    found = of("happy sad", "happy", "")
    assert (found.voters, found.unusable_votes, found.neutral_votes) == (3, 0, 1)
    assert found.votes == {"happy": 2, "sad": 1, "anger": 0}
    assert found.soft == {"happy": 2 / 3, "sad": 1 / 3, "anger": 0}
    assert found.hard == {"happy": True, "sad": False, "anger": False}
    assert (found.state, found.reason) == ("labelled", None)
    assert list(found.soft) == list(found.hard) == list(LABELS)


def test_an_exact_tie_is_unknown_for_that_label_alone():
    found = of("happy sad", "happy anger", "happy sad", "anger")
    assert found.hard == {"happy": True, "sad": None, "anger": None}
    assert (found.state, found.reason) == ("open", "tied on sad, anger")


@pytest.mark.parametrize(
    ("rule", "hard"),
    [
        (Rule("any"), {"happy": True, "sad": True, "anger": False}),
        (Rule("all"), {"happy": False, "sad": False, "anger": False}),
        (Rule(0.5), {"happy": True, "sad": True, "anger": False}),
        (Rule(0.75), {"happy": True, "sad": False, "anger": False}),
        (Rule(0.76), {"happy": False, "sad": False, "anger": False}),
    ],
)
def test_other_rules_leave_no_tie(rule, hard):
    found = of("happy sad", "happy", "happy", "sad", rule=rule)
    assert found.hard == hard
    assert found.state == "labelled"


def test_all_means_every_usable_vote():
    assert of("happy", "happy sad", "?", rule=Rule("all")).hard["happy"] is True


@given(st.integers(1, 40), st.integers(1, 60))
def test_a_share_is_reached_exactly(numerator, voters):
    """A share written as a decimal or a division is no rounding error away from the votes'."""
    share = Fraction(min(numerator, 40), 40)
    for yes in range(voters + 1):
        assert Rule(float(share)).decide(yes, of=voters) == (Fraction(yes, voters) >= share)


@pytest.mark.parametrize("need", [0, -0.5, 1.01, math.nan, "most"])
def test_a_rule_that_is_none_is_refused(need):
    with pytest.raises(ValueError, match="expected majority, any, all or a share"):
        Rule(need)


def test_a_rule_needs_a_voter():
    with pytest.raises(ValueError, match="minimum_voters from 1"):
        Rule(minimum_voters=0)


@pytest.mark.parametrize(
    ("picks", "minimum", "state", "reason"),
    [
        ((), 1, "open", "0 of 1 voters"),
        (("happy",), 1, "labelled", None),
        (("happy",), 2, "open", "1 of 2 voters"),
        (("?",), 1, "unusable", None),
        (("?",), 2, "open", "1 of 2 voters"),
        (("?", "happy"), 1, "open", "tied on whether it is usable"),
        (("?", "?", "happy"), 3, "unusable", None),
        (("?", "happy", "happy"), 2, "labelled", None),
        (("?", "happy", "happy"), 3, "open", "2 of 3 usable votes"),
    ],
)
def test_the_state_of_a_clip(picks, minimum, state, reason):
    found = of(*picks, rule=Rule(minimum_voters=minimum))
    assert (found.state, found.reason) == (state, reason)
    if state != "labelled":
        assert set(found.hard.values()) == {None}


def test_what_nobody_judged_has_no_shares():
    for found in (of(), of("?", "?")):
        assert found.soft is None
        assert found.disagreement is None
        assert found.votes == dict.fromkeys(LABELS, 0)


def test_disagreement_is_the_mean_entropy_over_labels():
    assert of("happy", "happy").disagreement == 0
    assert of("happy sad anger", "").disagreement == 1
    assert of("happy", "sad").disagreement == pytest.approx(2 / 3)
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert of("happy", "", "", "").disagreement == pytest.approx(quarter / 3)
    assert of("happy").disagreement is None
    assert of("happy", "?").disagreement is None


def test_intensity_is_the_mean_of_what_was_given():
    votes = [
        said(5, "ann", "happy sad", intensities={"happy": 2}),
        said(5, "bob", "happy sad", intensities={"happy": 5}),
        said(5, "cem", "happy"),
    ]
    assert consensus(5, votes, LABELS).intensity == {"happy": 3.5}


def test_a_vote_on_another_clip_is_refused():
    with pytest.raises(ValueError, match="on clip 5 alone"):
        consensus(5, [said(6, "ann", "happy")], LABELS)


def test_every_clip_with_a_vote_has_a_consensus():
    votes = [said(9, "ann", "happy"), said(2, "ann", "?"), said(9, "bob", "sad")]
    found = consensuses(votes, LABELS)
    assert [(one.clip_id, one.state) for one in found] == [(2, "unusable"), (9, "open")]


@given(st.data(), projects(), RULES)
def test_order_and_names_change_nothing(data, votes, rule):
    found = consensuses(votes, LABELS, rule)
    assert found == consensuses(data.draw(st.permutations(votes)), LABELS, rule)
    names = data.draw(st.permutations(sorted({vote.annotator for vote in votes})))
    renamed = dict(zip(sorted(names), names, strict=True))
    others = [
        said(v.clip_id, renamed[v.annotator], "?" if v.unusable else " ".join(v.labels))
        for v in votes
    ]
    assert found == consensuses(others, LABELS, rule)


@given(projects(), RULES)
def test_what_holds_for_every_consensus(votes, rule):
    for found in consensuses(votes, LABELS, rule):
        assert list(found.hard) == list(LABELS)
        assert (found.soft is None) == (found.voters == found.unusable_votes)
        assert all(0 <= share <= 1 for share in (found.soft or {}).values())
        assert found.disagreement is None or 0 <= found.disagreement <= 1
        assert (found.state == "labelled") == (None not in found.hard.values())
        assert (found.state == "open") == (found.reason is not None)


@given(st.lists(PICKS, min_size=1, max_size=7))
def test_an_abstention_changes_no_share(picks):
    alone, joined = of(*picks), of(*picks, "?")
    assert joined.soft == alone.soft
    assert joined.votes == alone.votes
    assert joined.disagreement == alone.disagreement
    assert joined.unusable_votes == alone.unusable_votes + 1
    if alone.state == joined.state == "labelled":
        assert joined.hard == alone.hard


@given(RULES, st.integers(1, 12))
def test_more_votes_for_a_label_never_turn_it_off(rule, voters):
    rank = {False: 0, None: 1, True: 2}
    ranks = [rank[rule.decide(yes, of=voters)] for yes in range(voters + 1)]
    assert ranks == sorted(ranks)
    assert (ranks[0], ranks[-1]) == (0, 2)
