"""What a recording may go through before it is trained on."""

import numpy as np
import pytest

from annotator.features.sound import SAMPLE_RATE
from annotator.starter.sound_augmentation import augment, coded


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [1, 100, 1024, 16_000, 30_777, 48_001, 60_011])
def test_a_codec_keeps_length_and_place(count, seed):
    time = np.arange(count) / SAMPLE_RATE
    chirp = (0.5 * np.sin(2 * np.pi * (200 + 300 * time) * time)).astype(np.float32)
    heard = coded(chirp, np.random.default_rng(seed))
    assert heard.shape == chirp.shape
    assert heard.dtype == np.float32
    if count >= SAMPLE_RATE:
        middle = slice(2_000, -2_000)
        assert np.corrcoef(heard[middle], chirp[middle])[0, 1] > 0.9


def test_the_same_generator_gives_the_same_copy():
    noise = np.random.default_rng(1).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    copies = [augment(noise, np.random.default_rng(7)) for _ in range(2)]
    np.testing.assert_array_equal(*copies)
    assert not np.array_equal(copies[0], augment(noise, np.random.default_rng(8)))
