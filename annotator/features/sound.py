"""What everything that listens agrees on: 16 kHz mono samples between -1 and 1."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz; what Whisper and Silero were trained on
SAMPLES_PER_MS = SAMPLE_RATE // 1000


def playable(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The samples (n,) as a loudspeaker would have them: beyond ±1 cut, what is no number silent.

    A file of floating-point samples may hold anything, and one NaN would spread through a network
    with memory to the end of the file.

    >>> playable(np.array([0.5, 7, -np.inf, np.nan], np.float32)).tolist()
    [0.5, 1.0, -1.0, 0.0]
    """
    clipped = np.clip(samples, -1, 1)
    return cast(NDArray[np.float32], np.nan_to_num(clipped, copy=False))
