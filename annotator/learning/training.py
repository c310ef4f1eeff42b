"""Train LDDU on a labelled corpus.

Everything a training does follows from its settings, its data and the epoch, and its state is
written after every epoch: killed at any moment and started again it ends with the same weights (on
a CPU, to the last bit). Only the validation split decides when to stop, which weights to keep and
where the thresholds lie.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from annotator.errors import UsageError
from annotator.features.collate import collate, send
from annotator.features.extractor import DEFAULT_EXTRACTORS, extractor_spec
from annotator.learning import state
from annotator.learning.answers import answer
from annotator.learning.augmentation import Augmentation, Shown
from annotator.learning.batches import (
    POOL,
    Index,
    epoch_batches,
    lengths_of,
    positive_weights,
    rater_weights,
)
from annotator.learning.card import MODEL_FOLDER, describe, open_model
from annotator.learning.curves import write_curves
from annotator.learning.dataset import TRAIN, VALID, Dataset, Example, check
from annotator.learning.distributed import Ranks, gather_output, sum_gradients
from annotator.learning.queue_drift import Drift, queue_drift
from annotator.learning.settings import Settings
from annotator.learning.start import Start
from annotator.learning.validation import score, validate
from annotator.types import MAX_STEPS, MODALITIES, Modality
from lddu_model import LDDU, Config, InputSpec, save, untrained
from lddu_model.losses import Losses, Objective
from lddu_model.optimisation import adamw, everywhere, of_sigma, warmup_cosine

STATE_FILE = "state.safetensors"
CURVES_FILE = "curves.csv"
RESAMPLES = 1000  # of the bootstrap for the intervals in the model's description
RECALIBRATION_RATE = 3e-3  # on the starter's data 1e-3 gave the same
PARTS = ("total", "final", "direct", "contrastive", "calibration", "intensity")


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to: mean losses over its batches, and the validation's criterion."""

    number: int  # from 1
    learning_rate: float
    losses: Mapping[str, float]  # PARTS
    score: float  # of the criterion, higher is better
    best: bool
    queue_drift: float | None = None  # `Drift.value` after it; None if no queue is used


class Watcher(Protocol):
    """Who is told how it goes."""

    def step(self, done: int, total: int) -> None: ...  # noqa: D102
    def epoch(self, epoch: Epoch) -> None: ...  # noqa: D102


