"""Train LDDU on a labelled corpus.

Everything a training does follows from its settings, its data and the epoch, and its state is
written after every epoch: killed at any moment and started again it ends with the same weights (on
a CPU, to the last bit). Only the validation split decides when to stop, which weights to keep and
where the thresholds lie.
"""

import json
from hashlib import sha256
from pathlib import Path

import torch

from annotator.learning import state
from annotator.learning.answers import answer
from annotator.learning.card import MODEL_FOLDER, describe, open_model
from annotator.learning.curves import write_curves
from annotator.learning.dataset import TRAIN, VALID, Dataset, check
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import Training, Watcher
from annotator.learning.networks import first_network
from annotator.learning.queue_drift import queue_drift
from annotator.learning.recalibration import recalibrate
from annotator.learning.settings import Settings
from annotator.learning.start import Start
from annotator.learning.validation import score, validate
from lddu_model import save
from lddu_model.optimisation import everywhere

STATE_FILE = "state.safetensors"
CURVES_FILE = "curves.csv"
RESAMPLES = 1000  # of the bootstrap for the intervals in the model's description


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
        state.demand_same(open_model(model).metadata.get("fingerprint"), mark, out)
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
    anew = start is None  # what a model has learnt of many clips, few could not teach it again
    recalibrate(training.network, dataset, settings, device, ranks, watcher, rate_of, anew=anew)
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
