"""Epoch after epoch of a training: the network, its objective and optimiser, and their state.

All that an epoch does follows from the settings, the data and the epoch's number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from annotator.errors import UsageError
from annotator.features.collate import collate, send
from annotator.learning import state
from annotator.learning.augmentation import Augmentation, Shown
from annotator.learning.batches import (
    POOL,
    Index,
    epoch_batches,
    lengths_of,
    positive_weights,
    rater_weights,
)
from annotator.learning.dataset import TRAIN, Dataset, Example
from annotator.learning.distributed import Ranks, gather_output, sum_gradients
from annotator.learning.networks import first_network
from annotator.learning.queue_drift import Drift
from annotator.learning.settings import Settings
from lddu_model import LDDU
from lddu_model.losses import Losses, Objective
from lddu_model.optimisation import adamw, everywhere, warmup_cosine

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
    """Who is told how it goes: what is done of a part of the training, and every epoch."""

    def step(self, done: int, total: int, part: str) -> None: ...  # noqa: D102
    def epoch(self, epoch: Epoch) -> None: ...  # noqa: D102


class Unwatched:
    """A watcher without an interest."""

    def step(self, done: int, total: int, part: str) -> None: ...  # noqa: D102
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

    def run_epoch(self, watcher: Watcher, what: str = "training") -> dict[str, float]:
        """Train on every example once; returns the mean losses. `what` is for people."""
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
                watcher.step(number * self.batches + done + 1, t.epochs * self.batches, what)
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
        state.demand_same(facts.get("fingerprint"), fingerprint, file.parent)
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


def _intensities(examples: Sequence[Example], like: Tensor) -> Tensor | None:
    """(n, q), NaN where unknown; None if no example has any."""
    if all(example.intensity is None for example in examples):
        return None
    rows = torch.full_like(like, torch.nan)
    for row, example in enumerate(examples):
        if example.intensity is not None:
            rows[row] = torch.from_numpy(np.asarray(example.intensity)).float()
    return rows
