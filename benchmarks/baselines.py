"""LDDU beside simpler networks that are trained on the same data in the same way.

    python benchmarks/baselines.py DATA
    python benchmarks/baselines.py DATA --seeds 0 1 2 --epochs 10 --set network.hidden=64

DATA is anything `annotate train` takes. Settings, batches, modality dropout, optimiser, schedule,
early stopping and thresholds are LDDU's own, and only the validation split decides; the numbers are
of the test split, or of validation if there is none. They are mean ± sd over the seeds. Only LDDU
has a σ: the others' variance is the entropy of their answer.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from annotator.acquisition import scores
from annotator.datasets.open import open_dataset
from annotator.errors import AnnotateError
from annotator.features.collate import collate
from annotator.learning.answers import BATCH
from annotator.learning.batches import (
    Index,
    Mask,
    epoch_batches,
    keep_modalities,
    lengths_of,
    positive_weights,
)
from annotator.learning.card import open_model
from annotator.learning.dataset import TEST, TRAIN, VALID, Dataset, Example, check
from annotator.learning.epochs import Unwatched
from annotator.learning.evaluation import evaluate_model
from annotator.learning.networks import network_config
from annotator.learning.settings import Settings, override
from annotator.learning.training import train
from annotator.learning.validation import score, validate
from annotator.metrics.evaluate import Answers, Evaluation, Summary, evaluate, summarise
from annotator.metrics.inputs import Array
from annotator.metrics.tables import Table, as_json, metric_table
from annotator.predict import choose_device
from annotator.types import MODALITIES
from baseline_networks import Baseline, CaratStyle, LateFusion
from lddu_model import Config
from lddu_model.losses import LossConfig
from lddu_model.optimisation import adamw, warmup_cosine

SHOWN = (
    "accuracy",
    "micro_f1",
    "macro_f1",
    "mean_average_precision",
    "ece",
    "brier",
    "log_loss",
    "augrc_variance",
    "augrc_entropy",
)  # in the table; the JSON has every metric

Predict = Callable[[Sequence[Example]], Array]  # the probabilities (n, q) of examples
Make = Callable[[Config, LossConfig, Tensor], Baseline]


@dataclass(frozen=True, slots=True)
class Task:
    """What every system is trained and measured on."""

    dataset: Dataset
    settings: Settings
    split: str  # that the numbers are of
    device: torch.device


def prior(task: Task) -> Evaluation:
    """Always say how frequent each label is in training."""
    targets = np.stack([example.target for example in task.dataset.split(TRAIN)])
    frequency = np.nan_to_num(np.nanmean(targets.astype(np.float64), axis=0))
    return judge(task, lambda examples: np.tile(frequency, (len(examples), 1)))


def baseline(make: Make, task: Task) -> Evaluation:
    """Train a network of `baseline_networks`."""
    train_settings = task.settings.train
    targets = np.stack([example.target for example in task.dataset.split(TRAIN)])
    weight = torch.from_numpy(positive_weights(targets, train_settings.balance)).float()
    config = network_config(task.dataset, task.settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(train_settings.seed)
        network = make(config, task.settings.loss, weight).to(task.device)
    fit(network, task)
    return judge(task, partial(predict, network, task.device))


def lddu(changes: Iterable[str], task: Task) -> Evaluation:
    """Train ours, with some settings changed."""
    settings = override(task.settings, changes)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "training"
        train(task.dataset, settings, out, device=task.device, watcher=Unwatched())
        model = open_model(out)
    return evaluate_model(model, task.dataset, task.split, device=task.device, resamples=0)


SYSTEMS: Mapping[str, Callable[[Task], Evaluation]] = {
    "prior": prior,
    "late fusion": partial(baseline, LateFusion),
    "CARAT-style": partial(baseline, CaratStyle),
    "LDDU": partial(lddu, ()),
    "LDDU, released calibration": partial(lddu, ("loss.calibration=released",)),
}


def compare(
    task: Task, seeds: Iterable[int], systems: Mapping[str, Callable[[Task], Evaluation]] = SYSTEMS
) -> dict[str, Summary]:
    """Train every system with every seed.

    Raises:
        UsageError: the data or the settings cannot be trained on.
    """
    check(task.dataset, dict.fromkeys((TRAIN, VALID, task.split)))
    tasks = {
        seed: replace(task, settings=override(task.settings, [f"train.seed={seed}"]))
        for seed in seeds
    }
    found: dict[str, list[Evaluation]] = {name: [] for name in systems}
    for name, system in systems.items():
        for seed, seeded in tasks.items():
            began = time.perf_counter()
            found[name].append(system(seeded))
            print(f"{name}, seed {seed}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return {name: summarise(evaluations) for name, evaluations in found.items()}


def fit(network: Baseline, task: Task) -> None:
    """Train as `annotator.learning.training` does; the network has the best epoch's weights."""
    t, valid = task.settings.train, task.dataset.split(VALID)
    optimiser = adamw(network, t.learning_rate, t.weight_decay)
    best, best_epoch, kept = -np.inf, 0, network.state_dict()
    for epoch in range(t.epochs):
        train_epoch(network, optimiser, task, epoch)
        answers = as_answers(predict(network, task.device, valid), task.dataset, valid)
        reached = score(validate(answers), t.criterion)
        if reached > best:
            best, best_epoch = reached, epoch
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        elif 0 < t.patience <= epoch - best_epoch:
            break
    network.load_state_dict(kept)


