"""`annotate train`, `eval` and `models import`, as a user types them."""

import csv
import json

import pytest

from commands import annotate
from toy_corpus import ARGUMENTS, LABELS


def test_train_says_how_it_goes_and_where_the_model_lies(toy_data, tmp_path):
    config = tmp_path / "tiny.toml"
    config.write_text("[train]\nepochs = 2\nbatch = 16\n[network]\nhidden = 8\nlayers = 1\n")
    done = annotate("train", toy_data, "--out", tmp_path / "t", "--config", config)
    assert done.code == 0
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["epoch   1", "epoch   2"]
    assert done.out.startswith(f"Model: {tmp_path}/t/model")


def test_json_is_a_line_an_epoch(toy_data, tmp_path):
    done = annotate("train", toy_data, "--out", tmp_path / "t", *ARGUMENTS, "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["event"] for line in lines] == ["epoch"] * 3 + ["done"]
    assert lines[-1]["validation"]["labels"].keys() == set(LABELS)
    assert not done.err


def test_the_same_command_again_trains_nothing(toy_data, toy_training):
    again = annotate("train", toy_data, "--out", toy_training, *ARGUMENTS)
    assert (again.code, again.err) == (0, "")


def test_eval_prints_what_was_asked_for(toy_data, toy_training):
    table = annotate("eval", toy_data, toy_training, "--resamples", 50)
    assert table.code == 0, table.err
    assert "mi-F1" in table.out
    assert "happy" in table.out
    numbers = annotate("eval", toy_data, toy_training, "--resamples", 50, "--format", "json").json
    (found,) = numbers.values()
    assert found["clips"] == 30
    assert found["metrics"]["micro_f1"]["low"] <= found["metrics"]["micro_f1"]["value"]
    latex = annotate(
        "eval", toy_data, toy_training, toy_training, "--resamples", 0, "--format", "latex"
    )
    assert latex.out.startswith("\\begin{tabular}")


def test_several_models_have_a_mean(toy_data, toy_training):
    other = toy_data.parent / "other"
    annotate("train", toy_data, "--out", other, *ARGUMENTS, "--set", "train.seed=1")
    table = annotate("eval", toy_data, toy_training, other, "--resamples", 0)
    assert "mean ± sd" in table.out


def test_the_model_enters_a_workspace_with_all_that_is_known(toy_training, tmp_path):
    workspace = ["--workspace", tmp_path / "w"]
    done = annotate("models", "import", toy_training, "--name", "toy", *workspace)
    assert done.code == 0, done.err
    shown = annotate("models", "show", "toy", "--json", *workspace).json
    assert shown["trained"] is True
    assert shown["labels"] == list(LABELS)
    described = json.loads((tmp_path / "w" / "models" / "toy" / "model.json").read_text())
    assert described["metadata"]["settings"]["train"]["epochs"] == 3


def test_labels_can_be_chosen(toy_data, tmp_path):
    done = annotate(
        "train", toy_data, "--out", tmp_path / "t", *ARGUMENTS, "--labels", "anger,happy"
    )
    assert done.code == 0, done.err
    curves = list(csv.DictReader((tmp_path / "t" / "curves.csv").open()))
    assert len(curves) == 3
    described = json.loads((tmp_path / "t" / "model" / "model.json").read_text())
    assert described["config"]["labels"] == ["anger", "happy"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--set", "train.epoch=3"], "no setting 'epoch'"),
        (["--set", "train.epochs=0"], "epochs must be 1 or more"),
        (["--labels", "happy,joy"], "joy"),
        (["--config", "missing.toml"], "cannot be read"),
        (["--set", "network.hidden=9"], "these settings make no network"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(toy_data, tmp_path, arguments, line):
    done = annotate("train", toy_data, "--out", tmp_path / "t", *arguments)
    assert done.code == 2
    assert done.err.startswith("Error: ")
    assert len(done.err.splitlines()) == 1
    assert line in done.err
    assert not (tmp_path / "t").exists()


def test_eval_of_a_split_that_is_not_there(toy_data, toy_training, tmp_path):
    missing = annotate("eval", toy_data, tmp_path)
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    assert "no model in" in missing.err
