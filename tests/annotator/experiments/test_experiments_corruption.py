"""Corrupted features: what is done to them, and how curves are judged."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.experiments.corruption_curves import STRENGTHS, corrupt_test
from annotator.experiments.corruption_verdicts import Rise, fall, prior_quality
from annotator.learning.card import open_model
from annotator.learning.corruption import (
    CORRUPTIONS,
    NOISE,
    Corruption,
    Damage,
    Scale,
    blur,
    corrupt,
    drop,
    fade,
    lose_steps,
    noise,
    scales,
)
from annotator.learning.evaluation import evaluate_model
from annotator.learning.networks import network_config
from annotator.learning.training import train
from annotator.metrics.bootstrap import Interval
from annotator.metrics.multilabel import count
from lddu_model import Checkpoint, untrained
from toy_corpus import Silent, corpus, settings

CPU = torch.device("cpu")
BY_NAME = {way.name: way for way in CORRUPTIONS}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    chosen = settings("train.epochs=8", "train.learning_rate=1e-2", "network.dropout=0.1")
    out = tmp_path_factory.mktemp("trained")
    return open_model(train(corpus(200, 60), chosen, out, device=CPU, watcher=Silent()))


def damage(strength: float, seed: int = 0, dimension: int = 2) -> Damage:
    scale = Scale(np.full(dimension, 3.0), np.arange(1.0, dimension + 1))
    return Damage(strength, scale, np.random.default_rng(seed))


def test_noise_has_the_sd_it_says():
    values = np.zeros((20_000, 2), np.float32)
    found = noise(values, damage(0.5)).std(axis=0)
    np.testing.assert_allclose(found, NOISE * 0.5 * np.array([1, 2]), rtol=0.03)


def test_noise_grows_but_keeps_its_direction():
    values = np.zeros((4, 2))
    np.testing.assert_allclose(2 * noise(values, damage(0.25)), noise(values, damage(0.5)))


def test_full_blur_is_the_mean_and_none_is_nothing():
    values = np.random.default_rng(0).normal(size=(7, 2))
    np.testing.assert_allclose(blur(values, damage(1.0)), np.tile(values.mean(axis=0), (7, 1)))
    np.testing.assert_allclose(blur(values, damage(0.0)), values)


@given(st.integers(1, 30), st.floats(0, 1))
def test_blur_is_a_centred_moving_average(steps, strength):
    values = np.random.default_rng(steps).normal(size=(steps, 2))
    half = round(strength * (steps - 1))
    naive = [values[max(0, t - half) : t + half + 1].mean(axis=0) for t in range(steps)]
    np.testing.assert_allclose(blur(values, damage(strength)), naive, atol=1e-9)


def test_full_darkness_leaves_the_mean():
    values = np.random.default_rng(0).normal(size=(4, 2))
    np.testing.assert_allclose(fade(values, damage(1.0)), np.full((4, 2), 3.0))


@given(st.integers(1, 40), st.integers(0, 1000), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_what_is_lost_once_stays_lost_and_something_stays(steps, seed, strengths):
    values = np.arange(2 * steps).reshape(steps, 2)
    weak, strong = (lose_steps(values, damage(s, seed)) for s in sorted(strengths))
    assert len(strong) >= 1
    assert set(map(tuple, strong)) <= set(map(tuple, weak)) <= set(map(tuple, values))
    gone = [drop(values, damage(s, seed)) is None for s in sorted(strengths)]
    assert gone[0] <= gone[1]


def test_words_are_deleted_at_the_rate_of_the_strength():
    values = np.zeros((10_000, 1))
    assert len(lose_steps(values, damage(0.3))) == pytest.approx(7_000, rel=0.03)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_copy_is_spoilt_and_only_in_its_modality(name):
    way, examples = BY_NAME[name], corpus().split("test")
    clips = [e for e in examples if way.affects(e)]
    before = [{m: v.copy() for m, v in e.features.items()} for e in clips]
    spoilt = corrupt(way, clips, 1.0, scales(examples)[way.modality], seed=0)
    assert len(spoilt) == len(clips) > 0
    changed = 0
    for old, example, new in zip(before, clips, spoilt, strict=True):
        for m, values in old.items():
            np.testing.assert_array_equal(example.features[m], values)
            if m != way.modality:
                np.testing.assert_array_equal(new.features[m], values)
        changed += not np.array_equal(old[way.modality], new.features.get(way.modality))
        assert any(map(len, new.features.values()))
        assert new.target is example.target
    assert changed > len(clips) / 2


def test_clips_that_cannot_be_touched_are_left_out():
    examples = corpus().split("test")
    alone = [replace(e, features={"text": np.ones((2, 6), np.float32)}) for e in examples[:3]]
    assert all(map(BY_NAME["lost_steps_text"].affects, alone))
    assert not any(map(BY_NAME["dropped_text"].affects, alone))
    assert not any(map(BY_NAME["noise_audio"].affects, alone))


def test_scales_are_over_all_steps_of_all_clips():
    examples = corpus().split("test")
    stacked = np.concatenate([e.features["audio"] for e in examples if "audio" in e.features])
    found = scales(examples)["audio"]
    np.testing.assert_allclose(found.mean, stacked.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.sd, stacked.std(axis=0), rtol=1e-5)


def test_the_curves_of_a_trained_network(model):
    data = corpus(200, 60, 120)
    found = corrupt_test(model, data, "test", device=CPU, resamples=100)
    assert [curve.name for curve in found.curves] == list(BY_NAME)
    curves = {curve.name: curve for curve in found.curves}
    for curve in found.curves:
        assert [point.strength for point in curve.points] == [0, *STRENGTHS]
    assert max(curves[f"noise_{m}"].falls["micro_f1"].lost for m in ("visual", "audio")) > 0.05
    content = json.dumps(found.to_json(), allow_nan=False)
    assert "feature space" in content
    # Of clips that all have text the clean point is what `annotate eval` says.
    having = [e for e in data.split("test") if "text" in e.features]
    whole = evaluate_model(
        model, replace(data, splits={"test": having}), "test", device=CPU, resamples=0
    )
    clean = curves["lost_steps_text"].points[0]
    assert clean.micro_f1 == pytest.approx(whole.metrics["micro_f1"].value)
    assert clean.mean_average_precision == pytest.approx(
        whole.metrics["mean_average_precision"].value
    )


def test_the_same_seed_gives_the_same_curves_and_another_does_not(model):
    ways = [BY_NAME["noise_text"]]
    first, again, other = (
        corrupt_test(model, corpus(), "test", device=CPU, corruptions=ways, resamples=20, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_constant_sigma_never_rises():
    config = network_config(corpus(), settings("network.constant_sigma=true"))
    blind = Checkpoint(untrained(config, 0), {}, "")
    ways = [BY_NAME["noise_visual"]]
    found = corrupt_test(blind, corpus(), "test", device=CPU, corruptions=ways, resamples=50)
    rise = found.curves[0].rises["variance"]
    assert rise.rises is False
    assert np.isnan(rise.spearman)
    assert rise.difference.value == 0


def test_without_resamples_a_rise_is_unknown(model):
    ways = [BY_NAME["noise_visual"]]
    found = corrupt_test(model, corpus(), "test", device=CPU, corruptions=ways, resamples=0)
    assert found.curves[0].rises["entropy"].rises is None


def test_a_corpus_to_test_on_alone_has_a_floor_of_its_own(model):
    ways = [BY_NAME["noise_visual"]]
    alone = replace(corpus(), splits={"test": corpus().split("test")})
    found = corrupt_test(model, alone, "test", device=CPU, corruptions=ways, resamples=0)
    every = alone.split("test")
    targets = np.stack([example.target for example in every])
    seen = np.stack([example.target for example in every if "visual" in example.features])
    floor = found.curves[0].falls["micro_f1"].prior
    assert floor == prior_quality(targets, seen)["micro_f1"]


def test_a_corruption_of_ones_own(model):
    def silence(values, damage):
        return np.zeros_like(values)

    way = Corruption("zero", "zeros", "audio", silence)
    found = corrupt_test(model, corpus(), "test", device=CPU, corruptions=[way], resamples=0)
    points = found.curves[0].points
    assert points[1].entropy == points[4].entropy != points[0].entropy


@pytest.mark.parametrize("strengths", [(), (0.0, 1.0), (0.5, 0.5), (0.5, 0.25), (0.5, 1.5)])
def test_strengths_must_rise(model, strengths):
    with pytest.raises(UsageError, match="strengths must rise"):
        corrupt_test(model, corpus(), "test", device=CPU, strengths=strengths)


def test_empty_splits_and_other_labels_are_refused(model):
    with pytest.raises(UsageError, match="toy has no valid examples"):
        corrupt_test(model, corpus(valid=0), "valid", device=CPU)
    with pytest.raises(UsageError, match="the model knows"):
        corrupt_test(model, replace(corpus(), labels=("a", "b", "c")), "test", device=CPU)


def test_a_rise_must_be_sure_and_go_with_the_strength():
    assert Rise(0.9, Interval(0.2, 0.1, 0.3)).rises is True
    assert Rise(0.9, Interval(0.2, -0.1, 0.3)).rises is False
    assert Rise(-0.1, Interval(0.2, 0.1, 0.3)).rises is False
    assert Rise(0.9, Interval(0.2, float("nan"), float("nan"))).rises is None


@pytest.mark.parametrize(
    ("values", "prior", "graceful"),
    [
        ([0.8, 0.7, 0.6], 0.5, True),
        ([0.8, 0.81, 0.6], 0.5, True),  # within the tolerance
        ([0.8, 0.6, 0.7], 0.5, False),  # up again
        ([0.8, 0.785, 0.8, 0.815], 0.5, False),  # up again in small steps
        ([0.8, 0.7, 0.4], 0.5, False),  # worse than knowing nothing
        ([float("nan")] * 3, float("nan"), None),
    ],
)
def test_a_fall_is_graceful_or_not(values, prior, graceful):
    assert fall(values, prior).graceful is graceful


def test_a_fall_in_numbers():
    found = fall([0.8, 0.75, 0.5], prior=0.3)
    assert found.lost == pytest.approx(0.3)
    assert found.steepest == pytest.approx(0.25)


@given(st.integers(0, 500))
def test_no_constant_answer_beats_the_prior_on_the_train_split(seed):
    random = np.random.default_rng(seed)
    frequency = random.random(4)
    train_targets = (random.random((12, 4)) < frequency).astype(float)
    found = prior_quality(train_targets, train_targets)["micro_f1"]
    every = [
        float(count(np.tile(chosen, (12, 1)), train_targets).pooled().f1)
        for chosen in product((0.0, 1.0), repeat=4)
    ]
    if train_targets.any():
        assert found == pytest.approx(np.nanmax(every))