def train_epoch(
    network: Baseline, optimiser: torch.optim.Optimizer, task: Task, epoch: int
) -> None:
    """Every example once, in the batches that LDDU has in this epoch."""
    t, examples = task.settings.train, task.dataset.split(TRAIN)
    lengths = lengths_of(examples)
    batches = epoch_batches(lengths, t.batch, t.seed, epoch)
    kept = keep_modalities(lengths, t.modality_dropout, t.seed, epoch)
    network.train()
    with torch.random.fork_rng([task.device] if task.device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence([t.seed, epoch, 0]).generate_state(1)[0]))
        for place, batch in enumerate(batches):
            inputs, target = _batch(examples, batch, kept, task.device)
            with _mixed(task.device):
                loss = network.loss(inputs, target)
            (loss / t.accumulate).backward()
            if (place + 1) % t.accumulate == 0 or place + 1 == len(batches):
                step, steps = epoch * len(batches) + place, t.epochs * len(batches)
                rate = t.learning_rate * warmup_cosine(step, steps, t.warmup)
                _step(network, optimiser, rate, t.clip)


def predict(network: Baseline, device: torch.device, examples: Sequence[Example]) -> Array:
    """(n, q), the probabilities of examples, those of like length together."""
    network.eval()
    order = np.argsort(lengths_of(examples).sum(axis=1), kind="stable")
    parts = []
    for start in range(0, len(order), BATCH):
        inputs = collate([examples[i].features for i in order[start : start + BATCH]])
        with torch.inference_mode(), _mixed(device):
            answer = network({name: value.to(device) for name, value in inputs.items()})
        parts.append(answer.double().cpu().numpy())
    found = np.concatenate(parts)
    return np.asarray(found[np.argsort(order)])


def judge(task: Task, predict: Predict) -> Evaluation:
    """All metrics on the task's split, at the thresholds that serve the validation split best."""
    valid, examples = task.dataset.split(VALID), task.dataset.split(task.split)
    chosen = validate(as_answers(predict(valid), task.dataset, valid)).thresholds
    answers = as_answers(predict(examples), task.dataset, examples)
    return evaluate(answers, thresholds=chosen, resamples=0)


def as_answers(probability: Array, dataset: Dataset, examples: Sequence[Example]) -> Answers:
    """What the metrics take, of a system without σ."""
    entropy = scores.entropy(probability)
    return Answers(
        labels=dataset.labels,
        probability=probability,
        target=np.stack([example.target for example in examples]).astype(np.float64),
        variance=entropy,
        entropy=entropy,
        groups=[example.group for example in examples],
    )


def _batch(
    examples: Sequence[Example], batch: Index, kept: Mask, device: torch.device
) -> tuple[dict[str, Tensor], Tensor]:
    """The network's input without the modalities hidden in this epoch, and the targets."""
    clips = [
        {m: v for m, v in examples[i].features.items() if kept[i, MODALITIES.index(m)]}
        for i in batch
    ]
    inputs = {name: value.to(device) for name, value in collate(clips).items()}
    target = torch.from_numpy(np.stack([examples[i].target for i in batch]))
    return inputs, target.float().to(device)


def _step(network: nn.Module, optimiser: torch.optim.Optimizer, rate: float, clip: float) -> None:
    torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    optimiser.zero_grad()


def _mixed(device: torch.device) -> torch.autocast:
    """Mixed precision where LDDU's training has it, on a GPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def shown(results: Mapping[str, Summary]) -> Table:
    """One row a main metric, one column a system."""
    return metric_table(
        {
            name: replace(found, metrics={metric: found.metrics[metric] for metric in SHOWN})
            for name, found in results.items()
        }
    )


def as_text(table: Table) -> str:
    """A table in columns.

    >>> print(as_text(Table(("", "prior"), (("mi-F1", "0.5"),))))
           prior
    mi-F1    0.5
    """
    lines = (table.header, *table.rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def main() -> None:
    """Train everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="short for --set train.epochs=...")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="TABLE.NAME=VALUE")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true", help="every metric, by label too")
    options = parser.parse_args()
    epochs = [] if options.epochs is None else [f"train.epochs={options.epochs}"]
    try:
        settings = override(Settings(), [*options.set, *epochs])
        dataset = open_dataset(options.data)
        split = TEST if dataset.splits.get(TEST) else VALID
        task = Task(dataset, settings, split, choose_device(options.device))
        results = compare(task, dict.fromkeys(options.seeds))
    except AnnotateError as error:
        raise SystemExit(str(error)) from error
    if options.json:
        print(as_json(results))
        return
    counts = ", ".join(f"{len(examples)} {name}" for name, examples in dataset.splits.items())
    print(f"{dataset.name} ({counts}), measured on {split}, {len(set(options.seeds))} seeds")
    print(as_text(shown(results)))


if __name__ == "__main__":
    main()
