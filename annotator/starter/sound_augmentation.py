"""Random changes to recorded speech: what other rooms, microphones and segmenters do to it.

Every function takes samples (n,) at 16 kHz and the generator that makes it repeatable.
"""

import numpy as np
from numpy.typing import NDArray

from annotator.features.sound import SAMPLE_RATE

Samples = NDArray[np.float32]

FRAME = SAMPLE_RATE // 50  # 20 ms
SILENCE_DB = -35.0  # below the loudest frame: what a segmenter would take for silence
BANDS = 8  # of the equaliser, evenly spaced on a logarithmic scale


def augment(samples: Samples, random: np.random.Generator) -> Samples:
    """The same words as another recording might have them; at least one sample.

    >>> augment(np.ones(16_000, np.float32), np.random.default_rng(0)).dtype
    dtype('float32')
    """
    changed = _tempo(_trim(samples, random), random)
    changed = _equalise(changed, random)
    changed = _noise(changed, random)
    gain = 10 ** (random.uniform(-12, 6) / 20)
    return np.clip(changed * gain, -1, 1).astype(np.float32)


def _trim(samples: Samples, random: np.random.Generator) -> Samples:
    """Cut away a random share of the silence at both ends."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return samples
    level = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-10)
    loud = np.flatnonzero(level > level.max() + SILENCE_DB)
    first, last = loud[0] * FRAME, (loud[-1] + 1) * FRAME
    start = int(random.uniform(0, 1) * first)
    end = len(samples) - int(random.uniform(0, 1) * (len(samples) - last))
    return samples[start:end]


def _tempo(samples: Samples, random: np.random.Generator) -> Samples:
    """Play faster or slower by up to an eighth, which moves the pitch as well."""
    factor = np.exp(random.uniform(-0.12, 0.12))
    places = np.arange(0, len(samples) - 1, factor)
    if not len(places):
        return samples
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def _equalise(samples: Samples, random: np.random.Generator) -> Samples:
    """Raise or lower bands by a few decibels, as microphones do."""
    spectrum = np.fft.rfft(samples)
    edges = np.geomspace(60, SAMPLE_RATE / 2, BANDS)
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    decibels = np.interp(frequency, edges, random.normal(0, 3, BANDS))
    return np.fft.irfft(spectrum * 10 ** (decibels / 20), len(samples)).astype(np.float32)


def _noise(samples: Samples, random: np.random.Generator) -> Samples:
    """Add coloured noise, 10 to 40 dB below the speech."""
    white = np.fft.rfft(random.normal(size=len(samples)))
    slope = random.uniform(0, 1)  # of the amplitude: white to pink and beyond
    colour = white / np.maximum(np.arange(len(white)), 1) ** slope
    noise = np.fft.irfft(colour, len(samples))
    ratio = 10 ** (-random.uniform(10, 40) / 20)
    level = np.sqrt(np.square(samples).mean() / max(np.square(noise).mean(), 1e-12))
    noisy: Samples = (samples + ratio * level * noise).astype(np.float32)
    return noisy
