"""What the starter is measured by: choices, orders and votes of a model whose answers are known."""

import numpy as np
import pytest

import starter
from annotator.learning.dataset import Dataset, Example
from annotator.metrics.evaluate import Answers
from annotator.starter import labels
from annotator.starter.copies import copy_name

LABELS = ("happy", "sad")


def part(name: str, probability, target, variance, entropy) -> starter.Part:
    """A test split on which the model said this."""
    answers = Answers(
        labels=LABELS,
        probability=np.array(probability, float),
        target=np.array(target, float),
        variance=np.array(variance, float),
        entropy=np.array(entropy, float),
        groups=[str(place) for place in range(len(target))],
    )
    dataset = Dataset(name, LABELS, {}, {}, {})
    chosen = starter.choice(answers.probability)
    return starter.Part(dataset, answers, chosen, starter.choice(answers.target))


ACTED = part(
    "ravdess",
    probability=[[0.9, 0.0], [0.1, 0.8], [0.1, 0.1], [0.1, 0.7]],
    target=[[1, 0], [0, 1], [0, 0], [0, 0]],
    variance=[1, 2, 3, 4],
    entropy=[4, 3, 2, 1],
)


def test_every_class_counts_alike_in_the_recall():
    found = starter.one(ACTED, resamples=0)
    assert found["UAR"].value == pytest.approx((1 + 1 + 0.5) / 3)
    assert found["accuracy"].value == pytest.approx(0.75)


def test_an_order_is_worth_what_it_tells_of_the_errors():
    found = starter.gains(ACTED, (0.5, 0.5), resamples=0)
    assert found["variance"].value == pytest.approx(1)
    assert found["entropy"].value == pytest.approx(-1)
    assert found["variance less entropy"].value == pytest.approx(2)


def test_a_label_is_present_where_anybody_saw_it():
    heard = part("mosei", [[0.9, 0.2], [0.1, 0.8]], [[0.7, 0], [0, 0.7]], [1, 1], [1, 1])
    found = starter.several(heard, (0.5, 0.5), np.array([0.95, 0.1]), resamples=0)
    assert found["macro-F1"].value == found["mean AP"].value == 1
    assert found["macro-F1, own thresholds"].value == pytest.approx((0 + 2 / 3) / 2)


def test_votes_for_none_are_votes():
    seen = part("ferplus", [[0, 0]] * 3, [[1, 0], [0, 0.1], [0.5, 0]], [1, 2, 3], [3, 2, 1])
    found = starter.votes(seen, resamples=0)
    assert found["variance"].value == pytest.approx(1)
    assert found["entropy"].value == pytest.approx(-1)


def test_of_a_pair_a_label_is_present_where_half_of_its_parts_have_it():
    probability, target = [[0.9, 0.2], [0.9, 0.2]], [[0.5, 0.3], [0.4, 0.9]]
    made = part(starter.PAIRED, probability, target, [1, 2], [2, 1])
    found = starter.gains(made, (0.5, 0.5), resamples=0)
    assert found["variance"].value == pytest.approx(1)
    assert found["variance less entropy"].value == pytest.approx(2)


def test_pairs_are_made_of_originals_of_several_modalities():
    def source(name: str, modality: str) -> Dataset:
        examples = [
            Example(copy_name(f"{name} {emotion}", copy), name, {modality: values}, target)
            for emotion in (*labels.LABELS, labels.NEUTRAL)
            for copy, values in enumerate((np.ones((2, 3)), np.zeros((2, 3))))
            for target in [labels.one_hot(emotion)]
        ]
        return Dataset(name, labels.LABELS, {modality: 3}, {modality: "any@1"}, {"test": examples})

    made = starter.paired([source("faces", "visual"), source("voices", "audio")], "test")
    assert made.dimensions == {"visual": 3, "audio": 3}
    assert len(made.split("test")) == starter.PAIRS
    for clip in made.split("test"):
        assert set(clip.features) == {"visual", "audio"}
        assert all(values.all() for values in clip.features.values())
