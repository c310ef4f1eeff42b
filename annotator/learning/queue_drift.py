"""How stale the contrastive queue is: how far its rows are from what the network makes now.

The queue does not say which clips its rows are of, but batches follow from the seed and the epoch,
so they are found again, and the classes of the queue's slots show whether they are the right ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from annotator.errors import UsageError
from annotator.learning.answers import forward
from annotator.learning.augmentation import Shown
from annotator.learning.batches import Index, epoch_batches
from annotator.learning.dataset import Example
from lddu_model import Output
from lddu_model.contrastive import contrastive_rows

if TYPE_CHECKING:
    from annotator.learning.epochs import Training

BATCHES = 4  # that are compared, evenly from the newest to the oldest: an epoch stays cheap


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the queue's rows are from what the network makes of the same clips now.

    Distances are 1 - z·z′/2: 0 for the same row, 1 for an orthogonal one.
    """

    rows: int  # compared
    queued: float  # mean distance of a queued row from its like of now
    dropout: float  # the same of two rows of now, which dropout alone makes differ
    temperature: float  # τ

    @property
    def value(self) -> float:
        """What the drift takes from the similarity z·z′/2τ of a row to itself."""
        return (self.queued - self.dropout) / self.temperature


def queue_drift(training: "Training", epochs: int) -> Drift | None:
    """Compare the queue after an epoch with the same clips' rows now, dropout included.

    Args:
        training: whose randomness, weights and queue stay as they are.
        epochs: how many it has behind it.

    Returns:
        None if it uses no queue, or no epoch is behind it.

    Raises:
        UsageError: the queue is not of the training's data.
    """
    contrast, config = training.objective.contrast, training.settings.loss
    slots = len(contrast.slot_classes)
    if not (config.beta and slots and epochs):
        return None
    oldest = int(contrast.get_extra_state())
    rows, classes = contrast.rows.roll(-oldest, 0), contrast.slot_classes.roll(-oldest, 0)
    queued, first, again = [], [], []
    for batch, shown, newer in _batches(training, epochs, slots):
        one, other, expected = _rows(training, batch, shown)
        end = slots - newer
        place = slice(max(end - len(one), 0), end)
        held = place.stop - place.start  # the oldest batch may be there in part
        if not torch.equal(classes[place], expected[-held:]):
            raise UsageError(
                "the queue of this training holds other clips than its data and settings give: "
                "go on with those it was started with"
            )
        queued.append(rows[place])
        first.append(one[-held:])
        again.append(other[-held:])
    before, now, anew = map(torch.cat, (queued, first, again))
    return Drift(len(now), _distance(before, now), _distance(anew, now), config.temperature)


def _batches(training: "Training", epochs: int, slots: int) -> list[tuple[Index, Shown, int]]:
    """Some of the batches that the queue's rows are of, and how many newer rows it holds."""
    found: list[tuple[Index, Shown, int]] = []
    newer, labels = 0, training.targets.shape[1]
    for batch, shown in _backwards(training, epochs):
        if newer >= slots:
            break
        found.append((batch, shown, newer))
        newer += labels * int((shown.kept & ~shown.corrupted)[batch].sum())
    stride = -(-len(found) // BATCHES)
    return found[stride // 2 :: stride]


def _backwards(training: "Training", epochs: int) -> Iterator[tuple[Index, Shown]]:
    """Every batch so far and how its epoch showed the clips, the latest first."""
    t = training.settings.train
    for epoch in reversed(range(epochs)):
        shown = training.augmentation.epoch(epoch)
        batches = epoch_batches(
            training.lengths, t.batch, t.seed, epoch, least=training.ranks.world
        )
        for batch in reversed(batches):
            yield batch, shown


def _rows(training: "Training", batch: Index, shown: Shown) -> tuple[Tensor, Tensor, Tensor]:
    """A batch's rows with one dropout and with another, and their classes."""
    clips = [replace(training.examples[i], features=shown.clip(i)) for i in batch]
    target = training.targets[torch.from_numpy(batch)].to(training.device)
    own = torch.from_numpy((shown.kept & ~shown.corrupted)[batch]).to(training.device)
    (first, classes), (again, _) = (
        contrastive_rows(
            output.mu,
            output.sigma,
            target,
            own,
            absent_classes=training.settings.loss.absent_classes,
        )
        for output in _with_dropout(training, clips)
    )
    return first, again, classes


def _with_dropout(training: "Training", clips: Sequence[Example]) -> Iterator[Output]:
    """What the network says of the clips in training, twice; no other randomness is touched."""
    devices = [training.device] if training.device.type == "cuda" else []
    training.network.train()
    for seed in (1, 2):
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            yield forward(training.network, clips, training.device)
    training.network.eval()


def _distance(one: Tensor, other: Tensor) -> float:
    return float((1 - (one * other).sum(1) / 2).mean())
