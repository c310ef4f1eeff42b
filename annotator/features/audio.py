"""Sound features: the states of Whisper's encoder, and the level, ten times a second."""

from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from annotator.features.sound import SAMPLE_RATE, playable
from annotator.features.whisper import STATE_SAMPLES, Whisper, shared_whisper
from annotator.types import Modality

STEP_STATES = 5  # states averaged to one step: 50 Hz to 10 Hz, so that 50 s fit in MAX_STEPS
STEP_SAMPLES = STEP_STATES * STATE_SAMPLES
FLOOR = 1e-10  # of the power, as in Whisper's spectrogram; -100 dB of full scale


class WhisperAudio:
    """Encoder states (384) and log power (1), each the mean over 100 ms.

    The level is a channel of its own because Whisper scales its spectrogram by the loudest moment
    of the block, so that its states tell a whisper from a scream by timbre alone.
    """

    name: ClassVar[str] = "whisper"
    version: ClassVar[str] = "1"
    modality: ClassVar[Modality] = "audio"
    dimension: ClassVar[int] = 385
    rate_hz: ClassVar[float] = SAMPLE_RATE / STEP_SAMPLES

    def __init__(self, threads: int = 1, whisper: Whisper | None = None) -> None:
        """Take the process's Whisper, or another one.

        Raises:
            EnvironmentFault: the package with the weights is missing or another release.
        """
        self._whisper = whisper or shared_whisper(threads)

    @property
    def id(self) -> str:
        """Name and version, as a model records them."""
        return f"{self.name}@{self.version}"

    def block(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features (ceil(n / 1600), 385) of samples (n,), 16 kHz mono, 1 <= n <= 30 s.

        Raises:
            ValueError: there are no samples, or too many.
        """
        states = self._whisper.encode(samples)[: -(-len(samples) // STATE_SAMPLES)]
        return np.column_stack([_means(states, STEP_STATES), log_power(samples)])


def log_power(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The level of each 100 ms (steps,), scaled as Whisper's spectrogram is.

    (log10(mean square) + 4) / 4: 1 is full scale, 0 is -40 dB, -1.5 is digital silence.

    >>> log_power(np.array([1.0] * 1600 + [0.1] * 160, np.float32)).round(3).tolist()
    [1.0, 0.5]
    """
    power = _means(playable(samples)[:, None] ** 2, STEP_SAMPLES)[:, 0]
    return cast(NDArray[np.float32], (np.log10(np.maximum(power, FLOOR)) + 4) / 4)


def _means(values: NDArray[np.float32], group: int) -> NDArray[np.float32]:
    """The mean of each `group` rows of values (n, d); the last group may be smaller."""
    starts = np.arange(0, len(values), group)
    sizes = np.diff(starts, append=len(values))
    return cast(NDArray[np.float32], np.add.reduceat(values, starts) / sizes[:, None]).astype(
        np.float32
    )
