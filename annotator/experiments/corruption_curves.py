"""What a network makes of ever worse input: is it less sure, and does it fail gracefully?

The clips a corruption cannot touch are left out of its curve, clean or not. Uncertainty is compared
clip by clip with the clean input. `variance` is made of ‖σ‖, of which each modality's sees that
modality alone, but for a factor that reads the answer where the network has one. `entropy` is that
of ŷ, which sees all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from annotator.errors import UsageError
from annotator.experiments.corruption_verdicts import (
    QUALITIES,
    Fall,
    Rise,
    fall,
    prior_quality,
)
from annotator.experiments.corruption_words import word_corruptions
from annotator.experiments.diagnosis_finding import plain
from annotator.learning.answers import answer
from annotator.learning.corruption import (
    CORRUPTIONS,
    Scale,
    Spoilt,
    Way,
    corrupt,
    scales,
)
from annotator.learning.dataset import TRAIN, Dataset, Example, check
from annotator.learning.evaluation import demand_fit
from annotator.learning.facts import thresholds_of
from annotator.metrics.bootstrap import RESAMPLES, bootstrap
from annotator.metrics.evaluate import Answers
from annotator.metrics.inputs import Array, mean_clips, mean_labels
from annotator.metrics.multilabel import average_precision, count
from annotator.metrics.uncertainty import spearman
from annotator.types import Modality
from lddu_model import LDDU, Checkpoint

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
UNCERTAINTIES = ("variance", "entropy")
REAL: tuple[Spoilt, ...] = ("media", "words")  # that can be spoilt themselves


@dataclass(frozen=True, slots=True)
class Point:
    """Means and measures at one strength."""

    strength: float
    variance: float
    entropy: float
    micro_f1: float
    mean_average_precision: float


@dataclass(frozen=True, slots=True)
class Curve:
    """One corruption at every strength, the clean input first."""

    name: str
    kind: str
    modality: Modality
    spoilt: Spoilt  # of words and media features were made anew
    clips: int
    points: tuple[Point, ...]
    rises: Mapping[str, Rise]  # by UNCERTAINTIES
    falls: Mapping[str, Fall]  # by QUALITIES

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        return {
            "name": self.name,
            "kind": self.kind,
            "modality": self.modality,
            "spoilt": self.spoilt,
            "clips": self.clips,
            "points": [{k: plain(v) for k, v in asdict(p).items()} for p in self.points],
            "rises": {
                name: {
                    "rises": rise.rises,
                    "spearman": plain(rise.spearman),
                    "difference": {k: plain(v) for k, v in asdict(rise.difference).items()},
                }
                for name, rise in self.rises.items()
            },
            "falls": {
                name: {"graceful": fall.graceful, **_plain(fall)}
                for name, fall in self.falls.items()
            },
        }


@dataclass(frozen=True, slots=True)
class CorruptionCurves:
    """All corruptions on one split; `proxy` says what of them was not done to media or words."""

    dataset: str
    split: str
    curves: tuple[Curve, ...]

    @property
    def proxy(self) -> str:
        """For people."""
        clips = {curve.spoilt: curve.clips for curve in self.curves}
        real = [
            f"{what} of {clips[what]} clip{'s' * (clips[what] != 1)}"
            for what in REAL
            if what in clips
        ]
        spared = [what for what in REAL if what not in clips]
        if not real:
            return "feature space: no media or words were spoilt"
        rest = f": no {spared[0]} were" if spared else ""
        return f"{' and '.join(real)} were spoilt; all else in feature space{rest}"

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "proxy": self.proxy,
            "curves": [curve.to_json() for curve in self.curves],
        }


def corrupt_test(
    model: Checkpoint,
    dataset: Dataset,
    split: str,
    *,
    device: torch.device,
    strengths: Sequence[float] = STRENGTHS,
    corruptions: Sequence[Way] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> CorruptionCurves:
    """Spoil a split in every way and measure at every strength.

    By default features, and words where the corpus has them. Corruptions of a modality that no clip
    has give no curve.

    Args:
        model: with the labels and features of the corpus.
        dataset: the answer that knows only the prior is of its train split, or if it has none of
            the same clips, where it is harder to beat.
        split: which examples.
        device: where the network runs.
        strengths: rising, above 0 and up to 1.
        corruptions: the ways; by default all that need no media.
        resamples: of the bootstrap over groups, 0 for no intervals.
        seed: of the corruptions and the bootstrap.

    Raises:
        UsageError: strengths will not do, a split is empty, or the model does not fit the corpus.
    """
    steps = np.diff((0.0, *strengths))
    if not strengths or not (steps > 0).all() or strengths[-1] > 1:
        given = ", ".join(map(str, strengths)) or "none"
        raise UsageError(f"strengths must rise from above 0 up to 1 at most, got {given}")
    examples = dataset.split(split)
    known = TRAIN if dataset.splits.get(TRAIN) else split  # of a corpus that is only to test on
    check(dataset, dict.fromkeys((split, known)))
    demand_fit(model, dataset)
    test = _Test(
        network=model.network.to(device),
        thresholds=np.array(thresholds_of(model.metadata, dataset.labels)),
        prior=np.stack([e.target for e in dataset.split(known)]),
        strengths=(0.0, *strengths),
        device=device,
        resamples=resamples,
        seed=seed,
    )
    if corruptions is None:
        corruptions = (*CORRUPTIONS, *word_corruptions(dataset, examples))
    scale = scales(examples)
    curves = [
        test.curve(way, clips, scale[way.modality])
        for way in corruptions
        if (clips := [example for example in examples if way.affects(example)])
    ]
    return CorruptionCurves(dataset.name, split, tuple(curves))


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """What all curves of a test have in common."""

    network: LDDU
    thresholds: Array
    prior: Array  # (n, q), the targets that the prior is of
    strengths: tuple[float, ...]  # 0 first
    device: torch.device
    resamples: int
    seed: int

    def curve(self, way: Way, clips: Sequence[Example], scale: Scale) -> Curve:
        answers = [
            answer(
                self.network,
                corrupt(way, clips, s, scale, self.seed) if s else clips,
                self.device,
            )
            for s in self.strengths
        ]
        points = tuple(
            Point(
                s,
                float(a.variance.mean()),
                float(a.entropy.mean()),
                float(count(a.probability, a.target, self.thresholds).pooled().f1),
                float(mean_labels(average_precision(a.probability, a.target))),
            )
            for s, a in zip(self.strengths, answers, strict=True)
        )
        rises = {name: self._rise(name, points, answers) for name in UNCERTAINTIES}
        floors = prior_quality(self.prior, answers[0].target)
        falls = {name: fall([getattr(p, name) for p in points], floors[name]) for name in QUALITIES}
        return Curve(way.name, way.kind, way.modality, way.of, len(clips), points, rises, falls)

    def _rise(self, name: str, points: Sequence[Point], answers: Sequence[Answers]) -> Rise:
        apart = getattr(answers[-1], name) - getattr(answers[0], name)
        found = bootstrap(
            lambda weight: {name: mean_clips(apart, weight)},
            answers[0].groups,
            resamples=self.resamples,
            seed=self.seed,
        )
        rho = spearman(self.strengths, [getattr(p, name) for p in points])
        return Rise(float(rho), found[name])


def _plain(fall: Fall) -> dict[str, Any]:
    return {k: plain(v) if isinstance(v, float) else v for k, v in asdict(fall).items()}
