"""Ways to spoil the features of a clip, at a strength from 0, untouched, to 1, the most.

These act on features, not on pictures, sound or words: most corpora read for training have nothing
else. They are proxies. Noise on an embedding is not noise on the pixels it came from, averaging
over time blurs motion but not edges, and a deleted step is a deleted word only where the text
features have a step a word (token states; a state also knows its deleted neighbours). Media and
words themselves are spoilt by `annotator.experiments.corruption_media` and `.corruption_words`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from annotator.learning.dataset import Array, Example
from annotator.types import MODALITIES, Modality

NOISE = 4.0  # standard deviations of a feature that noise of strength 1 has: -12 dB

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """The mean and standard deviation of each feature of a modality: (dimension,)."""

    mean: Floats
    sd: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Damage:
    """What happens to one clip."""

    strength: float  # 0 to 1
    scale: Scale
    random: np.random.Generator


Spoilt = Literal["features", "words", "media"]
Spoil = Callable[[Array, Damage], Array | None]


class Way(Protocol):
    """A way to spoil one modality of a clip."""

    @property
    def name(self) -> str: ...  # noqa: D102  a stable key
    @property
    def kind(self) -> str: ...  # noqa: D102  what it shares with those of other modalities
    @property
    def modality(self) -> Modality: ...  # noqa: D102
    @property
    def of(self) -> Spoilt: ...  # noqa: D102  what is spoilt
    def affects(self, example: Example) -> bool: ...  # noqa: D102
    def spoilt(self, example: Example, damage: Damage) -> Array | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Corruption:
    """A way to spoil the features of one modality."""

    name: str  # a stable key
    kind: str  # what it has in common with those of other modalities, for people
    modality: Modality
    spoil: Spoil  # (steps, dimension) to the same, fewer steps, or None: gone
    of: Spoilt = "features"

    def affects(self, example: Example) -> bool:
        """Whether it has the modality, and another if this one may be taken from it."""
        others = (m for m in MODALITIES if m != self.modality)
        return bool(len(example.features.get(self.modality, ()))) and (
            self.spoil is not drop or any(len(example.features.get(m, ())) for m in others)
        )

    def spoilt(self, example: Example, damage: Damage) -> Array | None:
        """The modality's features, spoilt; None: gone."""
        return self.spoil(example.features[self.modality], damage)


def noise(values: Array, damage: Damage) -> Array:
    """Add Gaussian noise of `NOISE` · strength standard deviations of each feature."""
    drawn = damage.random.standard_normal(values.shape)
    noisy: Array = values + NOISE * damage.strength * damage.scale.sd * drawn
    return noisy


def blur(values: Array, damage: Damage) -> Array:
    """Average over time, in a window that grows to the clip's length on both sides.

    >>> damage = Damage(0.5, Scale(np.zeros(1), np.ones(1)), np.random.default_rng(0))
    >>> blur(np.array([[0.0], [3.0], [6.0]]), damage).ravel()
    array([1.5, 3. , 4.5])
    """
    steps = len(values)
    half = round(damage.strength * (steps - 1))
    sums = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(axis=0, dtype=np.float64)])
    first = np.maximum(np.arange(steps) - half, 0)
    end = np.minimum(np.arange(steps) + half + 1, steps)
    blurred: Array = (sums[end] - sums[first]) / (end - first)[:, None]
    return blurred


def fade(values: Array, damage: Damage) -> Array:
    """Move every step toward the mean step, which tells nothing: darkness, or silence.

    >>> damage = Damage(0.75, Scale(np.array([2.0]), np.ones(1)), np.random.default_rng(0))
    >>> fade(np.array([[6.0]]), damage)
    array([[3.]])
    """
    mean = damage.scale.mean
    faded: Array = mean + (1 - damage.strength) * (values - mean)
    return faded


def lose_steps(values: Array, damage: Damage) -> Array:
    """Leave out steps, each with a chance of `strength`; the luckiest one stays."""
    luck = damage.random.random(len(values))
    stays = (luck >= damage.strength) | (luck == luck.max())
    kept: Array = values[stays]
    return kept


def drop(values: Array, damage: Damage) -> Array | None:
    """Take the modality away with a chance of `strength`."""
    return None if damage.random.random() < damage.strength else values


FADED, LOST = "darkness, silence", "lost steps"  # kinds
CORRUPTIONS = (
    *(Corruption(f"noise_{m}", "noise", m, noise) for m in MODALITIES),
    Corruption("blur_visual", "blur over time", "visual", blur),
    Corruption("blur_audio", "blur over time", "audio", blur),
    Corruption("darkness", FADED, "visual", fade),
    Corruption("silence", FADED, "audio", fade),
    Corruption("lost_steps_visual", LOST, "visual", lose_steps),
    Corruption("lost_steps_audio", LOST, "audio", lose_steps),
    Corruption("lost_steps_text", LOST, "text", lose_steps),
    *(Corruption(f"dropped_{m}", "dropped", m, drop) for m in MODALITIES),
)


def scales(examples: Sequence[Example]) -> Mapping[Modality, Scale]:
    """Of every modality that an example has, over all steps of all examples."""
    found: dict[Modality, Scale] = {}
    for m in MODALITIES:
        clips = [e.features[m] for e in examples if len(e.features.get(m, ()))]
        if clips:
            number = sum(map(len, clips))
            mean = sum(clip.sum(axis=0, dtype=np.float64) for clip in clips) / number
            squares = sum(np.square(clip - mean).sum(axis=0) for clip in clips) / number
            found[m] = Scale(np.asarray(mean), np.sqrt(squares))
    return found


def corrupt(
    corruption: Way, examples: Sequence[Example], strength: float, scale: Scale, seed: int
) -> list[Example]:
    """Spoilt copies of examples, all of which the way affects.

    The chance that each clip meets is the same at every strength: noise only grows, and what is
    gone at one strength is gone at all above it.
    """
    spoilt = []
    for place, example in enumerate(examples):
        damage = Damage(strength, scale, np.random.default_rng([seed, place]))
        values = corruption.spoilt(example, damage)
        features = {m: v for m, v in example.features.items() if m != corruption.modality}
        if values is not None:
            features[corruption.modality] = values
        spoilt.append(replace(example, features=features))
    return spoilt
