"""How loud a file is over time, for a picture of its wave form."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.media.decode import decode_audio
from annotator.types import MediaInfo

RATE = 8_000  # Hz: a picture needs no more


def peaks(path: Path, info: MediaInfo, bins: int) -> NDArray[np.float32]:
    """The lowest and highest sample of each of so many equal parts of the file: (bins, 2).

    The sound is decoded as a stream, half a second in memory at a time. Where it has ended, or for
    a file without any, the parts are silent.

    Raises:
        ValueError: `bins` is below 1.
        StageFailure: the sound cannot be decoded.
        EnvironmentFault: there is no ffmpeg.
    """
    if bins < 1:
        raise ValueError(f"expected one part at least, got {bins}")
    found = np.zeros((bins, 2), np.float32)
    per_sample = bins / max(1, info.duration_ms * RATE // 1000)
    done = 0
    for chunk in decode_audio(path, info, sample_rate=RATE):
        place = ((done + np.arange(len(chunk.samples))) * per_sample).astype(np.intp)
        place = np.minimum(place, bins - 1)
        np.minimum.at(found[:, 0], place, chunk.samples)
        np.maximum.at(found[:, 1], place, chunk.samples)
        done += len(chunk.samples)
    return found
