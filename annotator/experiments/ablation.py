"""What each part of LDDU is worth: the network trained without it, seed by seed.

A row is a training for each seed, in a folder of its own, so that an ablation that was killed goes
on where it was. Everything is decided on the validation split, the thresholds too; a test split is
only measured on, after all trainings, and only if that was asked for.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from annotator.errors import UsageError
from annotator.experiments.trainings import Watcher, to_learn_from
from annotator.learning.card import open_model
from annotator.learning.dataset import TEST, TRAIN, VALID, Dataset, check
from annotator.learning.evaluation import evaluate_model
from annotator.learning.networks import network_config
from annotator.learning.settings import Settings, override
from annotator.learning.training import train
from annotator.metrics.bootstrap import MeanSd, mean_sd
from annotator.metrics.evaluate import Evaluation, Summary, summarise
from annotator.metrics.tables import TITLES, UNKNOWN, Table, metric_table

MAIN = (
    "accuracy",
    "precision",
    "recall",
    "micro_f1",
    "macro_f1",
    "mean_average_precision",
    "ece",
    "brier",
    "log_loss",
    "augrc_variance",
    "sigma_error",
)  # the columns of the tables; the JSON has every metric


@dataclass(frozen=True, slots=True)
class Variant:
    """A row of the table: what it is called, and how its settings differ."""

    name: str  # of its folder
    title: str
    changes: tuple[str, ...]  # as `annotator.learning.settings.override` takes them


FULL = Variant("full", "full", ())
VARIANTS = (
    Variant("no-contrastive", "without contrastive", ("loss.beta=0",)),
    Variant("no-calibration", "without calibration", ("loss.lambda_=0",)),
    # Takes the calibration with it: there is no spread left to be ordered.
    Variant("constant-sigma", "σ constant", ("network.constant_sigma=true",)),
    Variant("no-queue", "without queue", ("loss.queue=0",)),
    Variant("error-calibration", "calibration by errors", ("loss.calibration=error",)),
    Variant("released-calibration", "released calibration", ("loss.calibration=released",)),
    Variant("released-fusion", "released fusion", ("network.fusion=released",)),
    Variant("difficulty-fusion", "fusion by difficulty", ("network.fusion=difficulty",)),
    # The paper has 3q classes; the released code makes another 3q of the absent labels.
    Variant("no-absent-classes", "no classes of absent labels", ("loss.absent_classes=false",)),
    Variant("mixture", "mixture of 3 Gaussians", ("network.components=3",)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One variant over the seeds, and how far it is from the full model, seed by seed."""

    variant: Variant
    evaluations: tuple[Evaluation, ...]  # one a seed, in the order of the seeds
    summary: Summary
    difference: Mapping[str, MeanSd]  # this less full with the same seed, by metric


@dataclass(frozen=True, slots=True)
class Ablation:
    """All rows, the full model first; `same` are variants that are the full model itself."""

    dataset: str
    split: str
    seeds: tuple[int, ...]
    settings: Settings  # of the full model
    rows: tuple[Row, ...]
    same: tuple[Variant, ...]

    def table(self) -> Table:
        """One row a variant, one column a main metric: mean ± sd over the seeds."""
        return metric_table({row.variant.title: _main(row.summary) for row in self.rows}).turned()

    def differences(self) -> Table:
        """The same less the full model with the same seed, mean ± sd over the seeds."""
        header = ("", *(TITLES[name] for name in MAIN))
        rows = (
            (row.variant.title, *(signed(row.difference[name]) for name in MAIN))
            for row in self.rows[1:]
        )
        return Table(header, tuple(rows))

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "seeds": list(self.seeds),
            "settings": self.settings.to_json(),
            "rows": {row.variant.name: _row_json(row, self.seeds) for row in self.rows},
            "same_as_full": [variant.name for variant in self.same],
        }


