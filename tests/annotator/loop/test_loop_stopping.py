"""When a loop is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.loop.records import Audited, Learnt, Round, Selected
from annotator.loop.stopping import CEILING_CLIPS, Policy, why_stop


def done(number: int, after: float | None, before: float | None = 0.5, asked: int = 10, **audit):
    """A round whose version has that held-out measure."""
    learnt = Learnt("m", promoted=True, reason="", before=before, after=after)
    known = {"shared": 0, "model": None, "people": None} | audit
    return Round(
        number,
        selected=Selected(tuple(range(asked)), (0.0,) * asked, ()),
        audited=Audited(20, 0.5, 0.4, 0.6, 0.5, 0.4, 0.6, **known),
        learnt=learnt,
    )


def rounds(*after: float | None) -> list[Round]:
    return [done(number, measure) for number, measure in enumerate(after, 1)]


def test_rounds_and_budget_end_it():
    policy = Policy(rounds=3, budget=25)
    assert why_stop(rounds(0.6, 0.7), policy) is None
    assert why_stop(rounds(0.6, 0.7, 0.8), policy) == "3 rounds are done"
    assert "budget of 20 clips" in str(why_stop(rounds(0.6, 0.7), Policy(5, 20)))


@pytest.mark.parametrize(
    ("after", "since"),
    [
        ((0.6, 0.7), 0),
        ((0.5,), 1),  # no better than what it started from
        ((0.6, 0.6, 0.59), 2),
        ((0.6, None, 0.6), 2),
        ((0.6, None, 0.61), 0),
        ((None, None), 2),
    ],
)
def test_a_plateau_counts_rounds_since_the_best(after, since):
    for patience in range(1, 4):
        policy = Policy(rounds=9, budget=900, plateau=patience)
        assert (why_stop(rounds(*after), policy) is not None) == (since >= patience)


@pytest.mark.parametrize(
    ("audit", "over"),
    [
        ({"shared": CEILING_CLIPS, "model": 0.8, "people": 0.8}, True),
        ({"shared": CEILING_CLIPS, "model": 0.79, "people": 0.8}, False),
        ({"shared": CEILING_CLIPS - 1, "model": 0.9, "people": 0.8}, False),
        ({"shared": 0, "model": None, "people": None}, False),
    ],
)
def test_the_ceiling_is_peoples_agreement_on_enough_clips(audit, over):
    found = [done(1, 0.6, **audit)]
    policy = Policy(rounds=9, budget=900, ceiling=True)
    assert (why_stop(found, policy) is not None) == over
    assert why_stop(found, Policy(rounds=9, budget=900)) is None


def test_a_budget_smaller_than_the_rounds_is_refused():
    with pytest.raises(UsageError, match="2 clips cannot be shared over 5 rounds"):
        Policy(rounds=5, budget=2)


@given(st.integers(1, 30), st.integers(0, 400), st.none() | st.integers(1, 50))
def test_batches_never_exceed_the_budget_and_by_default_use_it_up(count, more, batch):
    policy = Policy(rounds=count, budget=count + more, batch=batch)
    found: list[Round] = []
    while why_stop(found, policy) is None:
        size = policy.size(found)
        assert size >= 1
        found.append(done(len(found) + 1, 0.6, asked=size))
    spent = sum(one.asked for one in found)
    assert spent <= policy.budget
    assert len(found) <= count
    if batch is None:
        assert spent == policy.budget
