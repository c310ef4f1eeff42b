import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.features.audio import STEP_SAMPLES, WhisperAudio, log_power


@pytest.fixture(scope="module")
def audio():
    return WhisperAudio()


@pytest.mark.parametrize("samples", [1, 160, 1_600, 1_601, 59_201, 480_000])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_ten_steps_a_second_and_at_least_one(audio, samples, level):
    sound = (level * np.sin(np.arange(samples) * 0.1)).astype(np.float32)
    values = audio.block(sound)
    assert values.shape == (-(-samples // STEP_SAMPLES), audio.dimension)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


def test_the_same_sound_gives_the_same_features(audio):
    sound = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
    first = audio.block(sound)
    audio.block(sound[:10_000])
    assert np.array_equal(first, audio.block(sound.copy()))


def test_a_step_is_the_mean_of_its_states(audio):
    sound = np.random.default_rng(1).normal(0, 0.1, 2_000).astype(np.float32)
    states = audio._whisper.encode(sound)
    values = audio.block(sound)
    assert np.allclose(values[0, :-1], states[:5].mean(axis=0), atol=1e-5)
    assert np.allclose(values[1, :-1], states[5:7].mean(axis=0), atol=1e-5)


def test_the_level_is_there_although_the_states_hide_it(audio):
    sound = np.random.default_rng(2).normal(0, 0.1, 16_000).astype(np.float32)
    loud, quiet = audio.block(sound), audio.block(sound / 100)
    assert np.allclose(loud[:, -1] - quiet[:, -1], 1, atol=0.01)  # 40 dB


@given(st.integers(1, 20_000), st.floats(0.001, 1))
def test_log_power_of_a_constant_is_its_square(samples, level):
    found = log_power(np.full(samples, level, np.float32))
    assert len(found) == -(-samples // STEP_SAMPLES)
    assert np.allclose(found, (np.log10(level**2) + 4) / 4, atol=1e-3)


def test_log_power_of_silence_is_its_floor():
    assert log_power(np.zeros(100, np.float32)) == pytest.approx([-1.5])
