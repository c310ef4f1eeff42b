"""Extractors that say what they were given, quick to load, also in a spawned worker process.

Features are two wide: the frame's number for pictures, mean and peak of each 100 ms for sound, the
length of each word for text. Some words do harm, as a broken file may.
"""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import media_samples
from annotator.clipwork import Tools
from annotator.errors import EnvironmentFault
from annotator.features.cache import FeatureCache

STEP = 1600  # samples of one step of sound
EXIT_CODE = 7
NOTE = "note:"  # a file's path, which grows by a character, and harm to follow
GATE = "gate:"  # a file's path, which is waited for


@dataclass
class Faces:
    """Sees the number that the frame's bars spell."""

    id: str = "fake-faces@1"
    faceless: bool = False
    broken: frozenset[int] = frozenset()
    seen: list[int] = field(default_factory=list)

    def observe(self, image: np.ndarray) -> int | None:
        number = media_samples.frame_number(image)
        if number in self.broken:
            raise ValueError(f"frame {number} is too much")
        self.seen.append(number)
        return None if self.faceless else number

    def embed(self, observations: Sequence[int]) -> np.ndarray:
        return np.array([[number, 1] for number in observations], np.float32)


@dataclass
class Sound:
    """Mean and peak of each 100 ms."""

    id: str = "fake-sound@1"
    error: Exception | None = None
    lengths: list[int] = field(default_factory=list)

    def block(self, samples: np.ndarray) -> np.ndarray:
        if self.error is not None:
            raise self.error
        self.lengths.append(len(samples))
        starts = np.arange(0, len(samples), STEP)
        parts = np.split(np.abs(samples), starts[1:])
        return np.array([[part.mean(), part.max()] for part in parts], np.float32)


@dataclass
class Words:
    """Lengths of words; `harm` is done when its word comes."""

    id: str = "fake-words@1"

    def embed(self, text: str) -> np.ndarray:
        harm(text)
        return np.array([[len(word), 1] for word in text.split()], np.float16)


@dataclass
class Ears:
    """Hears how many samples there were."""

    id: str = "fake-ears@1"
    deaf: bool = False

    def transcribe(self, samples: np.ndarray) -> str:
        return "" if self.deaf else f"n{len(samples)}"


def harm(word: str) -> None:
    """What a hostile file may do to the process that opens it."""
    if word.startswith(NOTE):
        path, _, word = word.removeprefix(NOTE).partition(" ")
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(".")
    if word.startswith(GATE):
        while not Path(word.removeprefix(GATE)).exists():
            time.sleep(0.01)
    match word:
        case "exit":
            os._exit(EXIT_CODE)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "slow":
            time.sleep(0.2)
        case "sleep":
            time.sleep(60)
        case "fault":
            raise EnvironmentFault("the disk is full: free some space")
        case "error":
            raise ValueError("this text is too much")


def tools(**changes: object) -> Tools:
    """All fakes; without `asr` unless given."""
    fakes = {"visual": Faces(), "audio": Sound(), "text": Words(), "asr": None}
    return Tools(**(fakes | changes))


@dataclass(frozen=True)
class FakeSettings:
    """Stands in for `ToolSettings`; `at_load` is the harm done while the worker starts."""

    features: Path
    at_load: str = ""

    def load(self) -> tuple[Tools, FeatureCache]:
        harm(self.at_load)
        return tools(), FeatureCache(self.features)
