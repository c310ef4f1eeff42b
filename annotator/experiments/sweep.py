"""The search for the weights of the losses, over the grid of the paper.

Every trial is a training in a folder named by its values. A trial is judged by what decides its
training too, the criterion on the validation split; a test split is not even handed on. Optuna
keeps the trials in an SQLite file: killed at any moment and started again, the sweep takes up the
trial that was cut off, whose training goes on in turn, and then runs those that are left.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.exceptions import StorageInternalError
from optuna.samplers import GridSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from annotator.errors import EnvironmentFault, UsageError
from annotator.experiments.trainings import Watcher, to_learn_from
from annotator.learning.card import MODEL_FOLDER, open_model
from annotator.learning.dataset import VALID, Dataset
from annotator.learning.evaluation import evaluate_model
from annotator.learning.settings import Criterion, Settings, override
from annotator.learning.training import fingerprint, train
from annotator.learning.validation import score
from annotator.metrics.tables import TITLES, Table

SPACE = {
    "loss.lambda_": (0.05, 0.1, 0.2),
    "loss.beta": (0.5, 0.8, 1.0),
    "loss.gamma": (0.05, 0.1, 0.2),
}  # by setting, as the paper varied them
POINTS = prod(map(len, SPACE.values()))
STORAGE_FILE = "sweep.db"
STUDY = "sweep"
MARK = "fingerprint"  # of settings and data, among the study's attributes


@dataclass(frozen=True, slots=True)
class Trial:
    """A finished training."""

    number: int  # from 0, in the order they began
    values: Mapping[str, float]  # by setting
    score: float  # the criterion on the validation split, higher is better
    model: Path

    @property
    def assignments(self) -> tuple[str, ...]:
        """The values as `--set` takes them."""
        return _assignments(self.values)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What has been tried."""

    dataset: str
    criterion: Criterion
    settings: Settings  # of what was not varied
    trials: tuple[Trial, ...]  # in the order they began

    @property
    def best(self) -> Trial:
        """The highest score; of equals the first."""
        return max(self.trials, key=lambda trial: trial.score)

    def table(self) -> Table:
        """One row a trial, the best first."""
        sign = "−" if self.criterion == "log_loss" else ""
        header = ("trial", *SPACE, f"validation {sign}{TITLES[self.criterion]}")
        rows = (
            (str(t.number), *(str(t.values[name]) for name in SPACE), f"{t.score:.4f}")
            for t in sorted(self.trials, key=lambda trial: -trial.score)
        )
        return Table(header, tuple(rows))

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`."""
        return {
            "dataset": self.dataset,
            "criterion": self.criterion,
            "settings": self.settings.to_json(),
            "best": _trial_json(self.best),
            "trials": [_trial_json(trial) for trial in self.trials],
        }


def sweep(
    dataset: Dataset,
    base: Settings,
    out: Path,
    *,
    device: torch.device,
    watcher: Watcher,
    trials: int | None = None,
) -> Sweep:
    """Train at the points of the grid, and go on where an earlier call was cut off.

    Args:
        dataset: with a train and a valid split; a test split is never looked at.
        base: of all that is not varied.
        out: a folder of this sweep alone, and of one process at a time.
        device: where the networks run.
        watcher: told of every training.
        trials: how many points, those of earlier calls included; None: all. Fewer than there are
            are drawn at random, by `base.train.seed`, and more trials later add to them.

    Raises:
        UsageError: data or settings will not do, or `out` is of another sweep.
        EnvironmentFault: the disk is full.
    """
    if trials is not None and trials < 1:
        raise UsageError(f"a sweep needs 1 trial or more, got {trials}")
    wanted = POINTS if trials is None else min(trials, POINTS)
    known = to_learn_from(dataset)
    out.mkdir(parents=True, exist_ok=True)
    with _opened(out / STORAGE_FILE, base.train.seed) as (storage, study):
        _demand_same(study, fingerprint(known, base), out)
        while (done := len(_finished(study))) < wanted:
            trial = _cut_off(storage, study) or study.ask()
            values = {name: trial.suggest_categorical(name, of) for name, of in SPACE.items()}
            folder = out / _folder_name(values)
            watcher.training(folder.name, done + 1, wanted)
            settings = override(base, _assignments(values))
            model = open_model(train(known, settings, folder, device=device, watcher=watcher))
            validation = evaluate_model(model, known, VALID, device=device, resamples=0)
            study.tell(trial, score(validation, base.train.criterion))
        found = tuple(
            Trial(t.number, t.params, t.values[0], out / _folder_name(t.params) / MODEL_FOLDER)
            for t in _finished(study)
        )
    return Sweep(dataset.name, base.train.criterion, base, found)


class _Grid(GridSampler):
    """Trial n is point n of the grid, shuffled by the seed."""

    def after_trial(self, *_: object) -> None:
        """Not Optuna's, which would end a loop of its own: we count ourselves."""


@contextmanager
def _opened(file: Path, seed: int) -> Iterator[tuple[RDBStorage, optuna.Study]]:
    """The trials so far.

    Raises:
        EnvironmentFault: the file cannot be read or written, now or within the block.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        # A path is handed over as it is: in a URL ?, % and braces would mean something.
        storage = RDBStorage("sqlite://", {"creator": partial(sqlite3.connect, file)})
        try:
            yield (
                storage,
                optuna.create_study(
                    storage=storage,
                    sampler=_Grid(SPACE, seed),
                    study_name=STUDY,
                    direction="maximize",
                    load_if_exists=True,
                ),
            )
        finally:
            storage.remove_session()
            storage.engine.dispose()
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise EnvironmentFault(
            f"the trials in {file} cannot be read or written ({reason}): "
            "check the disk and the space left on it, or choose another --out"
        ) from error


def _demand_same(study: optuna.Study, mark: str, out: Path) -> None:
    if study.user_attrs.get(MARK, mark) != mark:
        raise UsageError(
            f"{out} holds a sweep with other settings or data: "
            "choose another --out, or remove the folder"
        )
    study.set_user_attr(MARK, mark)


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _cut_off(storage: RDBStorage, study: optuna.Study) -> optuna.Trial | None:
    """A trial that began and never ended, as it was; None if there is none."""
    for begun in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study_id = storage.get_study_id_from_name(STUDY)
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, begun.number)
        return optuna.Trial(study, trial_id)
    return None


def _assignments(values: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{name}={values[name]}" for name in SPACE)


def _folder_name(values: Mapping[str, float]) -> str:
    """Of a trial.

    >>> _folder_name({"loss.beta": 0.8, "loss.gamma": 0.2, "loss.lambda_": 0.1})
    'lambda-0.1_beta-0.8_gamma-0.2'
    """
    return "_".join(f"{name.removeprefix('loss.').rstrip('_')}-{values[name]}" for name in SPACE)


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "values": dict(trial.values),
        "score": trial.score,
        "model": str(trial.model),
    }
