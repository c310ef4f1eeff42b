import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.metrics import calibration, multilabel, selective
from annotator.metrics.evaluate import Answers, evaluate, measure, summarise
from annotator.metrics.tables import TITLES
from annotator.metrics.uncertainty import agreement, vote_entropy

LABELS = ("happy", "sad", "anger")
FIXED_BINS = {"ece_mass"}  # its bins are cut from all clips, whatever their weight


def made(seed, clips=30, places=1):
    """Answers with ties, soft and unknown targets, absent modalities and lone raters."""
    rng = np.random.default_rng(seed)
    shape = (clips, len(LABELS))
    target = rng.choice([0, 0, 0.25, 0.5, 1, math.nan], shape)
    sigma = rng.random((*shape, 3)).round(places)
    sigma[rng.random(clips) < 0.2, :, 1] = math.nan
    return Answers(
        LABELS,
        rng.random(shape).round(places),
        target,
        rng.random(clips).round(places),
        rng.random(clips).round(places),
        [f"video {number}" for number in rng.integers(0, 8, clips)],
        sigma,
        rng.integers(0, 5, clips),
    )


def taken(answers, rows):
    """The clips of those rows, repeated and ordered as they are."""
    per_clip = ("probability", "target", "variance", "entropy", "sigma_norm", "raters")
    arrays = {name: getattr(answers, name)[rows] for name in per_clip}
    return replace(answers, groups=[answers.groups[row] for row in rows], **arrays)


def same(found, expected, but=frozenset()):
    assert found.keys() == expected.keys()
    for key in found.keys() - {key for key in found if key[0] in but}:
        np.testing.assert_allclose(found[key], expected[key], atol=1e-10, err_msg=str(key))


@given(st.integers(0, 10_000), st.lists(st.integers(0, 3), min_size=12, max_size=12))
@settings(max_examples=40)
def test_a_weight_is_a_number_of_copies(seed, weight):
    answers = made(seed, 12)
    copies = taken(answers, np.repeat(np.arange(12), weight))
    found = measure(answers, 0.4, np.array(weight, float))
    same(found, measure(copies, 0.4, np.ones(sum(weight))), FIXED_BINS)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_the_order_of_the_clips_is_nothing(seed):
    answers = made(seed)
    shuffled = taken(answers, np.random.default_rng(seed).permutation(30))
    same(measure(answers, 0.4, np.ones(30)), measure(shuffled, 0.4, np.ones(30)))


def test_resamples_at_once_are_those_one_by_one():
    answers = made(1)
    weights = np.random.default_rng(2).integers(0, 3, (2, 3, 30)).astype(float)
    together = measure(answers, 0.4, weights)
    for place in np.ndindex(2, 3):
        alone = measure(answers, 0.4, weights[place])
        same({key: values[place] for key, values in together.items()}, alone)


def test_everything_is_reported():
    answers = made(3, 200)
    found = evaluate(answers, thresholds=[0.4, 0.5, 0.6], resamples=50)
    assert (found.clips, found.groups, found.resamples) == (200, 8, 50)
    assert found.thresholds == (0.4, 0.5, 0.6)
    assert found.known == tuple((~np.isnan(answers.target)).sum(axis=0))
    assert found.positives == tuple((answers.target >= 0.5).sum(axis=0))
    assert found.metrics.keys() | found.per_label.keys() == TITLES.keys()
    for interval in [
        *found.metrics.values(),
        *(interval for values in found.per_label.values() for interval in values.values()),
    ]:
        assert interval.low <= interval.high
    for name in ("accuracy", "micro_f1", "mean_average_precision", "brier", "aurc_variance"):
        assert found.metrics[name].low < found.metrics[name].value < found.metrics[name].high


