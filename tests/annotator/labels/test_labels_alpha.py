import math
import warnings
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.labels import alpha
from annotator.labels.alpha import label_alphas, masi_distance, set_alpha
from annotator.labels.votes import by_clip, usable
from vote_samples import LABELS, projects, said, table

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", C: four coders, twelve units.
CODERS = {
    "A": "123321412...",
    "B": "1233224125.3",
    "C": ".3332342251.",
    "D": "12332441251.",
}
VALUES = ("1", "2", "3", "4", "5")


def krippendorffs_example():
    rows = {
        name: [None if value == "." else value for value in row] for name, row in CODERS.items()
    }
    return table(rows)


def by_definition(votes, answer, distance):
    """1 − D_o / D_e from all pairs of answers, written out; None where it is undefined."""
    units = [[answer(vote) for vote in usable(ours)] for ours in by_clip(votes, LABELS).values()]
    units = [unit for unit in units if len(unit) > 1]
    everything = [value for unit in units for value in unit]
    if len(units) < 2 or len(set(everything)) < 2:
        return None
    n = len(everything)
    observed = sum(
        sum(distance(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units
    )
    expected = sum(distance(a, b) for a, b in permutations(everything, 2)) / (n - 1)
    return 1 - observed / expected


def alphas(votes, labels=LABELS, **more):
    return label_alphas(by_clip(votes, labels), labels, resamples=0, **more)


def sets(votes, labels=LABELS):
    return set_alpha(by_clip(votes, labels))


def test_krippendorffs_own_example():
    """Sets of one value are at distance 1 from each other, as nominal values are."""
    found = sets(krippendorffs_example(), VALUES)
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert found.clips == 11  # one of the twelve has a single value


@settings(deadline=None)
@given(projects(clips=9, annotators=5))
def test_label_alpha_follows_from_its_definition(votes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = alphas(votes)
    for label in LABELS:
        expected = by_definition(
            votes, lambda vote, label=label: label in vote.labels, lambda a, b: float(a != b)
        )
        assert found[label].value == (None if expected is None else pytest.approx(expected))


@settings(deadline=None)
@given(projects(clips=9, annotators=5))
def test_set_alpha_follows_from_its_definition(votes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sets(votes)
    expected = by_definition(votes, lambda vote: vote.labels, masi_distance)
    assert found.value == (None if expected is None else pytest.approx(expected))


def test_masi_of_passonneau():
    """Her three cases with Jaccard: subset, overlap, disjoint; and a distance within bounds."""
    a, ab, bc, d = map(frozenset, ("a", "ab", "bc", "d"))
    assert masi_distance(a, ab) == masi_distance(ab, a) == pytest.approx(1 - 1 / 2 * 2 / 3)
    assert masi_distance(ab, bc) == pytest.approx(1 - 1 / 3 * 1 / 3)
    assert masi_distance(ab, d) == masi_distance(frozenset(), d) == 1
    assert masi_distance(ab, ab) == masi_distance(frozenset(), frozenset()) == 0


def test_perfect_agreement_is_one():
    votes = table({name: ["happy", "sad anger", "", "happy anger"] for name in "abc"})
    assert {figure.value for figure in alphas(votes).values()} == {1.0}
    assert sets(votes).value == 1.0


def test_a_near_miss_of_a_set_counts_less_than_a_far_one():
    near = table({"a": ["happy", "sad", "anger"], "b": ["happy sad", "sad", "anger"]})
    far = table({"a": ["happy", "sad", "anger"], "b": ["sad", "sad", "anger"]})
    assert sets(far).value < sets(near).value < 1


@pytest.mark.parametrize(
    ("votes", "clips", "reason"),
    [
        ([], 0, alpha.NO_CLIP),
        (table({"a": ["happy", "sad"]}), 0, alpha.ONE_PERSON),
        (table({"a": ["happy", "?"], "b": ["?", "sad"]}), 0, alpha.NO_CLIP),
        (table({"a": ["happy", "sad"], "b": ["sad", None]}), 1, alpha.ONE_CLIP),
    ],
)
def test_what_the_answers_cannot_tell_is_none_with_its_reason(votes, clips, reason):
    for figure in (*alphas(votes).values(), sets(votes)):
        assert (figure.value, figure.clips, figure.reason) == (None, clips, reason)
        assert figure.low is figure.high is None


def test_labels_on_which_all_said_the_same_are_told_apart():
    votes = table({"a": ["happy"] * 3, "b": ["happy"] * 3})
    assert sets(votes).reason == alpha.CONSTANT
    reasons = {label: figure.reason for label, figure in alphas(votes).items()}
    assert reasons.pop("happy") == alpha.EVERYBODY
    assert set(reasons.values()) == {alpha.NOBODY}


def test_an_absurd_number_of_sets_is_refused_not_computed(monkeypatch):
    votes = table({"a": ["happy", "sad", "anger"], "b": ["sad", "sad", "happy"]})
    assert sets(votes).value is not None
    monkeypatch.setattr(alpha, "SET_CELLS", 3 * 3**2 - 1)
    assert sets(votes).reason == "too large to compute: 3 clips and 3 different answers"


@given(projects())
def test_an_abstention_changes_nothing(votes):
    clips = sorted({vote.clip_id for vote in votes})
    joined = votes + [said(clip, "abstainer", "?") for clip in clips]
    assert alphas(joined) == alphas(votes)
    assert sets(joined) == sets(votes)


@settings(max_examples=25)
@given(st.data(), projects())
def test_the_order_of_votes_changes_nothing_and_that_of_clips_only_the_draw(data, votes):
    clips = by_clip(votes, LABELS)
    found = label_alphas(clips, LABELS, resamples=20)
    again = by_clip(data.draw(st.permutations(votes)), LABELS)
    assert label_alphas(again, LABELS, resamples=20) == found
    numbers = data.draw(st.permutations(list(clips)))
    moved = dict(zip(numbers, clips.values(), strict=True))
    for label, figure in label_alphas(moved, LABELS, resamples=0).items():
        assert figure.value == (None if found[label].value is None else approx(found[label]))


def approx(figure):
    return pytest.approx(figure.value, abs=1e-12)


def noisy(clips: int, slips: float):
    """Three people who see the same and slip now and then."""
    rng = np.random.default_rng(4)
    truth = rng.random(clips) < 0.5
    return [
        said(clip, name, "happy" if truth[clip] ^ (rng.random() < slips) else "sad")
        for name in "abc"
        for clip in range(clips)
    ]


def interval(votes, groups=None):
    found = label_alphas(by_clip(votes, LABELS), LABELS, groups=groups, resamples=200)["happy"]
    assert found.low < found.value < found.high
    return found.high - found.low


def test_the_interval_narrows_with_clips_and_widens_with_groups():
    few, many = noisy(40, 0.15), noisy(160, 0.15)
    assert interval(many) < 0.75 * interval(few)
    copies = [said(4 * v.clip_id + n, v.annotator, *v.labels) for v in few for n in range(4)]
    sources = {clip: f"video {clip // 4}" for clip in range(160)}
    assert interval(copies, sources) > 1.5 * interval(copies)


def test_an_interval_holds_what_is_true():
    """People who each slip on a tenth: D_o is 2·0.1·0.9 and D_e 0.5."""
    found = label_alphas(by_clip(noisy(400, 0.1), LABELS), LABELS, resamples=300)["happy"]
    assert found.low < 0.64 < found.high
    assert found.clips == 400


def test_clips_of_one_group_have_no_interval():
    votes = noisy(20, 0.1)
    found = label_alphas(by_clip(votes, LABELS), LABELS, groups=dict.fromkeys(range(20), 1))
    assert found["happy"].value is not None
    assert found["happy"].low is found["happy"].high is None
    assert not math.isnan(found["happy"].value)
