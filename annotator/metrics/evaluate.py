"""Every number `annotate eval` reports, with intervals, from a model's answers on one split.

The metrics' names are stable: they are the keys of the JSON. `precision` and `recall` are micro;
`accuracy` is the mean sample Jaccard with the published convention for empty clips; `risk` is the
mean loss 1 − Jaccard in which silence about an empty clip is right. `aurc_*` and `augrc_*` order
this loss by the model's variance or entropy; `excess_*` is the distance to the best order.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annotator.metrics import calibration, multilabel, selective
from annotator.metrics.bootstrap import RESAMPLES, Interval, MeanSd, bootstrap, mean_sd
from annotator.metrics.inputs import Array, checked, mean_clips, mean_labels
from annotator.metrics.uncertainty import agreement, vote_entropy
from annotator.types import MODALITIES

Key = tuple[str, str | None]  # metric, and label or None for all labels together
Measured = dict[Key, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model said of n clips and what people did; q labels.

    `target` is the share of raters, NaN where nobody was asked. `sigma_norm` is NaN where the clip
    lacks the modality, and None if the model has no σ. A group is a video or speaker.

    Raises:
        ValueError: the shapes do not fit.
    """

    labels: tuple[str, ...]
    probability: Array  # (n, q)
    target: Array  # (n, q)
    variance: Array  # (n,)
    entropy: Array  # (n,)
    groups: Sequence[str]  # (n,)
    sigma_norm: Array | None = None  # (n, q, 3): visual, audio, text
    raters: ArrayLike | None = None  # (n,), 0 where unknown

    def __post_init__(self) -> None:
        checked(self.probability, self.target)
        n, q = self.probability.shape
        _expect("labels", (len(self.labels),), (q,))
        for name in ("variance", "entropy", "groups"):
            _expect(name, np.shape(getattr(self, name)), (n,))
        if self.sigma_norm is not None:
            _expect("sigma_norm", self.sigma_norm.shape, (n, q, len(MODALITIES)))
        if self.raters is not None:
            _expect("raters", np.shape(self.raters), (n,))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The numbers of one model on one split; NaN is unknown."""

    labels: tuple[str, ...]
    clips: int
    groups: int
    resamples: int
    seed: int
    thresholds: tuple[float, ...]  # (q,)
    known: tuple[int, ...]  # (q,): clips of which raters were asked about the label
    positives: tuple[int, ...]  # (q,): clips where it is present
    metrics: Mapping[str, Interval]
    per_label: Mapping[str, Mapping[str, Interval]]  # metric → label

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        described = {
            label: {"threshold": threshold, "known": known, "positives": positives}
            for label, threshold, known, positives in zip(
                self.labels, self.thresholds, self.known, self.positives, strict=True
            )
        }
        return {
            "clips": self.clips,
            "groups": self.groups,
            "resamples": self.resamples,
            "seed": self.seed,
            "labels": described,
            **_numbers(self.metrics, self.per_label),
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of one setting over several training seeds."""

    labels: tuple[str, ...]
    seeds: int
    metrics: Mapping[str, MeanSd]
    per_label: Mapping[str, Mapping[str, MeanSd]]

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        numbers = _numbers(self.metrics, self.per_label)
        return {"labels": list(self.labels), "seeds": self.seeds, **numbers}