def test_each_number_is_what_its_name_says():
    answers = made(6, 60)
    p, y, by = answers.probability, answers.target, answers.variance
    found = evaluate(answers, thresholds=0.4, resamples=0)
    values = {name: interval.value for name, interval in found.metrics.items()}
    counted = multilabel.count(p, y, 0.4)
    loss = 1 - multilabel.sample_jaccard(p, y, 0.4, empty=1.0)
    error = agreement(answers.sigma_norm, np.abs(p - y))
    votes = agreement(answers.sigma_norm, vote_entropy(y, answers.raters))
    ece = calibration.expected_calibration_error
    expected = {
        "accuracy": multilabel.accuracy(p, y, 0.4),
        "precision": counted.pooled().precision,
        "recall": counted.pooled().recall,
        "micro_f1": counted.pooled().f1,
        "macro_f1": counted.f1.mean(),
        "mean_average_precision": multilabel.average_precision(p, y).mean(),
        "uar": counted.uar.mean(),
        "sample_precision": multilabel.sample_precision(p, y, 0.4),
        "sample_recall": multilabel.sample_recall(p, y, 0.4),
        "ece": ece(p, y).mean(),
        "ece_mass": ece(p, y, binning="mass").mean(),
        "brier": calibration.brier(p, y).mean(),
        "log_loss": calibration.log_loss(p, y).mean(),
        "risk": loss[~np.isnan(loss)].mean(),
        "aurc_variance": selective.aurc(by, loss).value,
        "excess_aurc_variance": selective.aurc(by, loss).excess,
        "augrc_variance": selective.augrc(by, loss).value,
        "excess_augrc_variance": selective.augrc(by, loss).excess,
        "aurc_entropy": selective.aurc(answers.entropy, loss).value,
        "excess_aurc_entropy": selective.aurc(answers.entropy, loss).excess,
        "augrc_entropy": selective.augrc(answers.entropy, loss).value,
        "excess_augrc_entropy": selective.augrc(answers.entropy, loss).excess,
        "sigma_error": error.pooled,
        "sigma_votes": votes.pooled,
    }
    for place, modality in enumerate(("visual", "audio", "text")):
        expected[f"sigma_error_{modality}"] = error.per_modality[place]
        expected[f"sigma_votes_{modality}"] = votes.per_modality[place]
    assert values == pytest.approx({name: float(value) for name, value in expected.items()})
    assert len(set(values.values())) == len(values)
    assert found.per_label["sigma_votes"]["anger"].value == votes.per_label[2]


def test_a_perfect_model():
    target = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 0]], float)
    nothing = np.zeros(4)
    found = evaluate(Answers(LABELS, target, target, nothing, nothing, list("abcd")), resamples=20)
    values = {name: interval.value for name, interval in found.metrics.items()}
    assert values["accuracy"] == 0.75  # published: the empty clip counts 0
    assert values["risk"] == values["aurc_variance"] == values["augrc_entropy"] == 0
    for name in ("precision", "recall", "micro_f1", "macro_f1", "mean_average_precision"):
        assert values[name] == 1
    assert values["ece"] == values["brier"] == 0


def test_what_is_not_there_is_not_reported_and_what_is_undefined_is_null():
    answers = replace(made(4), sigma_norm=None)
    assert not any(name.startswith("sigma") for name in evaluate(answers, resamples=0).metrics)
    constant = replace(made(4), sigma_norm=np.ones((30, 3, 3)), raters=None)
    found = evaluate(constant, resamples=0)
    assert "sigma_votes" not in found.metrics
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["metrics"]["sigma_error"] == {"value": None, "low": None, "high": None}
    assert plain["per_label"]["f1"]["sad"]["value"] == found.per_label["f1"]["sad"].value
    assert plain["labels"]["anger"]["threshold"] == 0.5


def test_the_same_seed_gives_the_same_json():
    answers = made(5)
    one, again, other = (evaluate(answers, resamples=30, seed=s).to_json() for s in (7, 7, 8))
    assert json.dumps(one) == json.dumps(again)
    assert one["metrics"] != other["metrics"]


def test_seeds_are_summarised():
    evaluations = [evaluate(made(seed), resamples=0) for seed in range(3)]
    found = summarise(evaluations)
    values = [evaluation.metrics["micro_f1"].value for evaluation in evaluations]
    assert found.seeds == 3
    assert found.metrics["micro_f1"].mean == pytest.approx(np.mean(values))
    assert found.metrics["micro_f1"].sd == pytest.approx(np.std(values, ddof=1))
    values = [evaluation.per_label["f1"]["sad"].value for evaluation in evaluations]
    assert found.per_label["f1"]["sad"].mean == pytest.approx(np.mean(values))
    assert found.to_json()["metrics"]["micro_f1"]["sd"] == found.metrics["micro_f1"].sd


def test_other_labels_cannot_be_summarised():
    one = evaluate(made(0), resamples=0)
    with pytest.raises(ValueError, match="same labels"):
        summarise([one, replace(one, labels=("a", "b", "c"))])
    with pytest.raises(ValueError, match="at least one"):
        summarise([])


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ("happy",)},
        {"variance": np.ones(3)},
        {"groups": ["a"]},
        {"sigma_norm": np.ones((30, 3, 2))},
        {"raters": [1, 2]},
        {"probability": np.ones((30, 2))},
    ],
)
def test_shapes_must_fit(change):
    with pytest.raises(ValueError, match="expected"):
        replace(made(0), **change)
