"""Random changes to recorded speech: what other rooms, microphones and segmenters do to it.

Every function takes samples (n,) at 16 kHz and the generator that makes it repeatable.
"""

import io
from collections.abc import Iterable, Iterator

import av
import numpy as np
from numpy.typing import NDArray

from annotator.features.sound import SAMPLE_RATE

Samples = NDArray[np.float32]

FRAME = SAMPLE_RATE // 50  # 20 ms
SILENCE_DB = -35.0  # below the loudest frame: what a segmenter would take for silence
BANDS = 8  # of the equaliser, evenly spaced on a logarithmic scale
CODED = 0.5  # chance of a copy to have been through a codec, as the sound of most videos has
CODED_BITS = (32_000, 128_000)  # a second
CODED_RATE = 3 * SAMPLE_RATE  # 48 kHz, as cameras record
AAC_DELAY = 1024 * SAMPLE_RATE // CODED_RATE  # samples: the encoder's first block is silence


def augment(samples: Samples, random: np.random.Generator) -> Samples:
    """The same words as another recording might have them; at least one sample.

    >>> augment(np.ones(16_000, np.float32), np.random.default_rng(0)).dtype
    dtype('float32')
    """
    changed = _tempo(_trim(samples, random), random)
    changed = _equalise(changed, random)
    changed = _noise(changed, random)
    gain = 10 ** (random.uniform(-12, 6) / 20)
    changed = np.clip(changed * gain, -1, 1).astype(np.float32)
    return coded(changed, random) if random.random() < CODED else changed


def coded(samples: Samples, random: np.random.Generator) -> Samples:
    """The same samples after AAC at a random bit rate; as many, in their places.

    Less than a block of the codec stays as it is.
    """
    if len(samples) < AAC_DELAY:
        return samples
    file = io.BytesIO()
    with av.open(file, "w", format="adts") as written:
        stream = written.add_stream("aac", rate=CODED_RATE, layout="mono")
        stream.bit_rate = int(np.exp(random.uniform(*np.log(CODED_BITS))))
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for piece in _resampled([frame], CODED_RATE):
            written.mux(stream.encode(piece))
        written.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as read:
        pieces = [piece.to_ndarray()[0] for piece in _resampled(read.decode(audio=0), SAMPLE_RATE)]
    heard = np.concatenate(pieces)[AAC_DELAY : AAC_DELAY + len(samples)]
    return np.pad(heard, (0, len(samples) - len(heard))).astype(np.float32)


def _resampled(frames: Iterable[av.AudioFrame], rate: int) -> Iterator[av.AudioFrame]:
    resampler = av.AudioResampler("fltp", "mono", rate)
    for frame in frames:
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


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
