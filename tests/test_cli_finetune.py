"""`annotate finetune`, as a user types it."""

import json

import pytest

from commands import annotate
from reviewed_world import QUICK, UNUSABLE, World, content_hash, reviewed, truthful
from toy_corpus import corpus

FAST = [word for one in (*QUICK, "train.epochs=3") for word in ("--set", one)]


def finetune(world: World, *arguments: object):
    return annotate("finetune", "--workspace", world.workspace.root, *FAST, *arguments)


@pytest.fixture
def world(tmp_path) -> World:
    return reviewed(tmp_path, truthful, 160)


def test_it_says_what_was_learnt_how_good_it_is_and_what_was_decided(tmp_path):
    examples = corpus(160, 1, 1).split("train")
    said = truthful(examples) | {examples[0].id: {"ann": UNUSABLE}}
    world = reviewed(tmp_path, lambda _: said, 160)
    digest = content_hash(examples[1])
    (world.workspace.features / digest[:2] / digest / "0-1000.safetensors").unlink()
    done = finetune(world, "--promote", "never")
    assert done.code == 0, done.err
    assert "159 answers of 1 people to 158 clips (" in done.out
    for word in ("mAP", "ma-F1", "F1 happy", "base", "base-r1"):
        assert word in done.out
    assert "held-out clips: --promote never; mean average precision from" in done.out
    assert "Model base-r1 stays a candidate" in done.out
    assert "1 clips left out: half of their voters" in done.err
    assert "1 clips left out, as they have no features of the model's extractors" in done.err
    assert "nothing was replayed: --replay DATA" in done.err


def test_json_is_a_line_an_epoch_and_one_at_the_end(world):
    done = finetune(world, "--promote", "never", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["event"] for line in lines] == ["epoch"] * 3 + ["done"]
    assert lines[-1]["held_out"].keys() == {"base", "base-r1"}
    assert lines[-1]["promoted"] is False
    assert sum(lines[-1]["examples"].values()) == 160
    assert not done.err


def test_settings_come_from_a_file_too(world, tmp_path):
    config = tmp_path / "ours.toml"
    config.write_text("[train]\nbatch = 16\n[layers]\nencoders = 0\n[finetune]\ntest = 0.3\n")
    done = finetune(world, "--config", config, "--promote", "never", "--name", "ours")
    assert done.code == 0, done.err
    described = json.loads((world.workspace.models / "ours" / "model.json").read_text())
    known = described["metadata"]
    assert known["settings"]["train"]["batch"] == 16
    assert known["settings"]["train"]["weigh_raters"] is True  # a default of fine-tuning
    assert known["split"]["test"] == 0.3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--from", "nobody"], "no model 'nobody' in this workspace"),
        (["--name", "base"], "models are not overwritten"),
        (["--replay", "nothing.csv"], "nothing.csv does not exist"),
        (["--set", "network.hidden=8"], "is not a setting"),
        (["--set", "finetune.test=0.9"], "valid and test must be shares above 0"),
        (["--set", "layers.heads=-1"], "layer rates must be 0 or more"),
        (["--set", "finetune.measure=accuracy"], "must be one of mean_average_precision, macro_f1"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(world, arguments, line):
    done = finetune(world, *arguments)
    assert done.code == 2
    assert done.err.startswith("Error: ")
    assert len(done.err.splitlines()) == 1
    assert line in done.err
    assert [p.name for p in world.workspace.models.iterdir()] == ["base"]
    assert not (world.workspace.root / "finetune").exists()


def test_a_workspace_without_answers(tmp_path):
    done = finetune(World(tmp_path))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "`annotate pull` fetches" in done.err
