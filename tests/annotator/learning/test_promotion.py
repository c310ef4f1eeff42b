"""When a candidate is better than the model in use."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.learning.promotion import Judged, compare, decide
from annotator.metrics.evaluate import Answers

LABELS = ("happy", "sad", "anger")
N, Q = 60, len(LABELS)
TRUTH = (np.random.default_rng(0).random((N, Q)) < 0.4).astype(float)
GROUPS = [str(clip // 3) for clip in range(N)]
SURE = np.where(TRUTH > 0, 0.9, 0.1)  # every decision right


def judged(probability, *, target=TRUTH, groups=GROUPS, thresholds=0.5) -> Judged:
    zero = np.zeros(len(groups))
    return Judged(Answers(LABELS, probability, target, zero, zero, groups), [thresholds] * Q)


def guess(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((N, Q))


def compared(before, after, measure="mean_average_precision", positives=5, resamples=200):
    return compare(before, after, measure, positives=positives, resamples=resamples)


@pytest.mark.parametrize("measure", ["mean_average_precision", "macro_f1"])
def test_who_is_right_beats_who_guesses(measure):
    found = compared(judged(guess(1)), judged(SURE), measure)
    assert found.better
    assert found.after == 1.0
    assert 0 < found.difference.low <= found.difference.value <= found.difference.high
    assert found.reason.endswith("above 0")
    assert (found.clips, found.groups) == (60, 20)


def test_who_is_a_little_better_by_chance_is_not_promoted():
    slightly = guess(1)
    slightly[0] = SURE[0]
    found = compared(judged(guess(1)), judged(slightly))
    assert found.difference.value > 0
    assert not found.better
    assert "not surely above 0" in found.reason


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from(["mean_average_precision", "macro_f1"]))
def test_a_model_does_not_beat_itself(seed, measure):
    found = compared(judged(guess(seed)), judged(guess(seed)), measure)
    assert (found.difference.low, found.difference.high) == (0.0, 0.0)
    assert not found.better
    assert not found.collapsed


@settings(max_examples=15)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_of_two_models_at_most_one_beats_the_other(one, other):
    there = compared(judged(guess(one)), judged(guess(other)))
    back = compared(judged(guess(other)), judged(guess(one)))
    assert not (there.better and back.better)
    assert there.difference.value == pytest.approx(-back.difference.value)
    assert there.difference.low == pytest.approx(-back.difference.high)


def with_sad(values) -> Judged:
    probability = SURE.copy()
    probability[:, 1] = values
    return judged(probability)


HALF_BLIND = np.where((TRUTH[:, 1] > 0) & (np.cumsum(TRUTH[:, 1]) == 1), 0.9, 0.1)


@pytest.mark.parametrize(
    ("values", "how"),
    [
        (0.1, "sad is decided never"),
        (0.9, "sad is decided always"),
        (np.where(np.arange(N) == int(np.flatnonzero(TRUTH[:, 1] == 0)[0]), 0.9, 0.1),
         "sad is found in only 0% of its clips"),
        (HALF_BLIND, "sad lost 0."),
    ],
)  # fmt: skip
def test_a_lost_label_holds_a_candidate_back(values, how):
    before = SURE.copy()
    before[:, [0, 2]] = guess(2)[:, [0, 2]]
    found = compared(judged(before), with_sad(values))
    assert how in found.reason
    assert set(found.collapsed) == {"sad"}
    assert not found.better


def test_what_was_lost_before_is_no_collapse():
    before = guess(2)
    before[:, 1] = 0.1
    assert compared(judged(before), with_sad(0.1)).better


def test_a_label_of_few_clips_is_not_looked_at():
    assert not compared(judged(SURE), with_sad(0.1), positives=N).collapsed


def test_one_group_has_no_interval_and_is_never_better():
    alone = ["ann"] * N
    found = compared(judged(guess(1), groups=alone), judged(SURE, groups=alone))
    assert not found.better
    assert "unknown interval" in found.reason
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["difference"]["low"] is None


def test_a_label_that_nobody_has_counts_for_neither():
    target = TRUTH.copy()
    target[:, 2] = 0
    silent = np.where(target > 0, 0.9, 0.1)
    loud = silent.copy()
    loud[:, 2] = 0.9
    found = compared(judged(silent, target=target), judged(loud, target=target), "macro_f1")
    assert found.before == found.after == 1.0
    assert found.difference.value == 0.0


def test_each_model_decides_at_its_own_thresholds():
    low = judged(SURE / 2)
    assert compared(judged(SURE), low, "macro_f1").after == 0.0
    assert compared(judged(SURE), replace(low, thresholds=[0.25] * Q), "macro_f1").after == 1.0


@pytest.mark.parametrize(
    ("asked", "promoted"),
    [("auto", (True, False)), ("never", (False,) * 2), ("always", (True,) * 2)],
)
def test_people_may_decide_otherwise(asked, promoted):
    better, worse = (
        compared(judged(guess(1)), judged(SURE)),
        compared(judged(SURE), judged(guess(1))),
    )
    assert tuple(decide(asked, found)[0] for found in (better, worse)) == promoted
    assert better.reason in decide(asked, better)[1]
