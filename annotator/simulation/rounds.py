"""One run of rounds: choose clips, have them answered, learn, measure, and again."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.acquisition.named import score
from annotator.acquisition.pool import Plan, Pool
from annotator.acquisition.select import select
from annotator.learning.dataset import TEST, TRAIN, VALID, Dataset, Example
from annotator.learning.settings import Settings
from annotator.simulation.annotators import Annotators
from annotator.simulation.learner import DEFAULTS, fit, look, measure
from annotator.simulation.strategy import Strategy

_ANSWERS, _FIRST = range(2)  # streams of random numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all runs have in common.

    Attributes:
        first: clips that are labelled before anything is known, drawn by lot.
        batch: clips a round.
        budget: clips in all; None goes on until the pool is empty.
        steps: of the optimiser after each round.
        passes: of Monte Carlo dropout, for `bald`.
        raters: people a clip.
        settings: of the network and its training.
    """

    first: int = 100
    batch: int = 100
    budget: int | None = None
    steps: int = 300
    passes: int = 10
    raters: int = 3
    settings: Settings = field(default_factory=lambda: DEFAULTS)

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Point:
    """What the model is worth after a round."""

    labelled: int
    macro_f1: float
    mean_average_precision: float


def run_rounds(
    dataset: Dataset, annotators: Annotators, strategy: Strategy, seed: int, setup: Setup
) -> Iterator[Point]:
    """The learning curve of one strategy; the same seed has the same first clips and answers.

    Args:
        dataset: its train split is the pool; valid chooses thresholds, test measures.
        annotators: who answer.
        strategy: how each batch is chosen; no audit is drawn, for the test split stands for it.
        seed: of the first clips, the answers, the training and the choice.
        setup: the rest.
    """
    pool = answered(dataset, annotators, seed, setup)
    labelled = np.zeros(len(pool), bool)
    random = np.random.default_rng((seed, _FIRST))
    labelled[random.choice(len(pool), min(setup.first, len(pool)), replace=False)] = True
    budget = min(setup.budget or len(pool), len(pool))
    while True:
        settings = replace(setup.settings, train=replace(setup.settings.train, seed=seed))
        known = [pool[i] for i in np.flatnonzero(labelled)]
        network = fit(replace(dataset, splits={TRAIN: known}), settings, setup.steps)
        yield Point(len(known), *measure(network, dataset.split(VALID), dataset.split(TEST)))
        size = min(setup.batch, budget - len(known))
        if size <= 0:
            return
        left = np.flatnonzero(~labelled)
        usual = float(np.nansum([np.nan_to_num(one.target) >= 0.5 for one in known]) / len(known))
        passes = setup.passes if strategy.score == "bald" else 0
        seen = look(network, [pool[i] for i in left], usual, _mixed(seed, len(known)), passes)
        candidates = Pool(
            score(strategy.score, seen.predictions),
            probability=seen.probability,
            latent=seen.latent,
        )
        labelled[left[_chosen(candidates, strategy, size, _mixed(seed, len(known)))]] = True


def reference(dataset: Dataset, annotators: Annotators, seed: int, setup: Setup) -> Point:
    """What the model is worth with all clips of the pool labelled."""
    pool = answered(dataset, annotators, seed, setup)
    settings = replace(setup.settings, train=replace(setup.settings.train, seed=seed))
    network = fit(replace(dataset, splits={TRAIN: pool}), settings, setup.steps)
    return Point(len(pool), *measure(network, dataset.split(VALID), dataset.split(TEST)))


def answered(
    dataset: Dataset, annotators: Annotators, seed: int, setup: Setup
) -> Sequence[Example]:
    """The pool with what the annotators would say of each clip, were they asked."""
    pool = dataset.split(TRAIN)
    shares = np.stack([example.target for example in pool])
    answers = annotators.answers(shares, np.random.default_rng((seed, _ANSWERS)))
    return [
        replace(example, target=given, raters=setup.raters, intensity=None)
        for example, given in zip(pool, answers.astype(np.float32), strict=True)
    ]


def _chosen(pool: Pool, strategy: Strategy, size: int, seed: int) -> NDArray[np.int64]:
    plan = Plan(size, select=strategy.select, seed=seed, audit=0, balance=strategy.balance)
    return select(pool, plan).chosen


def _mixed(seed: int, place: int) -> int:
    """A seed for one round of one run."""
    return int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
