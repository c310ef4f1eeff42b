"""A training that was cut off, to be diagnosed before it goes on."""

from pathlib import Path

import torch

from annotator.errors import UsageError
from annotator.learning.answers import answer
from annotator.learning.dataset import VALID, Dataset
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import Training
from annotator.learning.settings import Settings
from annotator.learning.training import STATE_FILE, fingerprint
from annotator.learning.validation import validate
from lddu_model import Checkpoint, untrained


def open_training(
    folder: Path, dataset: Dataset, settings: Settings, device: torch.device
) -> Training | None:
    """The training in a folder, None if it is finished or there is none.

    Raises:
        UsageError: it is of other settings or data, or damaged.
    """
    if not (folder / STATE_FILE).exists():
        return None
    training = Training(dataset, settings, device, Ranks())
    training.restore(folder / STATE_FILE, fingerprint(dataset, settings))
    return training


def best_so_far(training: Training, dataset: Dataset) -> Checkpoint:
    """The model that the training would leave if it ended now, but for σ's last epochs.

    Raises:
        UsageError: no epoch is behind it.
    """
    if not training.best:
        raise UsageError("this training has no epoch behind it: let it finish one first")
    network = untrained(training.network.config, training.settings.train.seed)
    network.load_state_dict(training.best)
    network.to(training.device)
    validation = validate(answer(network, dataset.split(VALID), training.device))
    thresholds = dict(zip(dataset.labels, validation.thresholds, strict=True))
    facts = {
        "thresholds": thresholds,
        "extractors": {**dataset.extractors},
        "queue_drift": training.queue_drifts,
    }
    return Checkpoint(network, facts, "")
