"""What an epoch shows of the training clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.learning.augmentation import Augmentation
from annotator.learning.batches import lengths_of
from annotator.learning.settings import TrainSettings
from annotator.types import MODALITIES
from toy_corpus import corpus

EXAMPLES = corpus(train=300).split("train")
LENGTHS = lengths_of(EXAMPLES)


def shown(epoch: int = 0, **settings: object):
    return Augmentation(EXAMPLES, LENGTHS, TrainSettings(**settings)).epoch(epoch)


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[m], other[m]) for m in one)


def test_without_chances_every_clip_is_shown_as_it_is():
    view = shown()
    assert not view.corrupted.any()
    assert all(view.clip(i)[m] is v for i, e in enumerate(EXAMPLES) for m, v in e.features.items())


@given(st.floats(0, 0.99), st.floats(0, 0.99), st.integers(0, 3), st.integers(0, 3))
def test_what_is_shown_follows_from_the_seed_the_epoch_and_the_clip(hidden, chance, seed, epoch):
    settings = {"modality_dropout": hidden, "corruption": chance, "seed": seed}
    view, again = shown(epoch, **settings), shown(epoch, **settings)
    assert not (view.corrupted & ~view.kept).any()
    for place in (299, 4, 0, 4):  # in any order and any number of times
        clip = view.clip(place)
        assert same(clip, again.clip(place))
        kept = {m for m, stays in zip(MODALITIES, view.kept[place], strict=True) if stays}
        assert clip.keys() == kept != set()


def test_modalities_are_corrupted_as_often_as_asked_and_differ():
    view = shown(corruption=0.3)
    assert view.corrupted.sum() / (LENGTHS > 0).sum() == pytest.approx(0.3, abs=0.05)
    for place, example in enumerate(EXAMPLES):
        clip = view.clip(place)
        for column, m in enumerate(MODALITIES):
            if m in clip and not view.corrupted[place, column]:
                assert clip[m] is example.features[m]
    damaged = [
        not np.array_equal(view.clip(i)[MODALITIES[c]], EXAMPLES[i].features[MODALITIES[c]])
        for i, c in np.argwhere(view.corrupted)
    ]
    assert np.mean(damaged) > 0.6  # one step cannot be lost, and weak damage may lose none


@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 1}])
def test_epochs_and_seeds_corrupt_otherwise(other):
    one, two = shown(corruption=0.5), shown(**{"corruption": 0.5, **other})
    assert not np.array_equal(one.corrupted, two.corrupted)
    both = np.flatnonzero((one.corrupted & two.corrupted).any(axis=1))
    assert not all(same(one.clip(i), two.clip(i)) for i in both)


def test_the_examples_themselves_stay_as_they_are():
    before = [{m: v.copy() for m, v in e.features.items()} for e in EXAMPLES]
    view = shown(corruption=0.9)
    for place in range(len(EXAMPLES)):
        view.clip(place)
    assert all(same(old, e.features) for old, e in zip(before, EXAMPLES, strict=True))
