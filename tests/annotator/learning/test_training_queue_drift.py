"""The drift of the contrastive queue: planted ones are found, and measuring it changes nothing."""

import csv

import pytest
import torch

from annotator.errors import UsageError
from annotator.experiments.diagnosis_queue import DRIFT
from annotator.learning.card import open_model
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import Training
from annotator.learning.queue_drift import Drift, queue_drift
from annotator.learning.training import CURVES_FILE, train
from lddu_model import untrained
from toy_corpus import Silent, corpus, settings

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")


def training_after(epochs: int, *assignments: str) -> Training:
    training = Training(corpus(), settings(*assignments), CPU, Ranks())
    for _ in range(epochs):
        training.record(training.run_epoch(Silent()), 0.0)
    return training


def drift(training: Training) -> Drift | None:
    return queue_drift(training, training.done)


STILL = (
    "train.learning_rate=1e-12",
    "network.dropout=0",
    "network.attention_dropout=0",
    "network.classifier_dropout=0",
)


@pytest.mark.parametrize("queue", [7, 100, 1000, 3000])
def test_of_a_network_that_stands_still_every_queued_row_is_found_again(queue):
    chances = ("train.modality_dropout=0.3", "train.corruption=0.3")
    found = drift(training_after(2, *STILL, f"loss.queue={queue}", *chances))
    assert found.queued < 1e-5
    assert found.dropout < 1e-5
    if queue < 1000:
        assert found.rows == queue


def test_a_queue_is_stale_once_the_network_is_another():
    training = training_after(2)
    assert drift(training).value < DRIFT
    training.network.load_state_dict(untrained(training.network.config, 99).state_dict())
    assert drift(training).value >= DRIFT


def test_measuring_the_drift_changes_nothing():
    training = training_after(1)
    before = training.objective.contrast.rows.clone()
    chance = torch.random.get_rng_state()
    assert drift(training) == drift(training)
    assert torch.equal(training.objective.contrast.rows, before)
    assert torch.equal(torch.random.get_rng_state(), chance)


def test_without_a_queue_there_is_no_drift():
    for training in (
        training_after(0),
        training_after(1, "loss.beta=0"),
        training_after(1, "loss.queue=0"),
    ):
        assert drift(training) is None


def test_a_queue_of_other_clips_is_refused():
    training = training_after(1)
    training.settings = settings("train.seed=5")
    with pytest.raises(UsageError, match="holds other clips"):
        drift(training)


@pytest.mark.parametrize("queue", [0, 100])
def test_every_epoch_leaves_its_drift_in_the_curves_and_the_model(tmp_path, queue):
    given = settings(f"loss.queue={queue}")
    model = open_model(train(corpus(), given, tmp_path, device=CPU, watcher=Silent()))
    with (tmp_path / CURVES_FILE).open() as file:
        column = [row["queue_drift"] for row in csv.DictReader(file)]
    drifts = model.metadata["queue_drift"]
    if queue:
        assert [float(cell) for cell in column] == pytest.approx(drifts, rel=1e-5)
        assert len(set(drifts)) == 3
    else:
        assert (column, drifts) == ([""] * 3, [])
