"""The eGeMAPS extractor, against openSMILE's own functionals; skipped without the extra."""

import sys
import warnings

import numpy as np
import pytest

from annotator.errors import EnvironmentFault
from annotator.features.extractor import extractor_spec, load_extractor
from annotator.features.opensmile import (
    CENTRES,
    DESCRIPTORS,
    NAMES,
    PITCH,
    SCALES,
    STEP_SAMPLES,
    EGeMAPS,
    step_means,
)
from annotator.types import Features

REASON = "needs openSMILE: pip install 'annotate-emotions[opensmile]'"
RATE = 16_000


@pytest.fixture(scope="module")
def opensmile():
    return pytest.importorskip("opensmile", reason=REASON)


@pytest.fixture(scope="module")
def egemaps(opensmile):
    return load_extractor("egemaps", "audio")


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """Three seconds: noise, then a buzz of 150 Hz with a vibrato, then silence."""
    time = np.arange(RATE) / RATE
    phase = 150 * time + 2 * np.sin(2 * np.pi * 3 * time)
    buzz = sum(np.sin(2 * np.pi * n * phase) / n for n in range(1, 20))
    noise = np.random.default_rng(0).normal(0, 0.02, RATE)
    return np.concatenate([noise, 0.2 * buzz, np.zeros(RATE)]).astype(np.float32)


def frames(*pitches: float) -> np.ndarray:
    """Average frames, voiced at these pitches (0: not)."""
    values = np.tile(CENTRES, (len(pitches), 1))
    values[:, PITCH] = pitches
    return values


def test_what_is_said_of_it_is_what_its_class_says():
    spec = extractor_spec("egemaps")
    for field in ("name", "version", "modality", "dimension", "rate_hz"):
        assert getattr(EGeMAPS, field) == getattr(spec, field)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(EnvironmentFault, match=r"^.*opensmile.*'annotate-emotions\[opensmile\]'$"):
        load_extractor("egemaps", "audio")


@pytest.mark.parametrize("samples", [1, 160, 959, 960, 1_600, 1_601, 16_000, 59_201, 480_000])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_ten_finite_steps_a_second_and_at_least_one(egemaps, samples, level):
    sound = (level * np.sin(np.arange(samples) * 0.1)).astype(np.float32)
    with warnings.catch_warnings(action="error"):  # openSMILE warns where it fills in NaN
        values = egemaps.block(sound)
    assert values.shape == (-(-samples // STEP_SAMPLES), egemaps.dimension)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert np.abs(values).max() < 100


@pytest.mark.parametrize("samples", [0, 480_001])
def test_a_wrong_number_of_samples_is_refused(egemaps, samples):
    with pytest.raises(ValueError, match="expected 1 to 480000"):
        egemaps.block(np.zeros(samples, np.float32))


def test_the_same_sound_gives_the_same_features(egemaps, voice):
    first = egemaps.block(voice)
    egemaps.block(voice[:10_000])
    assert np.array_equal(first, egemaps.block(voice))


def test_the_voice_is_where_it_is(egemaps, voice):
    share = egemaps.block(voice)[:, -1]
    assert share[12:18].min() == 1
    assert share[:8].max() == share[22:].max() == 0


def test_what_is_no_number_or_too_loud_does_no_harm(egemaps, voice):
    damaged = voice.copy()
    damaged[[10, 20]] = np.nan, np.inf
    assert np.isfinite(egemaps.block(damaged)).all()


def test_full_scale_does_not_wrap(egemaps):
    """A plateau of 1.0 beside one of 0.99: openSMILE alone would take it for -1."""
    steps = np.where(np.arange(RATE) % 160 < 80, 0.99, 1.0).astype(np.float32)
    nearly = np.minimum(steps, 0.999)
    difference = egemaps.block(steps) - egemaps.block(nearly)
    assert np.abs(difference[:, 0]).max() < 0.1  # of the loudness


def test_means_are_those_of_opensmiles_functionals(opensmile, egemaps, voice):
    """All frames in one step: pitch, harmonicity and harmonics as eGeMAPS averages them."""
    levels, feature_set = opensmile.FeatureLevel, opensmile.FeatureSet.eGeMAPSv02
    whole = opensmile.Smile(feature_set, levels.Functionals).process_signal(voice, RATE).iloc[0]
    low = opensmile.Smile(feature_set, levels.LowLevelDescriptors).process_signal(voice, RATE)
    voiced = low[low[NAMES[PITCH]] > 0].to_numpy(np.float64)[:10]
    ours = step_means(voiced)[0, :-1] * SCALES + CENTRES
    assert ours == pytest.approx(voiced.mean(axis=0), rel=1e-4, abs=1e-4)
    everything = low.to_numpy(np.float64)
    totals = step_means(everything)
    weights = totals[:, -1] * np.diff(np.arange(0, len(everything) + 10, 10).clip(max=len(low)))
    for name in ("F0semitoneFrom27.5Hz_sma3nz", "HNRdBACF_sma3nz", "logRelF0-H1-A3_sma3nz"):
        at = NAMES.index(name)
        mean = np.average(totals[:, at] * SCALES[at] + CENTRES[at], weights=weights)
        assert mean == pytest.approx(whole[f"{name}_amean"], rel=1e-3)


def test_unvoiced_frames_do_not_lower_the_pitch():
    high = CENTRES[PITCH] + 2 * SCALES[PITCH]
    values = step_means(frames(*[0] * 7, *[high] * 3))
    assert values[0, PITCH] == pytest.approx(2)
    assert values[0, -1] == pytest.approx(0.3)


def test_without_a_voice_its_descriptors_are_those_of_average_speech():
    silent = frames(*[0.0] * 12)
    silent[:, PITCH:] = -201  # as openSMILE marks amplitudes without pitch
    values = step_means(silent)
    assert values.shape == (2, len(DESCRIPTORS) + 1)
    assert not values[:, PITCH:].any()


def test_features_fit_the_cache(egemaps, voice):
    values = egemaps.block(voice).astype(np.float16)
    assert Features(values, egemaps.id).extractor == "egemaps@1"
