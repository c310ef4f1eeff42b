"""What an epoch is made of."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from annotator.learning.batches import epoch_batches, keep_modalities

LENGTHS = arrays(np.int64, st.tuples(st.integers(1, 60), st.just(3)), elements=st.integers(0, 9))
SEEDS = st.integers(0, 5)


@given(LENGTHS, st.integers(4, 20), SEEDS, SEEDS, st.integers(1, 4))
def test_every_example_comes_once(lengths, size, seed, epoch, least):
    batches = epoch_batches(lengths, size, seed, epoch, least)
    if len(lengths) >= least:
        assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
        assert all(least <= len(batch) for batch in batches)
    again = epoch_batches(lengths, size, seed, epoch, least)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


@given(LENGTHS, st.floats(0, 0.99), SEEDS, SEEDS)
def test_a_modality_always_stays(lengths, chance, seed, epoch):
    kept = keep_modalities(lengths, chance, seed, epoch)
    present = lengths > 0
    assert not (kept & ~present).any()
    assert np.array_equal(kept.any(axis=1), present.any(axis=1))


def test_modalities_are_hidden_as_often_as_asked():
    kept = keep_modalities(np.ones((20_000, 3), dtype=np.int64), 0.3, seed=0, epoch=0)
    # all three hidden, one comes back: 0.3³ of the clips
    assert abs(kept.mean() - (0.7 + 0.3**3 / 3)) < 0.01


def test_batches_hold_clips_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 500, (2_000, 3))
    batches = epoch_batches(lengths, 32, seed=0, epoch=0)
    widths = [np.ptp(lengths[batch].sum(axis=1)) for batch in batches]
    assert np.median(widths) < 0.2 * np.ptp(lengths.sum(axis=1))
    order = np.array([lengths[batch].sum() for batch in batches])
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.5  # but in random order


def test_epochs_differ():
    lengths = np.ones((50, 3), dtype=np.int64)
    one, two = (np.concatenate(epoch_batches(lengths, 50, 0, epoch)) for epoch in (0, 1))
    assert not np.array_equal(one, two)
