"""Which labelled clips are learnt from, which choose, and which only decide: the same every round.

Speakers, and videos where the speaker is unknown, go to train, valid or test by a hash of their
own, so new answers move none of those that were there: what was held out once is never learnt from.
The hash has a seed. For a first fine-tuning it is the first that gives each part enough to measure;
later ones take it over from the model they start from.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from annotator.datasets.splits import hashed_split
from annotator.errors import UsageError
from annotator.learning.dataset import SPLITS, TEST, TRAIN, Example
from annotator.metrics.multilabel import PRESENT

SEEDS = 1000  # that are tried: with four speakers one in seventeen serves
TEST_GROUPS = 2  # one alone has no interval
LEAST_GROUPS = TEST_GROUPS + 2  # one to train, one to validate

Parts = Mapping[str, Sequence[Example]]


class TooFewLabels(UsageError):
    """What people have labelled so far cannot teach or measure anything; more of it may."""


@dataclass(frozen=True, slots=True)
class Split:
    """The shares of speakers or videos, and the seed of their hash; None until it is chosen."""

    valid: float
    test: float
    seed: int | None = None


def hold_out(
    examples: Sequence[Example], split: Split, always: Collection[str]
) -> tuple[Split, Parts]:
    """The three parts, and the split with its seed.

    Args:
        examples: labelled clips; a target of just one half decides nothing in the held-out parts.
        split: the shares, and the seed if it is chosen already.
        always: groups that are test whatever their hash.

    Raises:
        TooFewLabels: a part would have too little to learn from or to measure by.
    """
    demand_enough(examples)
    for seed in range(SEEDS) if split.seed is None else (split.seed,):
        parts = parted(examples, replace(split, seed=seed), always)
        if all(_measures(parts[name]) for name in SPLITS) and _groups(parts[TEST]) >= TEST_GROUPS:
            return replace(split, seed=seed), parts
    raise TooFewLabels(
        f"the labelled clips of {_groups(examples)} speakers or videos cannot be parted so that "
        "train, valid and test each have clips with a label and clips without it, and "
        f"{TEST_GROUPS} speakers or videos in test: label clips of more of them"
    )


def parted(examples: Sequence[Example], split: Split, always: Collection[str]) -> Parts:
    """The parts of a split whose seed is chosen."""
    if split.seed is None:
        raise ValueError("expected a split with its seed")
    parts: dict[str, list[Example]] = {name: [] for name in SPLITS}
    for example in examples:
        hashed = hashed_split(example.group, split.seed, split.valid, split.test)
        name = TEST if example.group in always else hashed
        parts[name].append(example if name == TRAIN else _decided(example))
    return parts


def demand_enough(examples: Sequence[Example]) -> None:
    """Refuse clips that cannot teach anything, however they are parted.

    Raises:
        TooFewLabels: fewer clips than labels, too few speakers or videos, or all answers alike.
    """
    labels = len(examples[0].target) if examples else 1
    if len(examples) < labels:
        raise TooFewLabels(
            f"{len(examples)} labelled clips for {labels} labels: expected at least as many clips "
            "as labels, and better a hundred; label more of them"
        )
    if _groups(examples) < LEAST_GROUPS:
        raise TooFewLabels(
            f"the labelled clips are of {_groups(examples)} speakers or videos, expected at least "
            f"{LEAST_GROUPS}, for a split never cuts through one: label clips of others, or name "
            "the speakers in a manifest"
        )
    if not _measures(examples):
        raise TooFewLabels(
            f"all {len(examples)} labelled clips were given the same answer: there is nothing to "
            "tell apart; label clips with other emotions"
        )


def _measures(examples: Sequence[Example]) -> bool:
    """Whether a label is there in some clips and not in others."""
    if not examples:
        return False
    targets = np.stack([example.target for example in examples])
    present, absent = targets >= PRESENT, targets < PRESENT
    return bool((present.any(axis=0) & absent.any(axis=0)).any())


def _decided(example: Example) -> Example:
    """Ties as unknown."""
    target = np.where(example.target == PRESENT, np.float32(np.nan), example.target)
    return replace(example, target=target)


def _groups(examples: Sequence[Example]) -> int:
    return len({example.group for example in examples})
