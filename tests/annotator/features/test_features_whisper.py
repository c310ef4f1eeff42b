import numpy as np
import pytest

from annotator.features.whisper import STATE_SAMPLES, WINDOW_SAMPLES, shared_whisper


@pytest.fixture(scope="module")
def whisper():
    return shared_whisper()


def noise(samples, level=0.1):
    return np.random.default_rng(samples).normal(0, level, samples).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 160, 319, 320, 321, 48_000, 475_000, WINDOW_SAMPLES])
def test_states_cover_the_sound_and_a_second_of_silence(whisper, samples):
    states = whisper.encode(noise(samples))
    sound = -(-samples // STATE_SAMPLES)
    assert states.shape == (min(sound + 50, 1500), 384)
    assert np.isfinite(states).all()


def test_the_same_array_is_encoded_once_and_an_equal_one_alike(whisper):
    samples = noise(8_000)
    first = whisper.encode(samples)
    assert whisper.encode(samples) is first
    whisper.encode(noise(9_000))
    again = whisper.encode(samples.copy())
    assert again is not first
    assert np.array_equal(again, first)


@pytest.mark.parametrize("samples", [0, WINDOW_SAMPLES + 1])
def test_no_sound_and_too_much_are_errors(whisper, samples):
    with pytest.raises(ValueError, match="expected 1 to 480000 samples"):
        whisper.encode(np.zeros(samples, np.float32))


def test_samples_that_are_no_numbers_are_silence(whisper):
    broken = noise(16_000)
    broken[100:200] = np.nan
    mended = broken.copy()
    mended[100:200] = 0
    assert np.array_equal(whisper.encode(broken), whisper.encode(mended))


def test_the_decoder_stops_at_its_limit(whisper):
    words = whisper.decode(noise(32_000, 0.3), max_tokens=1)
    assert len(words.text.split()) <= 1
    assert words.log_probability <= 0
