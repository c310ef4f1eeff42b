"""Sweeps of a toy network: the grid, what a trial is judged by, and resumption after a kill."""

import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import toy_corpus
from annotator.errors import EnvironmentFault, UsageError
from annotator.experiments.sweep import POINTS, SPACE, STORAGE_FILE, Sweep, sweep
from annotator.learning.dataset import TEST
from annotator.learning.settings import Settings
from lddu_model import load
from toy_corpus import Silent, corpus, settings

CPU = torch.device("cpu")
GIVEN, TWO_EPOCHS = settings("train.epochs=1"), settings("train.epochs=2")
DATA = corpus(20, 30, 0)


class Watching(Silent):
    def __init__(self) -> None:
        super().__init__()
        self.trainings: list[tuple[str, int, int]] = []

    def training(self, name: str, number: int, total: int) -> None:
        self.trainings.append((name, number, total))


class Cut(Exception):
    pass


def swept(out: Path, trials: int | None, given: Settings = GIVEN, **asked) -> Sweep:
    asked = {"dataset": DATA, "watcher": Watching(), **asked}
    return sweep(base=given, out=out, device=CPU, trials=trials, **asked)


class Impatient(Watching):
    """Breaks a sweep off, at the beginning of a training or after its first epoch."""

    def __init__(self, number: int, *, at_once: bool = False) -> None:
        super().__init__()
        self.number, self.at_once = number, at_once

    def training(self, name: str, number: int, total: int) -> None:
        super().training(name, number, total)
        if self.at_once and number == self.number:
            raise Cut

    def epoch(self, epoch: object) -> None:
        super().epoch(epoch)
        if len(self.trainings) == self.number:
            raise Cut


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sweep with {odd} name?")


@pytest.fixture(scope="module")
def done(folder) -> Sweep:
    return swept(folder, 4)


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory) -> Sweep:
    return swept(tmp_path_factory.mktemp("whole"), 3, TWO_EPOCHS)


def outcome(found: Sweep) -> list[tuple[object, ...]]:
    return [(trial.number, trial.values, trial.score) for trial in found.trials]


def test_the_grid_is_the_papers():
    assert SPACE == {
        "loss.lambda_": (0.05, 0.1, 0.2),
        "loss.beta": (0.5, 0.8, 1.0),
        "loss.gamma": (0.05, 0.1, 0.2),
    }
    assert POINTS == 27


def test_a_trial_is_the_training_of_its_values_and_their_validation(done):
    assert len(done.trials) == 4
    for trial in done.trials:
        facts = load(trial.model).metadata
        assert trial.score == facts["validation"]["metrics"]["mean_average_precision"]["value"]
        for name, value in trial.values.items():
            table, _, key = name.partition(".")
            assert facts["settings"][table][key] == value
        assert trial.assignments[1] == f"loss.beta={trial.values['loss.beta']}"


def test_the_whole_grid_is_tried_and_no_point_twice(tmp_path, monkeypatch):
    small = {"loss.lambda_": (0.1, 0.2), "loss.beta": (0.5, 1.0), "loss.gamma": (0.1,)}
    monkeypatch.setattr("annotator.experiments.sweep.SPACE", small)
    monkeypatch.setattr("annotator.experiments.sweep.POINTS", 4)
    whole = swept(tmp_path, None)
    points = {tuple(trial.values[name] for name in small) for trial in whole.trials}
    assert points == set(itertools.product(*small.values()))
    assert len(whole.trials) == 4
    watcher = Watching()
    assert swept(tmp_path, 1000, watcher=watcher) == whole
    assert not watcher.trainings


def test_the_best_is_the_highest_and_leads_the_table(done):
    assert done.best.score == max(trial.score for trial in done.trials)
    table = done.table()
    assert table.header == ("trial", *SPACE, "validation mAP")
    assert table.rows[0][0] == str(done.best.number)
    scores = [float(row[-1]) for row in table.rows]
    assert scores == sorted(scores, reverse=True)
    assert json.loads(json.dumps(done.to_json()))["best"]["number"] == done.best.number


