import re

import av
import numpy as np
import pytest

from annotator.features.asr import MIN_LOG_PROBABILITY, WhisperTranscriber
from annotator.features.whisper import Words

SAID = {"01": "kids are talking by the door", "02": "dogs are sitting by the door"}


@pytest.fixture(scope="module")
def transcriber():
    return WhisperTranscriber()


@pytest.fixture(scope="session")
def ravdess(shared):
    folder = shared / "data" / "ravdess"
    if not folder.is_dir():
        pytest.skip("the shared data folder has no ravdess")
    return folder


def sound_of(path):
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        pieces = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
        return np.concatenate([piece.to_ndarray()[0] for piece in pieces])


def bare(text):
    return re.sub("[^a-z ]", "", text.lower())


def test_acted_speech_is_understood(transcriber, ravdess):
    """Every 90th of 1,080 utterances, all emotions; at least 11 of 12 to the letter."""
    files = sorted(ravdess.glob("Actor_*/*.flac"))[5::90]
    right = [bare(transcriber.transcribe(sound_of(f))) == SAID[f.stem.split("-")[4]] for f in files]
    assert sum(right) >= len(right) - 1


@pytest.mark.parametrize("seconds", [0.01, 1, 7, 30])
@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "clicks"])
def test_nothing_is_heard_where_nobody_speaks(transcriber, kind, seconds):
    time = np.arange(int(seconds * 16_000)) / 16_000
    sound = {
        "silence": np.zeros_like(time),
        "noise": np.random.default_rng(0).normal(0, 0.1, len(time)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time),
        "clicks": 0.8 * (np.arange(len(time)) % 8_000 == 0),
    }[kind]
    assert transcriber.transcribe(sound.astype(np.float32)) == ""


class Speech:
    """A voice detector that always hears somebody."""

    def probabilities(self, samples):
        return np.ones(1, np.float32)


class Whisper:
    """Decodes to given words, and records with how many tokens it was asked to."""

    def __init__(self, quick, padded=None):
        self.quick, self.padded, self.limits = quick, padded, []

    def decode(self, samples, max_tokens):
        self.limits.append(max_tokens)
        return self.quick

    def decode_padded(self, samples, max_tokens):
        self.limits.append(max_tokens)
        return self.padded


GOOD = Words("We are here.", -0.2)
GUESS = Words("I'm so excited.", MIN_LOG_PROBABILITY - 0.1)
LOOP = Words("My head, " * 30, -0.1)


@pytest.mark.parametrize(
    ("quick", "padded", "text"),
    [
        (GOOD, None, GOOD.text),
        (GUESS, GOOD, GOOD.text),
        (LOOP, GOOD, GOOD.text),
        (GUESS, GUESS, ""),
        (LOOP, GUESS, ""),
        (LOOP, LOOP, LOOP.text),  # some do say one thing all the time
    ],
)
def test_doubtful_words_are_decoded_again_as_whisper_was_trained(quick, padded, text):
    whisper = Whisper(quick, padded)
    transcriber = WhisperTranscriber(whisper=whisper, speech=Speech())
    assert transcriber.transcribe(np.zeros(16_000, np.float32)) == text
    assert len(whisper.limits) == (1 if padded is None else 2)


@pytest.mark.parametrize(("seconds", "limit"), [(0.01, 8), (3, 38), (30, 224)])
def test_the_number_of_tokens_is_limited_by_the_length(seconds, limit):
    whisper = Whisper(GOOD)
    transcriber = WhisperTranscriber(whisper=whisper, speech=Speech())
    transcriber.transcribe(np.zeros(int(seconds * 16_000), np.float32))
    assert whisper.limits == [limit]
