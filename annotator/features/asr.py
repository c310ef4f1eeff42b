"""Transcripts by Whisper tiny.en: English only, without times.

Whisper speaks even where nobody does ("you", "Thank you.") and at times repeats itself until its
limit. What guards against that, in this order: a voice detector that has to hear somebody, a limit
on tokens a second, and Whisper's own two signs of failure (a text that compresses too well, tokens
it did not believe itself), which lead to a second try the way Whisper was trained. Sampling at
higher temperatures, as Whisper's own fallback does it, would make a transcript a matter of luck.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from annotator.features.sound import SAMPLE_RATE
from annotator.features.vad import SPEECH, SpeechModel, shared_speech_model
from annotator.features.whisper import Whisper, Words, shared_whisper

MAX_COMPRESSION = 2.4  # of a text's bytes by zlib; above it repeats itself (Whisper's threshold)
MIN_LOG_PROBABILITY = -1.0  # mean of a token; below it is guesswork (Whisper's threshold)
TOKENS_PER_SECOND = 10  # fast English: 6 words, 8 tokens
SPARE_TOKENS = 8  # for a clip that cuts into a word, and punctuation
MAX_TOKENS = 224  # of one block; Whisper's own limit


class WhisperTranscriber:
    """Speech to text with the encoder pass that the sound features have already paid for."""

    id = "whisper-tiny.en@1"

    def __init__(
        self,
        threads: int = 1,
        whisper: Whisper | None = None,
        speech: SpeechModel | None = None,
    ) -> None:
        """Take the process's Whisper and voice detector, or others.

        Raises:
            EnvironmentFault: a package with weights is missing or another release.
        """
        self._whisper = whisper or shared_whisper(threads)
        self._speech = speech or shared_speech_model()

    def transcribe(self, samples: NDArray[np.float32]) -> str:
        """The words in samples (n,), 16 kHz mono, 1 <= n <= 30 s; empty where nobody speaks.

        It is empty too where Whisper does not believe its own words: a wrong transcript harms
        more than none, which the model can do without.
        """
        if self._speech.probabilities(samples).max() < SPEECH:
            return ""
        max_tokens = min(MAX_TOKENS, SPARE_TOKENS + TOKENS_PER_SECOND * len(samples) // SAMPLE_RATE)
        words = self._whisper.decode(samples, max_tokens)
        if not _believable(words) or _repeats(words.text):
            words = self._whisper.decode_padded(samples, max_tokens)
        return words.text if _believable(words) else ""


def _believable(words: Words) -> bool:
    return words.log_probability >= MIN_LOG_PROBABILITY


def _repeats(text: str) -> bool:
    """Whether a text compresses too well to be speech.

    >>> _repeats("My head, " * 30), _repeats("Dogs are sitting by the door.")
    (True, False)
    """
    encoded = text.encode()
    return len(encoded) > MAX_COMPRESSION * len(zlib.compress(encoded))
