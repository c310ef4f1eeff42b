"""Training on a toy corpus: resumption, processes, and what it refuses."""

import csv
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import toy_corpus
from annotator.errors import UsageError
from annotator.learning import state
from annotator.learning.card import git_revision, open_model
from annotator.learning.dataset import Dataset, Example
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import PARTS, Training
from annotator.learning.evaluation import evaluate_model
from annotator.learning.training import CURVES_FILE, STATE_FILE, train
from lddu_model import load
from toy_corpus import Silent, corpus, settings

CPU = torch.device("cpu")
TRAIN = [sys.executable, toy_corpus.__file__]
ENVIRON = {"PYTHONPATH": str(Path(toy_corpus.__file__).parents[1]), "PATH": "/usr/bin:/bin"}


def trained(out: Path, dataset: Dataset | None = None, *assignments: str) -> Path:
    data = corpus() if dataset is None else dataset
    return train(data, settings(*assignments), out, device=CPU, watcher=Silent())


def with_train(examples: Sequence[Example]) -> Dataset:
    whole = corpus()
    return replace(whole, splits={**whole.splits, "train": examples})


def test_it_learns_and_describes_what_it_learnt(tmp_path):
    watcher = Silent()
    given = settings("train.epochs=20", "network.hidden=32", "network.dropout=0.1")
    model = train(corpus(), given, tmp_path, device=CPU, watcher=watcher)
    assert watcher.epochs[-1].losses["final"] < watcher.epochs[0].losses["final"]
    facts = load(model).metadata
    assert facts["trained"] is True
    assert facts["validation"]["metrics"]["mean_average_precision"]["value"] > 0.8
    assert facts["thresholds"].keys() == set(toy_corpus.LABELS)
    assert facts["extractors"]["audio"] == "foreign audio"
    assert facts["data"]["files"] == {"toy.pkl": "0" * 64}
    assert facts["settings"]["train"]["epochs"] == 20
    rows = list(csv.DictReader((tmp_path / CURVES_FILE).open()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(watcher.epochs) + 1))
    best = max(watcher.epochs, key=lambda epoch: epoch.score)
    assert facts["kept_epoch"] == best.number
    assert not (tmp_path / STATE_FILE).exists()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path):
    first, again = trained(tmp_path / "a"), trained(tmp_path / "b")
    other = trained(tmp_path / "c", None, "train.seed=1")
    assert load(first).weights_sha256 == load(again).weights_sha256
    assert load(first).weights_sha256 != load(other).weights_sha256


def test_a_finished_training_is_not_done_again(tmp_path):
    model = trained(tmp_path)
    before = (model / "model.json").stat().st_mtime_ns
    watcher = Silent()
    assert train(corpus(), settings(), tmp_path, device=CPU, watcher=watcher) == model
    assert (model / "model.json").stat().st_mtime_ns == before
    assert not watcher.epochs


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_of_another_training_is_refused(tmp_path, finished):
    if finished:
        trained(tmp_path)
    else:
        interrupted(tmp_path, after=1)
    with pytest.raises(UsageError, match="other settings or data: choose another --out"):
        trained(tmp_path, None, "loss.beta=0.5")


class Interrupted(Exception):
    pass


class Impatient(Silent):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def epoch(self, epoch: object) -> None:
        super().epoch(epoch)
        if len(self.epochs) == self.after:
            raise Interrupted


def interrupted(out: Path, after: int, *assignments: str) -> None:
    with pytest.raises(Interrupted):
        train(corpus(), settings(*assignments), out, device=CPU, watcher=Impatient(after))


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize(
    "changes",
    [(), ("train.corruption=0.4", "train.modality_dropout=0.2"), ("train.average=0.9",)],
)
def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, after, changes):
    interrupted(tmp_path / "a", after, *changes)
    assert load(trained(tmp_path / "a", None, *changes)).weights_sha256 == (
        load(trained(tmp_path / "b", None, *changes)).weights_sha256
    )
    curves = [(tmp_path / name / CURVES_FILE).read_text() for name in "ab"]
    assert curves[0] == curves[1]


