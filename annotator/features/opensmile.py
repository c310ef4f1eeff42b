"""Sound features: the low-level descriptors of eGeMAPS (Eyben et al. 2016), ten times a second.

They come from openSMILE, the extra `opensmile`. Its licence (audEERING Research License Agreement)
allows research and teaching only; any commercial use needs a licence of audEERING GmbH.
"""

from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from annotator.features.extractor import BLOCK_SECONDS, from_extra
from annotator.features.sound import SAMPLE_RATE, playable
from annotator.types import Modality

STEP_FRAMES = 10  # frames averaged to one step: 100 Hz to 10 Hz, so that 50 s fit in MAX_STEPS
STEP_SAMPLES = SAMPLE_RATE // 10
BLOCK_SAMPLES = BLOCK_SECONDS * SAMPLE_RATE
# openSMILE multiplies by 32768 and wraps: a sample of 1.0 would become -32768.
LOUDEST = 32_767 / 32_768

# Each descriptor with its mean and standard deviation over the frames (the voiced ones from the
# pitch on) of 151 utterances, every ninth of RAVDESS and EmoDB. As openSMILE gives them a formant
# in Hz is 50,000 times the size of a slope, and LDDU's first LayerNorm would leave nothing else.
DESCRIPTORS = (
    ("Loudness_sma3", 0.289, 0.501),
    ("alphaRatio_sma3", -7.61, 10.4),
    ("hammarbergIndex_sma3", 16.6, 12.4),
    ("slope0-500_sma3", 0.0415, 0.0463),
    ("slope500-1500_sma3", 0.0171, 0.0283),
    ("spectralFlux_sma3", 0.142, 0.335),
    ("mfcc1_sma3", 10.9, 16.6),
    ("mfcc2_sma3", 1.6, 15.4),
    ("mfcc3_sma3", 5.63, 14.9),
    ("mfcc4_sma3", -2.16, 17.5),
    ("F0semitoneFrom27.5Hz_sma3nz", 35.6, 8.07),
    ("jitterLocal_sma3nz", 0.02, 0.0353),
    ("shimmerLocaldB_sma3nz", 1.1, 0.956),
    ("HNRdBACF_sma3nz", 7.14, 4.02),
    ("logRelF0-H1-H2_sma3nz", 6.27, 9.29),
    ("logRelF0-H1-A3_sma3nz", 20.1, 11.4),
    ("F1frequency_sma3nz", 704.0, 263.0),
    ("F1bandwidth_sma3nz", 1290.0, 264.0),
    ("F1amplitudeLogRelF0_sma3nz", -13.3, 23.5),
    ("F2frequency_sma3nz", 1730.0, 280.0),
    ("F2bandwidth_sma3nz", 1010.0, 321.0),
    ("F2amplitudeLogRelF0_sma3nz", -24.2, 22.8),
    ("F3frequency_sma3nz", 2770.0, 287.0),
    ("F3bandwidth_sma3nz", 921.0, 336.0),
    ("F3amplitudeLogRelF0_sma3nz", -28.9, 21.6),
)
NAMES = tuple(name for name, _, _ in DESCRIPTORS)
CENTRES, SCALES = np.array([numbers for _, *numbers in DESCRIPTORS]).T
PITCH = 10  # the first descriptor that has a meaning only where there is a voice; 0 elsewhere


class EGeMAPS:
    """The 25 descriptors of eGeMAPSv02, standardised, and the share of voiced frames.

    Pitch and what follows it are means over the step's voiced frames, as in eGeMAPS itself, and 0,
    their mean in speech, where no frame is voiced.
    """

    name: ClassVar[str] = "egemaps"
    version: ClassVar[str] = "1"
    modality: ClassVar[Modality] = "audio"
    dimension: ClassVar[int] = len(DESCRIPTORS) + 1
    rate_hz: ClassVar[float] = SAMPLE_RATE / STEP_SAMPLES

    def __init__(self, threads: int = 1) -> None:  # noqa: ARG002 - openSMILE has one thread
        """Configure openSMILE.

        Raises:
            EnvironmentFault: the extra is not installed.
            RuntimeError: its descriptors are others.
        """
        opensmile = from_extra("opensmile", "opensmile")
        self._smile = opensmile.Smile(
            opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors
        )
        if tuple(self._smile.feature_names) != NAMES:
            raise RuntimeError(f"openSMILE gives {self._smile.feature_names}, not {NAMES}")

    @property
    def id(self) -> str:
        """Name and version, as a model records them."""
        return f"{self.name}@{self.version}"

    def block(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features (ceil(n / 1600), 26) of samples (n,), 16 kHz mono, 1 <= n <= 30 s.

        Raises:
            ValueError: there are no samples, or too many.
        """
        if not 1 <= len(samples) <= BLOCK_SAMPLES:
            raise ValueError(f"expected 1 to {BLOCK_SAMPLES} samples, got {len(samples)}")
        # A frame begins every 10 ms and reaches 60 ms on: of k whole steps there are 10k - 4
        # frames, and of less than 60 ms there would be none.
        sound = np.pad(playable(samples), (0, -len(samples) % STEP_SAMPLES))
        frames = self._smile.process_signal(np.minimum(sound, LOUDEST), SAMPLE_RATE)
        return step_means(frames.to_numpy(np.float64))


def step_means(frames: NDArray[np.float64]) -> NDArray[np.float32]:
    """Frames (n, 25) as openSMILE gives them to steps (ceil(n / 10), 26) as `EGeMAPS` does."""
    starts = np.arange(0, len(frames), STEP_FRAMES)
    weights = np.ones(frames.shape)
    weights[frames[:, PITCH] <= 0, PITCH:] = 0
    values = (frames - CENTRES) / SCALES
    totals = np.add.reduceat(weights, starts)
    means = np.add.reduceat(values * weights, starts) / np.maximum(totals, 1)
    share = totals[:, PITCH] / totals[:, 0]
    return cast(NDArray[np.float32], np.column_stack([means, share]).astype(np.float32))
