"""A corpus whose truth is planted: how noisy each modality of each clip is, and what can be known.

A step of modality m of a clip with labels y ∈ {0, 1}^q is Gaussian,

    x ~ N(c_m + (2y - 1)·W_m, τ² I),

where the noise τ is drawn for each clip and modality from a few levels. The rows of W_m are
orthonormal and c_m is one large vector, as real features have, so τ shows in how much the steps
scatter, and what y did to them does not hide it. Both are orthogonal to (1, ..., 1), the one
direction that the LayerNorm on a network's input takes away, so that no evidence is lost there.
Labels come from an Ising model, so they may depend on each other. With the 2^q label sets
enumerated and τ summed over its levels the posterior p(y | x) is exact: no predictor does better.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from annotator.learning.dataset import TEST, TRAIN, VALID, Dataset, Example
from annotator.types import MODALITIES, Modality

Floats = NDArray[np.float64]
MAX_LABELS = 10  # 2^q label sets are enumerated


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The law that clips are drawn from.

    The default noise is such that a clip of mean length tells a label from its absence, modality by
    modality, at a distance of 8, 4, 2, 1 or ½ standard deviations.

    Raises:
        ValueError: a value is out of range.
    """

    labels: int = 4  # q
    dimensions: Mapping[Modality, int] = field(
        default_factory=lambda: {"visual": 10, "audio": 12, "text": 16}
    )
    steps: tuple[int, int] = (4, 12)  # fewest and most in a modality, all equally likely
    noise: tuple[float, ...] = (0.7, 1.4, 2.8, 5.6, 11.3)  # levels of τ, all equally likely
    centre: float = 12.0  # the norm of c_m
    log_odds: float = -0.8  # of a label by itself
    coupling: float = 0.4  # of neighbouring labels on a ring to come together
    seed: int = 0  # of W_m and c_m

    def __post_init__(self) -> None:
        if not 1 <= self.labels <= MAX_LABELS:
            raise ValueError(f"labels must be 1 to {MAX_LABELS}, got {self.labels}")
        if min(self.dimensions.values()) < self.labels + 2:
            raise ValueError(f"every modality needs at least {self.labels + 2} dimensions")
        if not 1 <= self.steps[0] <= self.steps[1]:
            raise ValueError(f"steps must be a fewest of 1 or more and a most, got {self.steps}")
        if not self.noise or min(self.noise) <= 0:
            raise ValueError(f"the levels of noise must be above 0, got {self.noise}")

    def label_sets(self) -> Floats:
        """(2^q, q) of 0 and 1."""
        return np.array(list(product((0.0, 1.0), repeat=self.labels)))

    def prior(self) -> Floats:
        """(2^q,), the probability of each label set.

        >>> World(labels=2, log_odds=0.0, coupling=0.0).prior()
        array([0.25, 0.25, 0.25, 0.25])
        """
        sets = self.label_sets()
        pairs = (sets * np.roll(sets, 1, axis=1)).sum(axis=1) if self.labels > 1 else 0.0
        return _softmax(self.log_odds * sets.sum(axis=1) + self.coupling * pairs)

    def means(self, modality: Modality) -> Floats:
        """(2^q, dimension), the mean step of each label set."""
        random = np.random.default_rng([self.seed, MODALITIES.index(modality)])
        columns = random.normal(size=(self.dimensions[modality], self.labels + 2))
        columns[:, 0] = 1
        directions = np.linalg.qr(columns)[0].T[1:]
        means: Floats = self.centre * directions[-1] + (2 * self.label_sets() - 1) @ directions[:-1]
        return means


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is hidden of n clips."""

    noise: Floats  # (n, 3), τ of visual, audio, text; NaN where the clip lacks it
    posterior: Floats  # (n, q), p(label | all features)


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A corpus, and what is hidden of each split."""

    dataset: Dataset
    truth: Mapping[str, Truth]


def plant(world: World, train: int, valid: int, test: int, seed: int = 0) -> Planted:
    """Draw a corpus.

    >>> planted = plant(World(labels=2), train=5, valid=2, test=3)
    >>> len(planted.dataset.split("test")), planted.truth["test"].posterior.shape
    (3, (3, 2))
    """
    splits, truth = {}, {}
    for place, (name, clips) in enumerate(((TRAIN, train), (VALID, valid), (TEST, test))):
        splits[name], truth[name] = _draw(world, name, clips, np.random.default_rng([seed, place]))
    dataset = Dataset(
        name="planted",
        labels=tuple(f"label {k}" for k in range(world.labels)),
        dimensions=dict(world.dimensions),
        extractors=dict.fromkeys(world.dimensions, "foreign planted"),
        splits=splits,
    )
    return Planted(dataset, truth)


def posterior(world: World, features: Mapping[Modality, NDArray[np.floating]]) -> Floats:
    """(q,), the probability of each label, given some or all modalities of a clip.

    >>> bool(np.allclose(posterior(World(coupling=0.0), {}), 1 / (1 + np.exp(0.8))))
    True
    """
    sets = np.log(world.prior())
    for modality, steps in features.items():
        sets = sets + _log_likelihood(world.means(modality), world.noise, steps)
    known: Floats = np.minimum(_softmax(sets) @ world.label_sets(), 1.0)  # rounding adds 1e-16
    return known


def _draw(
    world: World, name: str, clips: int, random: np.random.Generator
) -> tuple[list[Example], Truth]:
    sets = random.choice(2**world.labels, size=clips, p=world.prior())
    noise = random.choice(world.noise, size=(clips, len(MODALITIES)))
    means = {m: world.means(m) for m in world.dimensions}
    examples, known = [], np.empty((clips, world.labels))
    for clip in range(clips):
        features: dict[Modality, NDArray[np.float32]] = {}
        for m in world.dimensions:
            steps = random.integers(world.steps[0], world.steps[1] + 1)
            jitter = random.normal(size=(steps, world.dimensions[m]))
            step_noise = noise[clip, MODALITIES.index(m)]
            features[m] = (means[m][sets[clip]] + step_noise * jitter).astype(np.float32)
        target = world.label_sets()[sets[clip]].astype(np.float32)
        examples.append(Example(f"{name} {clip}", f"{name} {clip}", features, target))
        known[clip] = posterior(world, features)
    missing = [place for place, m in enumerate(MODALITIES) if m not in world.dimensions]
    noise[:, missing] = np.nan
    return examples, Truth(noise, known)


def _log_likelihood(
    means: Floats, levels: tuple[float, ...], steps: NDArray[np.floating]
) -> Floats:
    """(2^q,), log p(steps | label set), the noise summed over its levels."""
    squares = np.square(steps[:, None, :] - means).sum(axis=(0, 2))
    tau = np.array(levels)[:, None]
    each = -steps.size * np.log(tau) - squares / (2 * tau**2)
    top = each.max(axis=0)
    total: Floats = top + np.log(np.exp(each - top).mean(axis=0))
    return total


def _softmax(log: Floats) -> Floats:
    weight = np.exp(log - log.max())
    share: Floats = weight / weight.sum()
    return share