def test_of_the_log_loss_the_lowest_is_the_best(tmp_path):
    found = swept(tmp_path, 3, settings("train.epochs=1", "train.criterion=log_loss"))
    losses = [
        load(trial.model).metadata["validation"]["metrics"]["log_loss"]["value"]
        for trial in found.trials
    ]
    assert found.trials.index(found.best) == losses.index(min(losses))
    assert found.table().header[-1] == "validation −Log-loss"


def test_a_test_split_is_never_touched(tmp_path, unreadable):
    dataset = replace(DATA, splits={**DATA.splits, TEST: unreadable})
    with pytest.raises(AssertionError, match="the test split was read"):
        dataset.split(TEST)
    assert len(swept(tmp_path, 2, dataset=dataset).trials) == 2


def test_more_trials_add_to_the_earlier_ones(done, folder):
    watcher = Watching()
    more = swept(folder, 5, watcher=watcher)
    assert more.trials[:4] == done.trials
    assert [training[1:] for training in watcher.trainings] == [(5, 5)]
    assert swept(folder, 2).trials == more.trials  # what is there is not forgotten


@pytest.mark.parametrize(("number", "at_once", "left"), [(1, False, 5), (3, True, 2)])
def test_a_trial_that_was_cut_off_is_taken_up_and_counted_once(
    tmp_path, two_epochs, number, at_once, left
):
    with pytest.raises(Cut):
        swept(tmp_path, 3, TWO_EPOCHS, watcher=Impatient(number, at_once=at_once))
    watcher = Watching()
    resumed = swept(tmp_path, 3, TWO_EPOCHS, watcher=watcher)
    assert outcome(resumed) == outcome(two_epochs)
    assert len(watcher.epochs) == left
    assert len(list(tmp_path.glob("lambda-*"))) == 3


def test_a_sweep_that_is_killed_comes_to_the_same(tmp_path, two_epochs):
    command = [sys.executable, __file__, str(tmp_path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        try:
            assert [process.stdout.readline() for _ in range(2)] == [b"training\n", b"epoch\n"]
        finally:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert outcome(swept(tmp_path, 3, TWO_EPOCHS)) == outcome(two_epochs)


def environment() -> dict[str, str]:
    root = Path(toy_corpus.__file__).parents[1]
    return {
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")]),
        "PATH": os.environ["PATH"],
        "OMP_NUM_THREADS": "1",
    }


@pytest.mark.parametrize("change", ["loss.temperature=0.1", "train.seed=1"])
def test_a_folder_of_another_sweep_is_refused(done, folder, change):
    with pytest.raises(UsageError, match="holds a sweep with other settings or data"):
        swept(folder, 4, settings("train.epochs=1", change))


def test_a_folder_of_other_data_is_refused(done, folder):
    with pytest.raises(UsageError, match="holds a sweep with other settings or data"):
        swept(folder, 4, dataset=corpus(21, 30, 0))


def test_another_seed_draws_other_points(done, tmp_path):
    other = swept(tmp_path, 2, settings("train.epochs=1", "train.seed=1"))
    assert [t.values for t in other.trials] != [t.values for t in done.trials[:2]]


@pytest.mark.parametrize("trials", [0, -1])
def test_no_trials_are_refused(tmp_path, trials):
    with pytest.raises(UsageError, match="needs 1 trial or more"):
        swept(tmp_path / "new", trials)
    assert not (tmp_path / "new").exists()


def test_a_dataset_without_validation_is_refused(tmp_path):
    with pytest.raises(UsageError, match="has no valid examples"):
        swept(tmp_path / "new", 1, dataset=corpus(20, 0, 10))
    assert not (tmp_path / "new").exists()


def test_a_damaged_file_of_trials_is_reported_in_one_line(tmp_path):
    (tmp_path / STORAGE_FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(EnvironmentFault, match="cannot be read or written") as caught:
        swept(tmp_path, 1)
    assert "\n" not in str(caught.value)


def main() -> None:
    """Sweep in a process of its own, saying when it begins and at every epoch."""

    class Speaking(Watching):
        def training(self, *_):
            self.say("training")

        def epoch(self, _):
            self.say("epoch")

        def say(self, word: str) -> None:
            sys.stdout.write(word + "\n")
            sys.stdout.flush()

    torch.set_num_threads(1)
    swept(Path(sys.argv[1]), 3, TWO_EPOCHS, watcher=Speaking())


if __name__ == "__main__":
    main()
