"""Random data of CMU-MOSEI's aligned shape, and ways of doing the same, timed in turns."""

import math
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from lddu_model import MODALITIES, Config, InputSpec

LABELS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
STEPS = 50  # of every modality, longer ones cut
MEDIAN_STEPS, SPREAD = 20, 0.6  # of the log-normal lengths: sentences of about 20 words
PREVALENCE = 0.25  # of each label
POOL = 20  # batches whose samples are sorted by length together, as in training
BUCKETS = 5  # of them are timed, evenly spaced from the shortest to the longest

CONFIG = Config(
    labels=LABELS,
    visual=InputSpec(35, positions=60),
    audio=InputSpec(74, positions=60),
    text=InputSpec(768, positions=60),
)

Batch = dict[str, Tensor]


def dense_batch(size: int, steps: int = STEPS, seed: int = 0) -> Batch:
    """Features (size, steps, dim) for each modality."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {m: (size, steps, CONFIG.spec(m).dim) for m in MODALITIES}
    return {m: torch.randn(shape, generator=generator) for m, shape in shapes.items()}


def targets(size: int, seed: int = 0) -> Tensor:
    """(size, q) of 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(size, len(LABELS), generator=generator) < PREVALENCE).float()


def pool_lengths(size: int, seed: int = 0) -> Tensor:
    """(POOL, size), sorted: the lengths of each bucketed batch of one pool."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(POOL * size, generator=generator)
    lengths = (math.log(MEDIAN_STEPS) + SPREAD * normal).exp().round().clamp(1, STEPS)
    return lengths.long().sort().values.view(POOL, size)


def bucketed_batches(size: int) -> list[Batch]:
    """BUCKETS batches with lengths, as aligned data has them: the same in every modality."""
    every = POOL // BUCKETS
    batches = []
    for lengths in pool_lengths(size)[every // 2 :: every]:
        batch = dense_batch(size, int(lengths.max()))
        batches.append(batch | {f"{m}_length": lengths for m in MODALITIES})
    return batches


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each way; all have their turn in each round, after one for warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


def product_seconds(way: Callable[[], object]) -> float:
    """What the matrix products of a way alone need, at the rate of large ones: the way's floor."""
    with FlopCounterMode(display=False) as counter:
        way()
    square = torch.randn(2048, 2048)
    seconds = in_turns({"product": lambda: square @ square}, rounds=9)["product"]
    return float(counter.get_total_flops() / (2 * 2048**3) * seconds)


def length_text(size: int) -> str:
    """What the lengths are, in words."""
    lengths = pool_lengths(size).float()
    return (
        f"lengths log-normal, median {lengths.median():.0f}, mean {lengths.mean():.1f} "
        f"of {STEPS} steps, sorted over {POOL} batches"
    )
