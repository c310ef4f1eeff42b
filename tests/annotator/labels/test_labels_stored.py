"""Which of the answers in the store are votes."""

from datetime import UTC, datetime, timedelta

import pytest

from annotator.labels.stored import votes_of
from annotator.store.review_records import Answer, ClipAnswer, GivenLabel

START = datetime(2026, 1, 1, tzinfo=UTC)


def given(
    number: int,
    state: str,
    *labels: GivenLabel,
    clip: int = 1,
    person: str = "ann",
    user: int | None = None,
    minute: int = 0,
    neutral: bool = False,
) -> ClipAnswer:
    moment = START + timedelta(minutes=minute)
    answer = Answer(
        number, 7, person, state, labels, neutral, None, 2.5, None, (), moment, moment, user
    )
    return ClipAnswer(clip, 1, answer)


@pytest.mark.parametrize("state", ["skipped", "empty"])
def test_who_says_nothing_does_not_vote(state):
    assert votes_of([given(1, state)]) == []


def test_a_vote_has_all_that_was_said():
    (vote,) = votes_of([given(1, "labelled", GivenLabel("happy", 4, "manual"),
                              GivenLabel("sad", None, "manual"))])  # fmt: skip
    assert vote.labels == {"happy", "sad"}
    assert vote.intensities == {"happy": 4}
    assert vote.seconds == 2.5


def test_neutral_and_unusable_are_votes():
    votes = votes_of([given(1, "labelled", neutral=True), given(2, "unusable", person="bob")])
    assert [(vote.neutral, vote.unusable) for vote in votes] == [(True, False), (False, True)]


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_persons_answers_the_newest_that_says_something_counts(order):
    answers = [
        given(1, "labelled", GivenLabel("happy", None, None), minute=1),
        given(2, "labelled", GivenLabel("sad", None, None), minute=2),
        given(3, "skipped", minute=3),
        given(4, "labelled", GivenLabel("happy", None, None), clip=2),
        given(5, "labelled", GivenLabel("happy", None, None), person="bob"),
    ]
    votes = {(vote.clip_id, vote.annotator): vote.labels for vote in votes_of(answers[::order])}
    assert votes == {(1, "ann"): {"sad"}, (2, "ann"): {"happy"}, (1, "bob"): {"happy"}}


@pytest.mark.parametrize("order", [1, -1])
def test_a_person_is_their_number_and_called_as_they_were_last(order):
    answers = [
        given(1, "labelled", neutral=True, person="ann@old", user=3),
        given(2, "unusable", person="ann@new", user=3, minute=1),
        given(3, "unusable", person="ann@old", user=3, clip=2),
    ]
    votes = {(vote.clip_id, vote.annotator): vote.unusable for vote in votes_of(answers[::order])}
    assert votes == {(1, "ann@new"): True, (2, "ann@new"): True}


def test_two_people_of_one_name_are_two():
    """An email that was given up was taken by somebody else."""
    answers = [given(n, "unusable", person="ann", user=user) for n, user in enumerate((3, 4, None))]
    assert sorted(vote.annotator for vote in votes_of(answers)) == ["ann", "ann (3)", "ann (4)"]