def test_what_is_kept_is_the_average_of_the_weights_of_all_steps():
    decay = 0.75
    training = Training(corpus(), settings(f"train.average={decay}"), CPU, Ranks())
    expected = None
    update = training.optimiser.step

    def step():
        nonlocal expected
        update()
        now = training.network.labels.weight.detach().clone()
        expected = now if expected is None else decay * expected + (1 - decay) * now

    training.optimiser.step = step
    training.run_epoch(Silent())
    training.record(dict.fromkeys(PARTS, 0.0), score=1.0)
    assert not torch.equal(expected, training.network.labels.weight)
    torch.testing.assert_close(training.best["labels.weight"], expected)


def test_kill_9_at_random_moments(tmp_path):
    slow = ["train.epochs=12"]
    undisturbed = [*TRAIN, str(tmp_path / "whole"), *slow]
    subprocess.run(undisturbed, check=True, env=ENVIRON)
    chance, kills = random.Random(5), 0
    for _ in range(3):
        process = subprocess.Popen([*TRAIN, str(tmp_path / "killed"), *slow], env=ENVIRON)
        state = tmp_path / "killed" / STATE_FILE
        seen = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == seen):
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    subprocess.run([*TRAIN, str(tmp_path / "killed"), *slow], check=True, env=ENVIRON)
    assert kills >= 2
    whole, killed = (load(tmp_path / name / "model") for name in ("whole", "killed"))
    assert whole.weights_sha256 == killed.weights_sha256
    assert whole.metadata["validation"] == killed.metadata["validation"]


def test_two_processes_have_the_loss_of_one(tmp_path):
    quiet = [
        "train.corruption=0.3",
        "network.dropout=0.0",
        "network.attention_dropout=0.0",
        "network.classifier_dropout=0.0",
        "train.accumulate=2",
        "train.batch=17",
    ]
    subprocess.run([*TRAIN, str(tmp_path / "one"), *quiet], check=True, env=ENVIRON)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    two = [*launch, "--nproc-per-node=2", toy_corpus.__file__, str(tmp_path / "two"), *quiet]
    subprocess.run(two, check=True, env=ENVIRON, capture_output=True)
    curves = [
        np.loadtxt(tmp_path / name / CURVES_FILE, delimiter=",", skiprows=1)
        for name in ("one", "two")
    ]
    *columns, drift = curves[0].T
    np.testing.assert_allclose(columns, curves[1].T[:-1], rtol=2e-4)
    # A difference that is all rounding once the learning rate has fallen to 0.
    np.testing.assert_allclose(drift, curves[1].T[-1], rtol=2e-4, atol=1e-6)
    weights = [load(tmp_path / name / "model").network.state_dict() for name in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], atol=2e-4, rtol=2e-3)


def test_early_stopping_keeps_the_best(tmp_path):
    watcher = Silent()
    hasty = settings(
        "train.epochs=40", "train.patience=2", "train.learning_rate=0.05", "train.recalibrate=0"
    )
    model = train(corpus(), hasty, tmp_path, device=CPU, watcher=watcher)
    best = max(epoch.score for epoch in watcher.epochs)
    assert len(watcher.epochs) == watcher.epochs[-1].number < 40
    assert [epoch.best for epoch in watcher.epochs][-2:] == [False, False]
    kept = load(model).metadata["validation"]["metrics"]["mean_average_precision"]["value"]
    assert kept == pytest.approx(best, abs=1e-6)


def test_the_test_split_is_never_read(tmp_path):
    class Untouchable(Sequence[Example]):
        def __getitem__(self, index):
            raise AssertionError("the test split was read")

        def __len__(self):
            return 30

    whole = corpus()
    guarded = replace(whole, splits={**whole.splits, "test": Untouchable()})
    assert trained(tmp_path, guarded).exists()


def changed(example: Example, **changes: object) -> Example:
    return replace(example, **changes)


BROKEN = {
    "features hold NaN": {"features": {"text": np.full((2, 6), np.nan, np.float32)}},
    "hold NaN or infinity": {"features": {"text": np.full((2, 6), -np.inf, np.float32)}},
    r"expected \(steps, 6\)": {"features": {"text": np.zeros((2, 5), np.float32)}},
    "it has no modality": {"features": {}},
    "its target is": {"target": np.zeros(2, np.float32)},
    "between 0 and 1": {"target": np.full(3, 2, np.float32)},
    "no label is known": {"target": np.full(3, np.nan, np.float32)},
}