class Training:
    """The network, its objective and optimiser, and how far they are."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        device: torch.device,
        ranks: Ranks,
        network: LDDU | None = None,
        rate_of: Callable[[str], float] = everywhere,
    ) -> None:
        """`network` is trained in place, random weights by default; `rate_of` as of `adamw`."""
        self.settings, self.device, self.ranks = settings, device, ranks
        self.examples = dataset.split(TRAIN)
        self.lengths = lengths_of(self.examples)
        targets = np.stack([example.target for example in self.examples])
        self.targets = torch.from_numpy(targets).float()
        self.intensity = _intensities(self.examples, self.targets)
        t = settings.train
        counted = torch.from_numpy(rater_weights(self.examples)).float()
        self.weights = counted if t.weigh_raters else None
        self.augmentation = Augmentation(self.examples, self.lengths, t)
        weight = torch.from_numpy(positive_weights(targets, t.balance))
        self.network = (network or first_network(dataset, settings, None)).to(device)
        self.objective = Objective(
            self.network.config, settings.loss, len(self.examples), weight, t.seed
        ).to(device)
        self.optimiser = adamw(self.network, t.learning_rate, t.weight_decay, rate_of)
        self.average = (
            AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(t.average))
            if t.average
            else None
        )
        self.batches = len(self._epoch_batches(0))
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}

    @property
    def shown(self) -> LDDU:
        """The network that is validated and kept: the one in training, or its average."""
        return self.network if self.average is None else cast(LDDU, self.average.module)

    @property
    def done(self) -> int:
        """How many epochs are behind us."""
        return len(self.history)

    @property
    def best_score(self) -> float:
        """Of the criterion so far."""
        return max((epoch.score for epoch in self.history), default=-np.inf)

    @property
    def queue_drifts(self) -> list[float]:
        """After each epoch; none if no queue is used."""
        return [e.queue_drift for e in self.history if e.queue_drift is not None]

    @property
    def ended(self) -> bool:
        """Whether all epochs are done, or the last ones brought nothing better."""
        t = self.settings.train
        last = max((epoch.number for epoch in self.history if epoch.best), default=0)
        return self.done >= t.epochs or (t.patience > 0 and self.done - last >= t.patience)

    def run_epoch(self, watcher: Watcher) -> dict[str, float]:
        """Train on every example once; returns the mean losses."""
        t, number = self.settings.train, self.done
        batches = self._epoch_batches(number)
        shown = self.augmentation.epoch(number)
        sums = torch.zeros(len(PARTS), device=self.device)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            seeds = np.random.SeedSequence([t.seed, number, self.ranks.rank])
            torch.manual_seed(int(seeds.generate_state(1)[0]))
            self.network.train()
            for done, batch in enumerate(batches):
                closing = (done + 1) % t.accumulate == 0 or done + 1 == len(batches)
                losses = self._step(batch, shown, closing, number * self.batches + done)
                sums += torch.stack([getattr(losses, part).detach() for part in PARTS])
                watcher.step(number * self.batches + done + 1, t.epochs * self.batches)
        if not sums.isfinite().all():
            raise UsageError(
                f"the loss of epoch {number + 1} is not a number: "
                "try a lower train.learning_rate or train.clip"
            )
        return dict(zip(PARTS, (sums / len(batches)).tolist(), strict=True))

    def _epoch_batches(self, epoch: int) -> list[Index]:
        t = self.settings.train
        pool = POOL if t.bucketed else 1
        return epoch_batches(self.lengths, t.batch, t.seed, epoch, self.ranks.world, pool)

    def _step(self, batch: Index, shown: Shown, closing: bool, place: int) -> Losses:
        """One batch forth and back; the optimiser steps after the last of those it gathers."""
        t = self.settings.train
        clips = [shown.clip(i) for i in self.ranks.part(batch)]
        inputs = collate(clips, pinned=self.device.type == "cuda")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            output = self.network(**send(inputs, self.device))
        output = gather_output(output, torch.from_numpy(shown.kept[batch]), self.ranks)
        index = torch.from_numpy(batch)
        given = {"target": self.targets[index], "index": index}
        if self.intensity is not None:
            given["intensity"] = self.intensity[index]
        if self.weights is not None:
            given["weight"] = self.weights[index]
        corrupted = torch.from_numpy(shown.corrupted[batch]) if t.corruption else None
        losses: Losses = self.objective(output, **send(given, self.device), corrupted=corrupted)
        (losses.total / t.accumulate).backward()
        if closing:
            sum_gradients(self.network, self.ranks)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), t.clip)
            for group in self.optimiser.param_groups:
                group["lr"] = self.learning_rate(place) * group["factor"]
            self.optimiser.step()
            self.optimiser.zero_grad()
            if self.average is not None:
                self.average.update_parameters(self.network)
        return losses

    def learning_rate(self, place: int) -> float:
        """At a batch, counted from the beginning of the training."""
        t = self.settings.train
        return t.learning_rate * warmup_cosine(place, t.epochs * self.batches, t.warmup)

    def record(
        self, losses: Mapping[str, float], score: float, drift: Drift | None = None
    ) -> Epoch:
        """Close an epoch; its weights are kept if none were better."""
        better = score > self.best_score
        rate = self.learning_rate((self.done + 1) * self.batches - 1)
        epoch = Epoch(
            self.done + 1, rate, losses, score, better, None if drift is None else drift.value
        )
        self.history.append(epoch)
        if better:
            self.best = {k: v.detach().clone() for k, v in self.shown.state_dict().items()}
        return epoch

    def write(self, file: Path, fingerprint: str) -> None:
        """Put everything that the next epoch stands on into a file."""
        tensors = {
            **state.prefixed("network", self.network.state_dict()),
            **state.prefixed("average", {} if self.average is None else self.average.state_dict()),
            **state.prefixed("best", self.best),
            **state.prefixed("objective", self.objective.state_dict()),
            **state.prefixed("optimiser", state.optimiser_tensors(self.optimiser)),
        }
        facts = {"fingerprint": fingerprint, "history": [asdict(e) for e in self.history]}
        state.write_state(file, tensors, facts)

    def restore(self, file: Path, fingerprint: str) -> None:
        """Go on from a file that `write` wrote, if there is one.

        Raises:
            UsageError: it is of another training, or damaged.
        """
        found = state.read_state(file)
        if found is None:
            return
        tensors, facts = found
        _demand_same(facts.get("fingerprint"), fingerprint, file.parent)
        try:
            self.network.load_state_dict(state.under("network", tensors))
            if self.average is not None:
                self.average.load_state_dict(state.under("average", tensors))
            self.objective.load_state_dict(state.under("objective", tensors))
            state.restore_optimiser(self.optimiser, state.under("optimiser", tensors))
            self.history = [Epoch(**epoch) for epoch in facts["history"]]
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{file} is of another version of this tool: remove it to begin anew"
            ) from error
        self.best = state.under("best", tensors)


def train(
    dataset: Dataset,
    settings: Settings,
    out: Path,
    *,
    device: torch.device,
    watcher: Watcher,
    ranks: Ranks | None = None,
    start: Start | None = None,
) -> Path:
    """Train, and go on where an earlier call with the same settings and data was cut off.

    Args:
        dataset: with a train and a valid split; a test split is never looked at.
        settings: of loss, network and training.
        out: a folder of this training alone; the model lies in its `model` at the end.
        device: where the network runs.
        watcher: told of every step and epoch.
        ranks: this process and its sisters.
        start: the model to go on from; by default random weights.

    Returns:
        The folder of the model.

    Raises:
        UsageError: data or settings cannot be trained on, or `out` is of another training.
        EnvironmentFault: the disk is full.
    """
    check(dataset, (TRAIN, VALID))
    ranks = ranks or Ranks()
    model, mark = out / MODEL_FOLDER, fingerprint(dataset, settings, start)
    if model.exists():
        _demand_same(open_model(model).metadata.get("fingerprint"), mark, out)
        return model
    valid = dataset.split(VALID)
    rate_of = start.rates.of if start else everywhere
    network = first_network(dataset, settings, start)
    training = Training(dataset, settings, device, ranks, network, rate_of)
    training.restore(out / STATE_FILE, mark)
    if ranks.first:
        out.mkdir(parents=True, exist_ok=True)
    while not training.ended:
        losses = training.run_epoch(watcher)
        answers = answer(training.shown, valid, device)
        drift = queue_drift(training, training.done + 1)
        epoch = training.record(losses, score(validate(answers), settings.train.criterion), drift)
        if ranks.first:
            training.write(out / STATE_FILE, mark)
            write_curves(out / CURVES_FILE, training.history)
        watcher.epoch(epoch)
    training.network.load_state_dict(training.best)
    recalibrate(training.network, dataset, settings, device, ranks, watcher, rate_of)
    if ranks.first:
        validation = validate(answer(training.network, valid, device), RESAMPLES)
        kept = max(epoch.number for epoch in training.history if epoch.best)
        facts = {
            "epochs": training.done,
            "kept_epoch": kept,
            "queue_drift": training.queue_drifts,
            "fingerprint": mark,
        }
        save(training.network, model, {**describe(dataset, settings, validation), **facts})
        (out / STATE_FILE).unlink(missing_ok=True)
    return model


def recalibrate(
    network: LDDU,
    dataset: Dataset,
    settings: Settings,
    device: torch.device,
    ranks: Ranks,
    watcher: Watcher,
    rate_of: Callable[[str], float] = everywhere,
) -> None:
    """Teach σ the errors of the answers that the finished network shows, in place.

    While everything learns, σ follows the errors of ŷ_dir, of weights that move on and of inner
    layers that are dropped. Here only σ's last layers and the heads on σ learn, of clips hidden and
    corrupted as before, and all else stays as it is: so do, all but exactly, the answers. Where σ
    is constant, frozen by `rate_of` or not taught by errors, nothing is done.
    """
    learning = {
        name for name, _ in network.named_parameters() if of_sigma(name) and rate_of(name) > 0
    }
    if not (learning and _teaches_errors(settings) and not network.config.constant_sigma):
        return
    still = replace(network.config, dropout=0.0, attention_dropout=0.0, classifier_dropout=0.0)
    finished = untrained(still, settings.train.seed)
    finished.load_state_dict(network.state_dict())
    given = _recalibration(settings)
    training = Training(
        dataset, given, device, ranks, finished, lambda name: float(name in learning)
    )
    for _ in range(given.train.epochs):
        losses = training.run_epoch(watcher)
        training.record(losses, float(training.done))
    network.load_state_dict(finished.state_dict())


def _teaches_errors(settings: Settings) -> bool:
    loss = settings.loss
    return settings.train.recalibrate > 0 and loss.lambda_ > 0 and loss.calibration == "error"


def _recalibration(settings: Settings) -> Settings:
    """Those of the last epochs."""
    return replace(
        settings,
        train=replace(
            settings.train,
            epochs=settings.train.recalibrate,
            learning_rate=RECALIBRATION_RATE,
            average=0.0,
            bucketed=False,  # or clips would be compared with those of like length alone
        ),
        loss=replace(
            settings.loss, gamma=0.0, beta=0.0, intensity=0.0, lambda_=1.0, error_of="final"
        ),
    )


def first_network(dataset: Dataset, settings: Settings, start: Start | None) -> LDDU:
    """A network of its own to train: random weights, or a copy of what the training starts from.

    Raises:
        UsageError: the settings do not make a network.
    """
    if start is None:
        return untrained(network_config(dataset, settings), settings.train.seed)
    network = start.model.network
    if settings.loss.intensity and not network.config.intensity:
        raise UsageError("the model has no head for intensities: set loss.intensity=0")
    return deepcopy(network)


def network_config(dataset: Dataset, settings: Settings) -> Config:
    """The network for a corpus; a modality the corpus lacks gets the shape of our extractor.

    Raises:
        UsageError: the settings do not make a network.
    """
    specs: dict[Modality, InputSpec] = {}
    for m in MODALITIES:
        ours = extractor_spec(DEFAULT_EXTRACTORS[m]).dimension
        specs[m] = InputSpec(dataset.dimensions.get(m, ours), MAX_STEPS)
    n = settings.network
    values = {name: getattr(n, name) for name in n.__dataclass_fields__}
    try:
        return Config(
            labels=dataset.labels,
            visual=specs["visual"],
            audio=specs["audio"],
            text=specs["text"],
            intensity=settings.loss.intensity > 0,
            **values,
        )
    except ValueError as error:
        raise UsageError(
            f"these settings make no network ({error}): change those of the table network"
        ) from error


def fingerprint(dataset: Dataset, settings: Settings, start: Start | None = None) -> str:
    """A hash of all that a training's result depends on, in hex."""
    facts = {
        "settings": settings.to_json(),
        "labels": dataset.labels,
        "files": dict(dataset.files),
        "examples": {name: [e.id for e in dataset.split(name)] for name in (TRAIN, VALID)},
        **({"start": start.to_json()} if start else {}),
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _intensities(examples: Sequence[Example], like: Tensor) -> Tensor | None:
    """(n, q), NaN where unknown; None if no example has any."""
    if all(example.intensity is None for example in examples):
        return None
    rows = torch.full_like(like, torch.nan)
    for row, example in enumerate(examples):
        if example.intensity is not None:
            rows[row] = torch.from_numpy(np.asarray(example.intensity)).float()
    return rows


def _demand_same(found: object, mark: str, folder: Path) -> None:
    if found != mark:
        raise UsageError(
            f"{folder} holds a training with other settings or data: "
            "choose another --out, or remove the folder"
        )
