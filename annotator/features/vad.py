"""Where somebody speaks: Silero VAD v6, as faster-whisper carries it, on a stream of sound.

The network gives each window of 32 ms the probability of speech; it sees the end of the window
before and remembers. Bounds follow from the probabilities with two thresholds, as in Silero's own
`get_speech_timestamps`.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.features.packaged import packaged
from annotator.features.sessions import cpu_session
from annotator.features.sound import SAMPLES_PER_MS, playable
from annotator.types import Bounds

WINDOW = 512  # samples the network judges at a time
CONTEXT = 64  # samples before them that it sees as well
GROUP = 64 * WINDOW  # samples in one call of the network, 2 s; always from the same places, so that
# the same sound gives the same numbers however it arrives

SPEECH = 0.5  # probability from which on somebody speaks
SILENCE = 0.35  # and below which, after that, nobody does
MIN_SPEECH_MS = 250  # shorter is a click or a cough
MIN_SILENCE_MS = 100  # shorter is a stop consonant; how long a pause parts clips, the plan decides

Memory = tuple[NDArray[np.float32], NDArray[np.float32]]  # the LSTM's two states, (1, 1, 128) each


class SpeechModel:
    """The network, without memory of its own: share one a process with `shared_speech_model`."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the ONNX file."""
        self._session = cpu_session(path, threads)

    def probabilities(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of each window of samples (n,), 16 kHz mono, n >= 1, the last filled with silence."""
        stream = SpeechStream(self)
        return np.concatenate([*stream.push(samples), stream.finish()])

    def run(
        self, windows: NDArray[np.float32], memory: Memory
    ) -> tuple[NDArray[np.float32], Memory]:
        """Probabilities (n,) of consecutive windows (n, 64 + 512), and the memory after them."""
        hidden, cell = memory
        found, hidden, cell = self._session.run(None, {"input": windows, "h": hidden, "c": cell})
        return found.reshape(-1), (hidden, cell)


class SpeechStream:
    """The probabilities of one stream of sound, which may come in pieces of any size."""

    def __init__(self, model: SpeechModel) -> None:
        self._model = model
        self._memory: Memory = np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)
        self._context: NDArray[np.float32] = np.zeros(CONTEXT, np.float32)
        self._waiting: list[NDArray[np.float32]] = []
        self._missing = GROUP  # samples until the group is full

    def push(self, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The probabilities (64,) of each group that is full with these samples (n,)."""
        found = []
        while len(samples):
            piece, samples = samples[: self._missing], samples[self._missing :]
            self._waiting.append(np.array(piece))  # a copy: the caller may use its buffer again
            self._missing -= len(piece)
            if self._missing == 0:
                found.append(self.finish())
        return found

    def finish(self) -> NDArray[np.float32]:
        """The probabilities of what is waiting, filled up to whole windows."""
        sound = playable(np.concatenate([self._context, *self._waiting]))
        self._waiting, self._missing = [], GROUP
        count = -(-(len(sound) - CONTEXT) // WINDOW)
        sound = np.pad(sound, (0, CONTEXT + count * WINDOW - len(sound)))
        self._context = sound[-CONTEXT:]
        if count == 0:
            return np.zeros(0, np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(sound, CONTEXT + WINDOW)[::WINDOW]
        found, self._memory = self._model.run(np.ascontiguousarray(windows), self._memory)
        return found


class SpeechBounds:
    """Turns probabilities, window by window, into the bounds of speech."""

    def __init__(self) -> None:
        self.found: list[Bounds] = []  # samples
        self._windows = 0
        self._start: int | None = None  # of the speech going on
        self._quiet: int | None = None  # since when its probability has been low

    def push(self, probabilities: NDArray[np.float32]) -> None:
        """Take the next windows' probabilities (n,)."""
        for probability in probabilities.tolist():
            now = self._windows * WINDOW
            self._windows += 1
            if probability >= SPEECH:
                self._start = now if self._start is None else self._start
                self._quiet = None
            elif probability < SILENCE and self._start is not None:
                self._quiet = now if self._quiet is None else self._quiet
                if now - self._quiet >= MIN_SILENCE_MS * SAMPLES_PER_MS:
                    self.end(self._quiet)

    def end(self, sample: int) -> None:
        """End the speech going on, if any, at a sample."""
        if self._start is not None and sample - self._start > MIN_SPEECH_MS * SAMPLES_PER_MS:
            self.found.append((self._start, sample))
        self._start = self._quiet = None


class SpeechDetector:
    """Finds the speech in one stream of any length; memory grows with the bounds found alone."""

    def __init__(self, model: SpeechModel | None = None) -> None:
        """Take the process's network, or another one.

        Raises:
            EnvironmentFault: faster-whisper, which carries the weights, is missing or changed.
        """
        self._stream = SpeechStream(model or shared_speech_model())
        self._bounds = SpeechBounds()
        self._samples = 0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples (n,), 16 kHz mono; how the stream is cut does not matter."""
        self._samples += len(samples)
        for found in self._stream.push(samples):
            self._bounds.push(found)

    def finish(self) -> list[Bounds]:
        """Where somebody speaks, (start, end) in milliseconds; call once, after the last sample."""
        self._bounds.push(self._stream.finish())
        self._bounds.end(self._samples)
        return [
            (start // SAMPLES_PER_MS, end // SAMPLES_PER_MS) for start, end in self._bounds.found
        ]


@lru_cache(maxsize=1)
def shared_speech_model() -> SpeechModel:
    """This process's network; it is too small for a second thread to help.

    Raises:
        EnvironmentFault: faster-whisper, which carries the weights, is missing or changed.
    """
    return SpeechModel(packaged("faster_whisper", "assets/silero_vad_v6.onnx"))