@pytest.mark.parametrize("problem", BROKEN)
def test_bad_examples_are_named_and_nothing_is_written(tmp_path, problem):
    examples = list(corpus().split("train"))
    examples[5] = changed(examples[5], **BROKEN[problem])
    with pytest.raises(UsageError, match=f"train example 'train-5': .*{problem}"):
        trained(tmp_path / "out", with_train(examples))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("split", ["train", "valid"])
def test_an_empty_split_is_refused(tmp_path, split):
    whole = corpus()
    with pytest.raises(UsageError, match=f"toy has no {split} examples"):
        trained(tmp_path / "out", replace(whole, splits={**whole.splits, split: []}))
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_is_told(tmp_path):
    with pytest.raises(UsageError, match="loss of epoch 1 is not a number"):
        trained(tmp_path, None, "train.learning_rate=1e30", "train.clip=1e30")


def test_a_damaged_state_is_refused(tmp_path):
    interrupted(tmp_path, after=1)
    state = tmp_path / STATE_FILE
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(UsageError, match=r"is damaged .*: remove it to begin anew"):
        trained(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        ("train.accumulate=3",),
        ("train.modality_dropout=0.5",),
        ("train.corruption=0.3",),
        ("train.balance=sqrt", "loss.queue=0"),
        ("loss.calibration=released",),
        ("network.fusion=difficulty", "network.components=3"),
        ("loss.beta=0", "loss.lambda_=0"),
    ],
)
def test_every_setting_trains(tmp_path, changes):
    metrics = load(trained(tmp_path, None, *changes)).metadata["validation"]["metrics"]
    assert metrics["mean_average_precision"]["value"] > 0.4


def test_soft_unknown_and_intense_targets_train(tmp_path):
    soft = [
        changed(
            example,
            target=np.where([i % 5 == 0, False, False], np.nan, example.target * 0.7),
            intensity=example.target * 3 if i % 2 else None,
        )
        for i, example in enumerate(corpus().split("train"))
    ]
    model = load(trained(tmp_path, with_train(soft), "loss.intensity=0.5"))
    assert model.network.config.intensity


def test_evaluation_uses_the_thresholds_of_the_validation(tmp_path):
    model = open_model(trained(tmp_path).parent)
    evaluation = evaluate_model(model, corpus(), "test", device=CPU, resamples=50)
    assert (
        dict(zip(toy_corpus.LABELS, evaluation.thresholds, strict=True))
        == (model.metadata["thresholds"])
    )
    assert evaluation.clips == 30
    assert json.dumps(evaluation.to_json(), allow_nan=False)


def test_evaluation_refuses_other_labels_and_features(tmp_path):
    model = open_model(trained(tmp_path))
    others = replace(corpus(), labels=("a", "b", "c"))
    with pytest.raises(UsageError, match="knows happy, sad, anger and toy has a, b, c"):
        evaluate_model(model, others, "test", device=CPU, resamples=0)
    foreign = replace(corpus(), extractors={"text": "minilm@2"})
    with pytest.raises(UsageError, match="takes text features of foreign text"):
        evaluate_model(model, foreign, "test", device=CPU, resamples=0)


def test_a_damaged_model_is_one_line(tmp_path):
    model = trained(tmp_path)
    described = json.loads((model / "model.json").read_text())
    described["metadata"]["thresholds"] = {"happy": "high"}
    (model / "model.json").write_text(json.dumps(described))
    with pytest.raises(UsageError, match="damaged: thresholds must be numbers"):
        evaluate_model(open_model(model), corpus(), "test", device=CPU, resamples=0)
    (model / "model.json").write_text("{")
    with pytest.raises(UsageError, match="no model in"):
        trained(tmp_path)


def test_a_state_of_another_version_is_refused(tmp_path):
    interrupted(tmp_path, after=1)
    tensors, facts = state.read_state(tmp_path / STATE_FILE)
    facts["history"] = [{"epoch": 1}]
    state.write_state(tmp_path / STATE_FILE, tensors, facts)
    with pytest.raises(UsageError, match="of another version of this tool: remove it"):
        trained(tmp_path)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(UsageError, match="no model in"):
        open_model(tmp_path)


def test_the_revision_is_that_of_a_checkout_or_unknown(tmp_path):
    assert git_revision(tmp_path / "installed.py") is None
    (tmp_path / ".git" / "refs").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/main\n")
    (tmp_path / ".git" / "refs" / "main").write_text("abc123\n")
    assert git_revision(tmp_path / "a" / "b.py") == "abc123"
