"""Answers of several projects together: the same as of one where they ask for the same."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from annotator.labels.across import consensus_across
from annotator.labels.consensus import Rule, consensus
from annotator.labels.stored import votes_of
from annotator.store.review_records import Answer, ClipAnswer, GivenLabel

LABELS = ("happy", "sad", "anger")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def said(person: str, project: int, *labels: str, unusable: bool = False) -> ClipAnswer:
    given_labels = () if unusable else tuple(GivenLabel(label, 3, None) for label in labels)
    state = "unusable" if unusable else "labelled"
    neutral = not unusable and not labels
    answer = Answer(1, 1, person, state, given_labels, neutral, None, None, None, (), NOW, NOW)
    return ClipAnswer(7, project, answer)


people = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.integers(1, 2), st.sets(st.sampled_from(LABELS)), st.booleans()),
    min_size=1,
)


@given(people, st.sampled_from(["majority", "any", "all", 0.5]))
def test_projects_that_ask_the_same_are_one(voters, need):
    answers = [said(p, where, *picks, unusable=bad) for p, (where, picks, bad) in voters.items()]
    found = consensus_across(answers, {1: LABELS, 2: LABELS}, Rule(need))
    assert found == consensus(7, votes_of(answers), LABELS, Rule(need))


@given(people)
def test_each_label_is_judged_by_those_who_were_asked(voters):
    asked = {1: ("happy", "sad"), 2: ("sad", "anger")}
    answers = [
        said(p, where, *(picks & set(asked[where])), unusable=bad)
        for p, (where, picks, bad) in voters.items()
    ]
    found = consensus_across(answers, asked)
    assert found is not None
    assert found.voters == len(voters)
    for label in LABELS:
        judged = [
            picks for where, picks, bad in voters.values() if label in asked[where] and not bad
        ]
        share = sum(label in picks for picks in judged) / len(judged) if judged else None
        assert (found.soft or {}).get(label) == share
        if share is None:
            assert found.hard.get(label) is None
    assert (found.reason is not None) == (found.state == "open")


def test_nobody_voted():
    assert consensus_across([], {1: LABELS}) is None
