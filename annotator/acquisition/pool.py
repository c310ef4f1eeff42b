"""What a selection is made from, what is asked of it, and what comes of it."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Codes = NDArray[np.integer[Any]]
Places = NDArray[np.int64]

SelectorName = Literal["top", "power", "kcenter", "kmeans"]
SELECTORS: tuple[SelectorName, ...] = get_args(SelectorName)
GEOMETRIC: frozenset[SelectorName] = frozenset({"kcenter", "kmeans"})

UNKNOWN = -1  # the code of a clip whose speaker, or video, nobody knows

# How many candidates the selectors look at a time, as a multiple of the batch: the best first, and
# the next only where limits leave the batch short. At 20, k-center over a million costs seconds.
PREFILTER = 20


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """n candidates; equal scores go by place, so give them in an order of their own.

    Attributes:
        score: (n,) finite, not negative, high = ask.
        probability: (n, q) of each label, for a balanced batch.
        latent: (n, d) of any float type, for `kcenter`, `kmeans` and near-duplicates.
        speaker: (n,) codes from 0, UNKNOWN where nobody knows.
        video: (n,) likewise.
        seconds: (n,) above 0, what an answer is thought to cost (`annotator.acquisition.cost`).

    Raises:
        ValueError: these do not fit each other.
    """

    score: Floats
    probability: Floats | None = None
    latent: Floats | None = None
    speaker: Codes | None = None
    video: Codes | None = None
    seconds: Floats | None = None

    def __post_init__(self) -> None:
        if self.score.ndim != 1 or not (np.isfinite(self.score) & (self.score >= 0)).all():
            raise ValueError("expected one score a candidate, finite and not negative")
        sizes = {"probability": 2, "latent": 2, "speaker": 1, "video": 1, "seconds": 1}
        for name, dimensions in sizes.items():
            values = getattr(self, name)
            if values is not None and (values.ndim != dimensions or len(values) != len(self)):
                raise ValueError(f"expected {name} of {len(self)} candidates, got {values.shape}")
        if self.seconds is not None and not (self.seconds > 0).all():
            raise ValueError("expected seconds above 0")

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to select: `size` candidates in all, of which a share is drawn for the audit.

    Attributes:
        size: of the batch, with the audit.
        select: how; see `annotator.acquisition.selectors`.
        seed: of the audit and of power sampling.
        audit: share of `size` that is a uniform random sample of the pool.
        balance: share the batch out over the labels that are most probable.
        per_speaker: at most so many of one speaker, where the speaker is known.
        per_video: at most so many of one video.
        near: cosine of centred latents from which of two candidates one is enough; None: of all.
        per_second: go by score a second of work.
        power: β of power sampling; 0 is uniform, a large one is top.
        prefilter: candidates looked at a time, as a multiple of `size`.

    Raises:
        ValueError: a value is out of its range.
    """

    size: int
    select: SelectorName = "top"
    seed: int = 0
    audit: float = 0.1
    balance: bool = False
    per_speaker: int | None = None
    per_video: int | None = None
    near: float | None = None
    per_second: bool = False
    power: float = 1.0
    prefilter: int = PREFILTER

    def __post_init__(self) -> None:
        ranges = (
            ("size", self.size >= 1, "at least 1"),
            ("select", self.select in SELECTORS, f"one of {', '.join(SELECTORS)}"),
            ("audit", 0 <= self.audit <= 1, "a share from 0 to 1"),
            ("per_speaker", self.per_speaker is None or self.per_speaker >= 1, "at least 1"),
            ("per_video", self.per_video is None or self.per_video >= 1, "at least 1"),
            ("near", self.near is None or 0 < self.near <= 1, "a cosine above 0, at most 1"),
            ("power", 0 <= self.power < np.inf, "0 or more"),
            ("prefilter", self.prefilter >= 1, "at least 1"),
        )
        for name, fits, expected in ranges:
            if not fits:
                raise ValueError(f"expected {expected} for {name}, got {getattr(self, name)}")

    @property
    def needs_latent(self) -> bool:
        """Whether it cannot be carried out without latents."""
        return self.select in GEOMETRIC or self.near is not None


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Places in the pool: by score in the order of their choice, and the audit in pool order.

    The two have no place in common. `wanted` is how many were asked for in all; `shortfall` says,
    a line each, why there are fewer, and is empty where there are not.
    """

    chosen: Places
    audit: Places
    wanted: int
    shortfall: tuple[str, ...]
