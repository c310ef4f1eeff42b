import numpy as np
import pytest
from faster_whisper import vad as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.features.vad import (
    GROUP,
    MIN_SILENCE_MS,
    MIN_SPEECH_MS,
    WINDOW,
    SpeechBounds,
    SpeechDetector,
    shared_speech_model,
)

WINDOW_MS = WINDOW // 16
OPTIONS = {
    "min_speech_duration_ms": MIN_SPEECH_MS,
    "min_silence_duration_ms": MIN_SILENCE_MS,
    "speech_pad_ms": 0,
}


def vowels(seconds, pitch=120.0):
    """A buzzing voice that walks through formants: enough for Silero to hear somebody."""
    time = np.arange(int(seconds * 16_000)) / 16_000
    f0 = pitch * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    first = 500 + 250 * np.sin(2 * np.pi * 1.9 * time)
    second = 1500 + 600 * np.sin(2 * np.pi * 1.3 * time + 1)
    voice = np.zeros_like(time)
    for k in range(1, 30):
        gain = 1 / (1 + ((k * f0 - first) / 80) ** 2)
        gain += 0.5 / (1 + ((k * f0 - second) / 120) ** 2) + 0.02
        voice += gain * np.sin(k * phase) / np.sqrt(k)
    voice *= 0.55 + 0.45 * np.sin(2 * np.pi * 3.5 * time)
    return (0.3 * voice / np.abs(voice).max()).astype(np.float32)


def silence(seconds):
    return np.zeros(int(seconds * 16_000), np.float32)


TALK = np.concatenate([silence(1), vowels(2), silence(1), vowels(1.5, 150), silence(0.7)])


def detect(pieces):
    detector = SpeechDetector()
    for piece in pieces:
        detector.push(piece)
    return detector.finish()


def by_reference(sound):
    found = reference.get_speech_timestamps(sound, **OPTIONS)
    return [(piece["start"] // 16, piece["end"] // 16) for piece in found]


def test_speech_is_found_between_silences():
    (first, second) = detect([TALK])
    assert first == pytest.approx((1000, 3000), abs=3 * WINDOW_MS)
    assert second == pytest.approx((4000, 5500), abs=3 * WINDOW_MS)


def test_bounds_agree_with_the_reference_within_a_window():
    ours, theirs = detect([TALK]), by_reference(TALK)
    assert len(ours) == len(theirs) == 2
    assert np.abs(np.array(ours) - np.array(theirs)).max() <= WINDOW_MS


def test_probabilities_agree_with_the_reference_where_its_end_does_not_show():
    whole = TALK[: len(TALK) // WINDOW * WINDOW]
    theirs = reference.get_vad_model()(whole.copy()).ravel()
    assert np.allclose(shared_speech_model().probabilities(whole)[:-1], theirs[:-1], atol=1e-4)


@settings(max_examples=15)
@given(st.lists(st.integers(0, len(TALK)), max_size=12))
def test_how_the_stream_is_cut_does_not_matter(cuts):
    assert detect(np.split(TALK, sorted(cuts))) == detect([TALK])


@settings(max_examples=5)
@given(st.integers(150, 5_000))
def test_nor_do_pieces_of_one_size_in_a_buffer_used_again(size):
    buffer = np.zeros(size, np.float32)

    def pieces():
        for start in range(0, len(TALK), size):
            piece = TALK[start : start + size]
            buffer[: len(piece)] = piece
            yield buffer[: len(piece)]

    assert detect(pieces()) == detect([TALK])


def test_speech_until_the_end_ends_there():
    sound = np.concatenate([silence(0.5), vowels(1.01)])
    ((_, end),) = detect([sound])
    assert end == len(sound) // 16


@pytest.mark.parametrize("samples", [0, 1, WINDOW, GROUP, GROUP + 1])
def test_silence_of_any_length_holds_no_speech(samples):
    assert detect([np.zeros(samples, np.float32)]) == []


def test_what_is_no_number_does_not_deafen_the_rest():
    broken = TALK.copy()
    broken[:8_000] = np.nan
    assert len(detect([broken])) == 2


def test_memory_is_bounded_by_a_group():
    detector = SpeechDetector()
    for _ in range(50):
        detector.push(silence(1))
        assert sum(map(len, detector._stream._waiting)) < GROUP


@given(
    st.lists(st.floats(0, 1, width=16), min_size=1, max_size=120),
    st.integers(1, WINDOW),
)
def test_bounds_from_probabilities_are_those_of_the_reference(probabilities, rest):
    """faster-whisper's function with its network replaced by the probabilities."""
    samples = (len(probabilities) - 1) * WINDOW + rest
    values = np.array(probabilities, np.float32)
    bounds = SpeechBounds()
    bounds.push(values)
    bounds.end(samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "get_vad_model", lambda: lambda audio: values)
        theirs = reference.get_speech_timestamps(np.zeros(samples, np.float32), **OPTIONS)
    assert bounds.found == [(piece["start"], piece["end"]) for piece in theirs]