def ablate(
    dataset: Dataset,
    settings: Settings,
    out: Path,
    *,
    seeds: Sequence[int],
    device: torch.device,
    watcher: Watcher,
    split: str = VALID,
    variants: Sequence[Variant] = VARIANTS,
) -> Ablation:
    """Train the full model and its variants with each seed, and measure them on one split.

    Args:
        dataset: with a train and a valid split.
        settings: of the full model; its seed gives way to `seeds`.
        out: a folder of this ablation alone; the trainings lie in `out/<variant>/seed-<n>`.
        seeds: of the trainings; differences are between trainings of the same seed.
        device: where the networks run.
        watcher: told of every training.
        split: valid or test. Thresholds come from valid, which flatters its own F1 a little.
        variants: the rows beside the full model; those that do not differ from it are left out.

    Raises:
        UsageError: data, seeds or settings will not do, or `out` is of another ablation.
        EnvironmentFault: the disk is full.
    """
    _demand_seeds(seeds)
    if split not in (VALID, TEST):
        raise UsageError(f"an ablation is measured on valid or test, got {split!r}")
    check(dataset, dict.fromkeys((TRAIN, VALID, split)))
    given = {variant: override(settings, variant.changes) for variant in (FULL, *variants)}
    same = tuple(v for v in variants if given[v] == settings)
    chosen = {v: s for v, s in given.items() if v not in same}
    for varied in chosen.values():
        network_config(dataset, varied)  # a wrong one is to be refused before hours of training
    models = _train_all(to_learn_from(dataset), chosen, seeds, out, device, watcher)
    found = {
        key: evaluate_model(open_model(folder), dataset, split, device=device, resamples=0)
        for key, folder in models.items()
    }
    full = [found[FULL, seed] for seed in seeds]
    rows = (_row(variant, [found[variant, seed] for seed in seeds], full) for variant in chosen)
    return Ablation(dataset.name, split, tuple(seeds), settings, tuple(rows), same)


def _train_all(
    dataset: Dataset,
    chosen: Mapping[Variant, Settings],
    seeds: Sequence[int],
    out: Path,
    device: torch.device,
    watcher: Watcher,
) -> dict[tuple[Variant, int], Path]:
    """The folders of the models; seed by seed, so that all rows grow alike."""
    models: dict[tuple[Variant, int], Path] = {}
    for seed in seeds:
        for variant, varied in chosen.items():
            name = f"{variant.name}/seed-{seed}"
            watcher.training(name, len(models) + 1, len(chosen) * len(seeds))
            models[variant, seed] = train(
                dataset,
                override(varied, [f"train.seed={seed}"]),
                out / name,
                device=device,
                watcher=watcher,
            )
    return models


def signed(difference: MeanSd) -> str:
    """A difference with its deviation, to three places.

    >>> signed(MeanSd(-0.0125, 0.004)), signed(MeanSd(0.5, float("nan")))
    ('−0.013 ± 0.004', '+0.500')
    """
    if math.isnan(difference.mean):
        return UNKNOWN
    spread = "" if math.isnan(difference.sd) else f" ± {difference.sd:.3f}"
    return f"{difference.mean:+.3f}".replace("-", "−") + spread


def _demand_seeds(seeds: Sequence[int]) -> None:
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        given = ", ".join(map(str, seeds)) or "none"
        raise UsageError(f"an ablation needs different seeds from 0 on, at least one, got {given}")


def _row(variant: Variant, ours: Sequence[Evaluation], full: Sequence[Evaluation]) -> Row:
    difference = {
        name: mean_sd(
            [a.metrics[name].value - b.metrics[name].value for a, b in zip(ours, full, strict=True)]
        )
        for name in ours[0].metrics
    }
    return Row(variant, tuple(ours), summarise(ours), difference)


def _main(summary: Summary) -> Summary:
    return replace(summary, metrics={name: summary.metrics[name] for name in MAIN})


def _row_json(row: Row, seeds: Sequence[int]) -> dict[str, Any]:
    apart = replace(row.summary, metrics=row.difference, per_label={})
    by_seed = zip(seeds, row.evaluations, strict=True)
    return {
        "title": row.variant.title,
        "changes": list(row.variant.changes),
        "summary": row.summary.to_json(),
        "difference": apart.to_json()["metrics"],
        "seeds": {str(seed): evaluation.to_json() for seed, evaluation in by_seed},
    }
