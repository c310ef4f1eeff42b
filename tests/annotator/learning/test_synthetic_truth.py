"""The planted truth is what it says, and LDDU finds it."""

import numpy as np
import pytest

import synthetic_truth
from annotator.learning.dataset import TEST, check
from annotator.learning.synthetic import World, plant, posterior
from annotator.metrics.uncertainty import spearman
from synthetic_truth import WORLD, measure

CLIPS = 4000

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(autouse=True, scope="module")
def few_resamples():
    """Nobody reads the intervals in these models' descriptions."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("annotator.learning.training.RESAMPLES", 2)
        yield


@pytest.fixture(scope="module")
def planted():
    return plant(WORLD, train=CLIPS, valid=300, test=500)


def test_the_same_seed_plants_the_same_corpus(planted):
    check(planted.dataset, planted.dataset.splits)
    again = plant(WORLD, train=5, valid=300, test=500)
    assert np.array_equal(again.truth[TEST].posterior, planted.truth[TEST].posterior)
    assert not np.array_equal(
        plant(WORLD, 5, 300, 500, seed=1).truth[TEST].noise, planted.truth[TEST].noise
    )


def test_the_posterior_is_that_of_the_textbook():
    world = World(labels=2, dimensions={"text": 4}, noise=(0.5, 2.0), steps=(2, 3))
    (example,) = plant(world, train=1, valid=1, test=1).dataset.split(TEST)
    x = example.features["text"].astype(float)
    joint = []
    for labels, prior in zip(world.label_sets(), world.prior(), strict=True):
        mean = world.means("text")[world.label_sets().tolist().index(labels.tolist())]
        by_level = [
            np.prod(np.exp(-((x - mean) ** 2) / (2 * t * t)) / (t * np.sqrt(2 * np.pi)))
            for t in world.noise
        ]
        joint.append(prior * np.mean(by_level))
    expected = np.array(joint) @ world.label_sets() / np.sum(joint)
    np.testing.assert_allclose(posterior(world, example.features), expected, rtol=1e-9)


def test_the_posterior_is_calibrated(planted):
    target = np.stack([e.target for e in planted.dataset.split("train")])
    known = planted.truth["train"].posterior
    for low in np.arange(0, 1, 0.1):
        within = (known >= low) & (known < low + 0.1)
        if within.sum() > 50:
            spread = 4 * np.sqrt(0.25 / within.sum())
            assert abs(target[within].mean() - known[within].mean()) < spread


def test_noise_hides_labels_from_the_posterior(planted):
    doubt = -np.abs(planted.truth[TEST].posterior - 0.5).mean(axis=1)
    assert spearman(doubt, planted.truth[TEST].noise.mean(axis=1)) > 0.2


def test_sigma_finds_the_noise_of_each_modality_and_f1_comes_close_to_bayes(planted):
    found = measure(planted, "train.epochs=16")
    assert min(found.noise) >= 0.6
    assert found.other < 0.2
    assert found.f1 > found.bayes_f1 - 0.03  # 0.012 to 0.016 below with 8,000 clips


@pytest.mark.parametrize("ablation", ["without calibration", "released calibration"])
def test_without_labels_in_the_calibration_sigma_does_not(planted, ablation):
    found = measure(planted, "train.epochs=6", *synthetic_truth.ROWS[ablation])
    assert max(found.noise) < 0.3


@pytest.mark.parametrize(
    "wrong", [{"labels": 0}, {"labels": 6}, {"noise": ()}, {"noise": (0.0,)}, {"steps": (3, 2)}]
)
def test_worlds_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=r"labels|noise|steps|dimensions"):
        World(**{"dimensions": {"text": 6}, **wrong})
