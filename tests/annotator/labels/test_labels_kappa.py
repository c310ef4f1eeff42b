import math
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from annotator.labels import kappa
from annotator.labels.kappa import cohen_kappa, kappa_figure, pairs
from annotator.labels.votes import by_clip
from vote_samples import LABELS, projects, said, table

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


def found(votes):
    return pairs(by_clip(votes, LABELS), LABELS)


def test_the_textbook_example():
    """Fifty grant proposals, two readers: p_o 0.7, p_e 0.5."""
    both = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert cohen_kappa(*zip(*both, strict=True)) == pytest.approx(0.4)


@given(ANSWERS)
def test_scikit_learn_agrees(answers):
    first, second = zip(*answers, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what it leaves undefined
        expected = cohen_kappa_score(first, second)
    value = cohen_kappa(first, second)
    if math.isnan(expected):
        assert value is None
    else:
        assert value == pytest.approx(expected, abs=1e-12)
        assert -1 <= value <= 1


@given(ANSWERS)
def test_kappa_is_symmetric_and_the_same_for_no(answers):
    first, second = zip(*answers, strict=True)
    assert cohen_kappa(first, second) == cohen_kappa(second, first)
    assert cohen_kappa(first, second) == cohen_kappa(
        [not a for a in first], [not b for b in second]
    )


def test_the_bounds_are_reached():
    yes_no = [True, False]
    assert cohen_kappa(yes_no, yes_no) == 1
    assert cohen_kappa(yes_no, yes_no[::-1]) == -1


def test_answers_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="got 1 and 2"):
        cohen_kappa([True], [True, False])


def test_what_is_undefined_says_why():
    assert kappa_figure([], []).reason == kappa.NO_CLIP
    assert kappa_figure([True], [False]).reason == kappa.ONE_CLIP
    assert kappa_figure([True, True], [True, True]).reason == kappa.CONSTANT
    assert kappa_figure([True, True], [False, False]).value == 0


def test_pairs_stand_on_the_clips_that_both_judged():
    votes = table(
        {
            "cem": [None, None, None, "happy"],
            "ann": ["happy", "", "happy", None],
            "bob": ["happy", "", "?", "?"],
        }
    )
    [pair] = found(votes)
    assert (pair.first, pair.second, pair.clips) == ("ann", "bob", 2)
    assert pair.kappa["happy"].value == 1
    assert pair.kappa["sad"].reason == kappa.CONSTANT
    assert (pair.mean.value, pair.mean.clips) == (1, 2)


def test_the_mean_is_over_the_labels_that_have_one():
    votes = table({"ann": ["happy", "sad", "sad", "sad"], "bob": ["happy", "sad", "happy", "sad"]})
    [pair] = found(votes)
    assert pair.kappa["anger"].value is None
    assert pair.mean.value == pytest.approx((0.5 + 0.5) / 2)


def test_a_mean_of_nothing_says_why():
    [one] = found(table({"ann": ["happy"], "bob": ["happy"]}))
    assert (one.clips, one.mean.value, one.mean.reason) == (1, None, kappa.ONE_CLIP)
    [same] = found(table({"ann": ["happy"] * 2, "bob": ["happy"] * 2}))
    assert same.mean.reason == kappa.CONSTANT


@given(st.data(), projects())
def test_neither_order_nor_abstentions_nor_numbers_change_a_pair(data, votes):
    expected = found(votes)
    assert found(data.draw(st.permutations(votes))) == expected
    clips = sorted({vote.clip_id for vote in votes})
    assert found(votes + [said(clip, "abstainer", "?") for clip in clips]) == expected
    moved = dict(
        zip(data.draw(st.permutations(clips)), by_clip(votes, LABELS).values(), strict=True)
    )
    renumbered = [
        said(clip, v.annotator, "?" if v.unusable else " ".join(v.labels))
        for clip, ours in moved.items()
        for v in ours
    ]
    assert found(renumbered) == expected


@given(projects(clips=4, annotators=3))
def test_every_pair_with_a_clip_in_common_is_there_once(votes):
    judged = {(vote.annotator, vote.clip_id) for vote in votes if not vote.unusable}
    people = sorted({vote.annotator for vote in votes})
    expected = [
        (one, other, shared)
        for n, one in enumerate(people)
        for other in people[n + 1 :]
        if (shared := sum({(one, clip), (other, clip)} <= judged for clip in range(1, 5)))
    ]
    assert [(pair.first, pair.second, pair.clips) for pair in found(votes)] == expected