def evaluate(
    answers: Answers,
    *,
    thresholds: ArrayLike = 0.5,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Measure everything, with bootstrap intervals over groups.

    `thresholds`, one or (q,), come from the validation split (`thresholds.f1_thresholds`).
    """
    found = bootstrap(
        partial(measure, answers, thresholds), answers.groups, resamples=resamples, seed=seed
    )
    q = len(answers.labels)
    decided = multilabel.decide(answers.probability, answers.target, thresholds)
    return Evaluation(
        labels=answers.labels,
        clips=len(answers.probability),
        groups=len(set(answers.groups)),
        resamples=resamples,
        seed=seed,
        thresholds=tuple(np.broadcast_to(np.asarray(thresholds, float), q).tolist()),
        known=tuple(decided.known.sum(axis=0).tolist()),
        positives=tuple(decided.present.sum(axis=0).tolist()),
        metrics={name: value for (name, label), value in found.items() if label is None},
        per_label={
            name: {label: found[name, label] for label in answers.labels}
            for name in dict.fromkeys(name for name, label in found if label is not None)
        },
    )


def summarise(evaluations: Sequence[Evaluation]) -> Summary:
    """Mean and standard deviation of each value over the seeds of one setting.

    Raises:
        ValueError: there is none, or they are of different labels.
    """
    if len({evaluation.labels for evaluation in evaluations}) != 1:
        raise ValueError("expected evaluations of the same labels, at least one, to summarise")
    first = evaluations[0]
    return Summary(
        first.labels,
        len(evaluations),
        {name: mean_sd([e.metrics[name].value for e in evaluations]) for name in first.metrics},
        {
            name: {
                label: mean_sd([e.per_label[name][label].value for e in evaluations])
                for label in first.labels
            }
            for name in first.per_label
        },
    )


def measure(answers: Answers, thresholds: ArrayLike, weight: Array) -> Measured:
    """Every metric under one weight (..., n) of the clips: (...,) each."""
    return {
        **_decisions(answers, thresholds, weight),
        **_calibration(answers, weight),
        **_selective(answers, thresholds, weight),
        **_uncertainty(answers, weight),
    }


def _decisions(answers: Answers, thresholds: ArrayLike, weight: Array) -> Measured:
    asked = (answers.probability, answers.target, thresholds, weight)
    counted = multilabel.count(*asked)
    pooled = counted.pooled()
    precision = multilabel.average_precision(answers.probability, answers.target, weight)
    return {
        ("accuracy", None): multilabel.accuracy(*asked),
        ("precision", None): pooled.precision,
        ("recall", None): pooled.recall,
        ("micro_f1", None): pooled.f1,
        ("macro_f1", None): mean_labels(counted.f1),
        ("mean_average_precision", None): mean_labels(precision),
        ("uar", None): mean_labels(counted.uar),
        ("sample_precision", None): multilabel.sample_precision(*asked),
        ("sample_recall", None): multilabel.sample_recall(*asked),
        **_by_label("precision", counted.precision, answers.labels),
        **_by_label("recall", counted.recall, answers.labels),
        **_by_label("f1", counted.f1, answers.labels),
        **_by_label("average_precision", precision, answers.labels),
    }


def _calibration(answers: Answers, weight: Array) -> Measured:
    p, y = answers.probability, answers.target
    measured: Measured = {}
    for name, values in (
        ("ece", calibration.expected_calibration_error(p, y, weight=weight)),
        ("ece_mass", calibration.expected_calibration_error(p, y, binning="mass", weight=weight)),
        ("brier", calibration.brier(p, y, weight)),
        ("log_loss", calibration.log_loss(p, y, weight)),
    ):
        measured[name, None] = mean_labels(values)
        measured |= _by_label(name, values, answers.labels)
    return measured


def _selective(answers: Answers, thresholds: ArrayLike, weight: Array) -> Measured:
    loss = 1 - multilabel.sample_jaccard(answers.probability, answers.target, thresholds, empty=1.0)
    measured: Measured = {("risk", None): mean_clips(loss, weight)}
    for by in ("variance", "entropy"):
        for name, area in (("aurc", selective.aurc), ("augrc", selective.augrc)):
            found = area(getattr(answers, by), loss, weight)
            measured[f"{name}_{by}", None] = found.value
            measured[f"excess_{name}_{by}", None] = found.excess
    return measured


def _uncertainty(answers: Answers, weight: Array) -> Measured:
    """Spearman of σ with the error and, if the raters are known, with their disagreement."""
    if answers.sigma_norm is None:
        return {}
    compared = {"sigma_error": np.abs(answers.probability - answers.target)}
    if answers.raters is not None:
        compared["sigma_votes"] = vote_entropy(answers.target, answers.raters)
    measured: Measured = {}
    for name, other in compared.items():
        found = agreement(answers.sigma_norm, other, weight)
        measured[name, None] = found.pooled
        for place, modality in enumerate(MODALITIES):
            measured[f"{name}_{modality}", None] = found.per_modality[..., place]
        measured |= _by_label(name, found.per_label, answers.labels)
    return measured


def _by_label(name: str, values: Array, labels: Sequence[str]) -> Measured:
    return {(name, label): values[..., place] for place, label in enumerate(labels)}


def _numbers(
    metrics: Mapping[str, Interval] | Mapping[str, MeanSd],
    per_label: Mapping[str, Mapping[str, Interval]] | Mapping[str, Mapping[str, MeanSd]],
) -> dict[str, Any]:
    return {
        "metrics": {name: _plain(number) for name, number in metrics.items()},
        "per_label": {
            name: {label: _plain(number) for label, number in by_label.items()}
            for name, by_label in per_label.items()
        },
    }


def _plain(number: Interval | MeanSd) -> dict[str, float | None]:
    fields = ("value", "low", "high") if isinstance(number, Interval) else ("mean", "sd")
    found = {name: getattr(number, name) for name in fields}
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def _expect(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ValueError(f"expected {name} of shape {expected}, got {found}")
