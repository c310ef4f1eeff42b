"""Ablations of a toy network: what is varied, what is measured on, and resumption."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from annotator.errors import UsageError
from annotator.experiments.ablation import FULL, VARIANTS, Ablation, Variant, ablate
from annotator.learning.answers import answer
from annotator.learning.card import open_model
from annotator.learning.dataset import TEST, VALID
from annotator.learning.evaluation import evaluate_model
from annotator.learning.networks import network_config
from annotator.learning.settings import Settings, override
from annotator.metrics.tables import latex
from lddu_model import load
from toy_corpus import Silent, corpus, settings

CPU = torch.device("cpu")
BY_NAME = {variant.name: variant for variant in VARIANTS}
FEW = (BY_NAME["no-contrastive"], BY_NAME["constant-sigma"])
GIVEN = settings("train.epochs=1")


class Watching(Silent):
    def __init__(self) -> None:
        super().__init__()
        self.trainings: list[tuple[str, int, int]] = []

    def training(self, name: str, number: int, total: int) -> None:
        self.trainings.append((name, number, total))


def ablated(
    out: Path, given: Settings = GIVEN, watcher: Watching | None = None, **asked
) -> Ablation:
    asked = {"seeds": (0, 1), "variants": FEW, "dataset": corpus(), **asked}
    watcher = watcher or Watching()
    return ablate(settings=given, out=out, device=CPU, watcher=watcher, **asked)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("ablation")


@pytest.fixture(scope="module")
def done(folder) -> Ablation:
    return ablated(folder, split=TEST)


def test_each_row_is_what_the_trained_models_say_of_the_split(done, folder):
    assert [row.variant for row in done.rows] == [FULL, *FEW]
    for row in done.rows:
        models = [open_model(folder / row.variant.name / f"seed-{seed}") for seed in (0, 1)]
        values = [
            evaluate_model(m, corpus(), TEST, device=CPU, resamples=0).metrics["brier"].value
            for m in models
        ]
        assert row.summary.metrics["brier"].mean == pytest.approx(np.mean(values))
        assert row.summary.metrics["brier"].sd == pytest.approx(np.std(values, ddof=1))


def test_differences_are_paired_by_seed(done):
    full, without, _ = done.rows
    apart = [
        a.metrics["log_loss"].value - b.metrics["log_loss"].value
        for a, b in zip(without.evaluations, full.evaluations, strict=True)
    ]
    assert without.difference["log_loss"].mean == pytest.approx(np.mean(apart))
    assert without.difference["log_loss"].sd == pytest.approx(np.std(apart, ddof=1))
    assert full.difference["log_loss"].mean == 0


def test_thresholds_come_from_validation_though_the_test_split_is_measured(done, folder):
    chosen = load(folder / "full" / "seed-1" / "model").metadata["thresholds"]
    assert done.rows[0].evaluations[1].thresholds == tuple(chosen.values())
    assert done.rows[0].evaluations[1].clips == 30


def test_a_finished_ablation_trains_nothing_and_says_the_same(done, folder):
    watcher = Watching()
    again = ablated(folder, split=TEST, watcher=watcher)
    assert not watcher.epochs
    assert watcher.trainings[0] == ("full/seed-0", 1, 6)
    assert len(watcher.trainings) == 6
    assert str(again.to_json()) == str(done.to_json())


def test_a_training_that_was_cut_off_goes_on(tmp_path):
    class Cut(Exception):
        pass

    class Impatient(Watching):
        def epoch(self, epoch):
            super().epoch(epoch)
            if self.trainings[-1][0] == "no-contrastive/seed-0":
                raise Cut

    given = settings("train.epochs=2")
    whole = ablated(tmp_path / "whole", given, seeds=(0,))
    with pytest.raises(Cut):
        ablated(tmp_path / "cut", given, watcher=Impatient(), seeds=(0,))
    watcher = Watching()
    resumed = ablated(tmp_path / "cut", given, watcher=watcher, seeds=(0,))
    assert len(watcher.epochs) == 3  # one of the row that was cut off, two of the last
    assert str(resumed.to_json()) == str(whole.to_json())


def test_the_tables_have_a_row_a_variant(done):
    table = done.table()
    assert [row[0] for row in table.rows] == ["full", "without contrastive", "σ constant"]
    assert table.header[1] == "Accuracy (Jaccard)"
    assert all("±" in cell for cell in table.rows[0][1:])
    apart = done.differences()
    assert [row[0] for row in apart.rows] == ["without contrastive", "σ constant"]
    assert apart.header == table.header
    assert apart.rows[0][1][0] in "+−"
    assert r"$\sigma$ constant" in latex(table)


def test_what_a_constant_sigma_leaves_undefined_is_unknown(done):
    constant = done.rows[2].summary.metrics
    of = ("", "_visual", "_audio", "_text")
    assert all(np.isnan(constant[f"sigma_error{each}"].mean) for each in of)
    json.dumps(done.to_json(), allow_nan=False)


def test_a_constant_sigma_is_one_whatever_the_network_learns(done, folder):
    network = load(folder / "constant-sigma" / "seed-0" / "model").network
    norm = answer(network, corpus().split(VALID), CPU).sigma_norm
    assert np.unique(norm[~np.isnan(norm)]).tolist() == [2.0]  # √4, of a latent of 4
    full = load(folder / "full" / "seed-0" / "model").network
    assert len(np.unique(answer(full, corpus().split(VALID), CPU).sigma_norm)) > 100


def test_the_weights_of_a_constant_sigma_begin_as_those_of_the_full_model():
    from lddu_model import untrained

    varied = override(GIVEN, BY_NAME["constant-sigma"].changes)
    ours, full = (untrained(network_config(corpus(), s), 0).state_dict() for s in (varied, GIVEN))
    assert all(torch.equal(ours[name], full[name]) for name in full)


def test_every_variant_trains(tmp_path):
    found = ablated(tmp_path, seeds=(0,), variants=VARIANTS, dataset=corpus(20, 30, 0))
    names = [row.variant.name for row in found.rows]
    assert len(names) == len(VARIANTS) + 1 - len(found.same)
    assert {v.name for v in found.same} == {"error-calibration", "released-fusion"}
    losses = [row.summary.metrics["log_loss"].mean for row in found.rows]
    assert len(set(losses)) == len(names)  # each of the changes reaches the training


def test_without_being_asked_a_test_split_is_not_read(tmp_path, unreadable):
    whole = corpus()
    dataset = replace(whole, splits={**whole.splits, TEST: unreadable})
    assert ablated(tmp_path, seeds=(0,), dataset=dataset).split == VALID


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seeds": ()}, "at least one, got none"),
        ({"seeds": (1, 1)}, "different seeds from 0 on, at least one, got 1, 1"),
        ({"seeds": (-1,)}, "different seeds from 0 on"),
        ({"split": "train"}, "measured on valid or test, got 'train'"),
        ({"split": TEST, "dataset": corpus(test=0)}, "has no test examples"),
        ({"variants": [Variant("x", "x", ("network.heads=3",))]}, r"make no network \(hidden 8"),
        ({"variants": [Variant("x", "x", ("loss.nothing=3",))]}, "no setting 'nothing'"),
    ],
)
def test_what_cannot_be_is_refused_before_any_training(tmp_path, asked, message):
    watcher = Watching()
    with pytest.raises(UsageError, match=message):
        ablated(tmp_path, watcher=watcher, **asked)
    assert not watcher.trainings
    assert not list(tmp_path.iterdir())


def test_a_folder_of_another_ablation_is_refused(done, folder):
    with pytest.raises(UsageError, match="other settings or data"):
        ablated(folder, settings("train.epochs=2"))
