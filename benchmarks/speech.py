"""Synthetic speech with known words and timings, for the demo corpus and the benchmarks."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SAMPLE_RATE = 22_050  # Hz, eSpeak NG's own; ffmpeg resamples when it encodes
VOICE = "en-us"
SILENCE = 0.004  # of full scale: below it eSpeak's tail is not audible
FULL_SCALE = 32_768.0  # of 16-bit PCM
TIMEOUT_S = 30  # a sentence takes about 0.05 s

SENTENCES = (
    "I am so happy to see you again.",
    "This is wonderful news for the whole family.",
    "Nobody called me, and I feel so alone tonight.",
    "I cried for hours after the funeral.",
    "How dare you read my letters without asking?",
    "Get out of my kitchen right now.",
    "Wait, you really won the first prize?",
    "I never expected to find you here.",
    "The milk smells rotten, take it away.",
    "This soup is disgusting, I cannot eat it.",
    "I am scared, there is somebody in the house.",
    "Do not leave me alone in the dark.",
    "We are going to the market after lunch.",
    "The train to the city leaves at seven.",
)


@dataclass(frozen=True, slots=True)
class Saying:
    """A sentence and how to say it: words a minute, pitch 0 to 99, silence before it."""

    text: str
    rate: int = 160
    pitch: int = 50
    pause_s: float = 0.4
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence where it stands in a track, in milliseconds."""

    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """Mono samples (count,) in -1 to 1, and what is said in them."""

    samples: Samples
    lines: tuple[Line, ...]
    sample_rate: int = SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """How long the track is."""
        return len(self.samples) / self.sample_rate


@lru_cache(maxsize=256)
def speak(text: str, rate: int = 160, pitch: int = 50, voice: str = VOICE) -> tuple[Samples, int]:
    """Say `text`: samples (count,) in -1 to 1, read-only, without edge silence; and their rate.

    Raises RuntimeError where espeakng-loader is missing or nothing was said.

    >>> samples, sample_rate = speak("hello")
    >>> samples.dtype, sample_rate
    (dtype('float32'), 22050)
    """
    program = Path(__file__).with_name("espeak.py")
    arguments = [sys.executable, str(program), voice, str(rate), str(pitch)]
    done = subprocess.run(
        arguments, input=text.encode(), capture_output=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        cause = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(
            f"speech: no speech could be made ({' '.join(cause)}); install the extra 'demo'"
        )
    samples = np.frombuffer(done.stdout, dtype="<i2").astype(np.float32) / np.float32(FULL_SCALE)
    (loud,) = np.nonzero(np.abs(samples) > SILENCE)
    if not loud.size:
        raise RuntimeError(f"speech: {text!r} has no sound; give a text with words")
    spoken = samples[loud[0] : loud[-1] + 1]
    spoken.flags.writeable = False  # the cache hands the same array to every caller
    return spoken, SAMPLE_RATE


def recite(sayings: Iterable[Saying], *, tail_s: float = 0.4) -> Track:
    """Say the sentences one after another, each after its pause, `tail_s` of silence at the end."""
    parts: list[Samples] = []
    lines: list[Line] = []
    at = 0  # samples so far
    for saying in sayings:
        spoken, _ = speak(saying.text, saying.rate, saying.pitch)
        pause = silence(saying.pause_s)
        start, at = at + len(pause), at + len(pause) + len(spoken)
        parts += [pause, spoken]
        lines.append(Line(_ms(start), _ms(at), saying.text, saying.speaker))
    return Track(np.concatenate([*parts, silence(tail_s)]), tuple(lines))


def monologue(seconds: float, seed: int) -> Track:
    """SENTENCES in random order, rate, pitch and pauses for `seconds`, the last one whole.

    Same seed, same track.
    """
    chosen: list[Saying] = []
    left = seconds
    for saying in _chatter(np.random.default_rng(seed)):
        spoken, _ = speak(saying.text, saying.rate, saying.pitch)
        length = saying.pause_s + len(spoken) / SAMPLE_RATE
        if length > left:
            break
        chosen.append(saying)
        left -= length
    return recite(chosen, tail_s=left)


def _chatter(rng: np.random.Generator) -> Iterator[Saying]:
    """Sentences without end; few rates and pitches, so that `speak` can remember them."""
    while True:
        for index in rng.permutation(len(SENTENCES)):
            rate, pitch = rng.choice((140, 160, 180)), rng.choice((35, 50, 65))
            yield Saying(SENTENCES[index], int(rate), int(pitch), float(rng.uniform(0.4, 1.6)))


def silence(seconds: float) -> Samples:
    """Samples of nothing."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def _ms(samples: int) -> int:
    return round(samples * 1000 / SAMPLE_RATE)
