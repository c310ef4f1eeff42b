import math

import numpy as np
import pytest

from annotator.metrics.bootstrap import CELLS, Interval, bootstrap, mean_sd, resampled
from annotator.metrics.inputs import mean_clips


def mean_of(values):
    return lambda weight: {"mean": mean_clips(np.asarray(values, float), weight)}


def test_groups_are_drawn_whole_and_as_many_as_there_are():
    groups = ["b", "a", "b", "c", "a"]
    counts = np.concatenate(list(resampled(groups, 500, seed=1)))
    assert counts.shape == (500, 5)
    assert (counts[:, 0] == counts[:, 2]).all()
    assert (counts[:, 1] == counts[:, 4]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert counts.mean(axis=0) == pytest.approx([1] * 5, abs=0.1)


def test_large_samples_come_in_parts():
    parts = list(resampled(range(CELLS // 2), 5, seed=0))
    assert [len(part) for part in parts] == [2, 2, 1]


def test_the_interval_of_a_mean_is_that_of_its_formula():
    values = np.random.default_rng(0).normal(size=400)
    found = bootstrap(mean_of(values), range(400), resamples=4_000, seed=3)["mean"]
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_alike_clips_widen_the_interval():
    values = np.random.default_rng(0).normal(size=40).repeat(10)
    alone, grouped = (
        bootstrap(mean_of(values), groups)["mean"] for groups in (range(400), np.arange(400) // 10)
    )
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)


def test_the_seed_decides():
    one, again, other = (
        bootstrap(mean_of(range(9)), range(9), resamples=50, seed=seed) for seed in (1, 1, 2)
    )
    assert one == again != other


def undefined(interval: Interval):
    return math.isnan(interval.low) and math.isnan(interval.high)


def test_bounds_that_nothing_supports_are_unknown():
    assert undefined(bootstrap(mean_of([1, 2, 3]), ["one"] * 3)["mean"])
    assert undefined(bootstrap(mean_of([1, 2, 3]), range(3), resamples=0)["mean"])
    assert math.isnan(bootstrap(mean_of([math.nan] * 2), range(2))["mean"].value)


def defined_where(rule):
    return lambda weight: {"first": np.where(rule(weight), weight[..., 0], math.nan)}


def test_resamples_in_which_a_metric_is_undefined_are_passed_over():
    present = defined_where(lambda weight: weight[..., 0] > 0)  # 81 of 256 resamples lack it
    assert bootstrap(present, range(4), resamples=500)["first"].low == 1
    complete = defined_where(lambda weight: (weight > 0).all(axis=-1))  # all but 24 of 256
    assert undefined(bootstrap(complete, range(4), resamples=500)["first"])


def test_mean_and_deviation_over_seeds():
    found = mean_sd([0.1, 0.2, 0.6])
    assert found.mean == pytest.approx(0.3)
    assert found.sd == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2))
    assert math.isnan(mean_sd([0.4]).sd)
    assert math.isnan(mean_sd([0.4, math.nan]).mean)
    with pytest.raises(ValueError, match="at least one seed"):
        mean_sd([])
