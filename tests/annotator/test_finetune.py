"""A whole fine-tuning, on a small corpus whose truth is known."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import reviewed_world
from annotator import registry
from annotator.errors import UsageError
from annotator.finetune import FOLDER, Finetuned, Request, finetune, make_plan
from annotator.learning.finetune_settings import FinetuneSettings
from annotator.learning.settings import override
from annotator.learning.training import STATE_FILE
from lddu_model import load
from reviewed_world import QUICK, World, noisy, reviewed, truthful
from toy_corpus import LABELS, Silent, corpus

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


def tuned(world: World, *assignments: str, watcher=None, **asked) -> Finetuned:
    settings = override(FinetuneSettings(), (*QUICK, *assignments))
    plan = make_plan(world.workspace, settings, Request(**asked), lambda _: None)
    return finetune(world.workspace, plan, device=CPU, watcher=watcher or Silent())


def in_use(world: World) -> str:
    return registry.choose(world.workspace, None).name


def facts(world: World, name: str) -> dict:
    return json.loads((world.workspace.models / name / "model.json").read_text())["metadata"]


def models(world: World) -> list[str]:
    return sorted(folder.name for folder in world.workspace.models.glob("[!.]*/"))


def weights(world: World, name: str) -> dict:
    return load(world.workspace.models / name).network.state_dict()


@pytest.fixture
def taught(tmp_path):
    return reviewed(tmp_path, truthful)


def test_true_labels_improve_the_model_and_it_is_promoted(taught):
    done = tuned(taught)
    assert done.promoted
    assert (done.name, in_use(taught)) == ("base-r1", "base-r1")
    assert done.verdict.comparison.difference.low > 0
    assert done.verdict.after.metrics["macro_f1"].value > 0.7
    known = facts(taught, "base-r1")
    parent = load(taught.workspace.models / "base")
    assert known["parent"] == {"name": "base", "weights_sha256": parent.weights_sha256}
    assert known["round"] == 1
    assert known["labels_from"] == {"answers": 320, "people": 1, "clips": 320}
    assert known["data"]["sha256"] == done.plan.reviewed.sha256
    assert known["split"] == {"valid": 0.2, "test": 0.2, "seed": done.plan.reviewed.split.seed}
    assert known["promotion"]["promoted"] is True
    assert known["promotion"]["reason"] == done.reason
    assert known["extractors"] == reviewed_world.EXTRACTORS
    assert not list((taught.workspace.root / FOLDER).iterdir())
    assert json.dumps(done.to_json(), allow_nan=False)


def test_noise_stays_a_candidate_with_the_reason(tmp_path):
    world = reviewed(tmp_path, lambda clips: noisy(clips, seed=5))
    done = tuned(world)
    assert not done.promoted
    assert in_use(world) == "base"
    assert done.verdict.comparison.difference.low <= 0
    assert "not surely above 0" in done.reason
    assert facts(world, "base-r1")["promotion"]["reason"] == done.reason


@pytest.mark.parametrize(("promote", "used"), [("never", "base"), ("always", "base-r1")])
def test_people_decide_if_they_want_to(taught, promote, used):
    assert tuned(taught, "train.epochs=1", promote=promote).reason.startswith(
        f"--promote {promote}"
    )
    assert in_use(taught) == used


def test_the_same_command_again_makes_nothing_twice(taught):
    first = tuned(taught, promote="never")
    watcher = Silent()
    again = tuned(taught, watcher=watcher, source="base")
    assert (again.name, watcher.epochs) == (first.name, [])
    assert models(taught) == ["base", "base-r1"]
    assert in_use(taught) == "base-r1"  # promoted now that it may be
    once_more = tuned(taught, source="base")
    assert once_more.verdict.comparison.difference == again.verdict.comparison.difference


def test_what_has_learnt_these_answers_is_not_taught_them_again(taught):
    tuned(taught)
    with pytest.raises(UsageError, match="'base-r1', has learnt from just these answers"):
        tuned(taught)


def test_the_next_round_keeps_who_is_held_out(taught):
    first = tuned(taught)
    more = [
        replace(e, id=f"new-{e.id}", group=f"new {e.group}")
        for e in corpus(40, 1, 1).split("train")
    ]
    taught.clips(more)
    taught.answers(truthful(more), project=2)
    second = tuned(taught)
    assert second.name == "base-r2"
    known = facts(taught, "base-r2")
    assert (known["round"], known["parent"]["name"]) == (2, "base-r1")
    assert known["split"] == facts(taught, "base-r1")["split"]
    held = {e.id for e in first.plan.reviewed.dataset.split("test")}
    learnt = {e.id for e in second.plan.dataset.split("train")}
    assert held <= {e.id for e in second.plan.reviewed.dataset.split("test")}
    assert not held & learnt
    with pytest.raises(UsageError, match=r"held out other shares.*--set finetune\.valid=0\.2"):
        tuned(taught, "finetune.test=0.3", source="base-r1")


def test_the_split_of_the_model_in_use_binds_those_from_an_older_one(taught):
    tuned(taught)
    file = taught.workspace.models / "base-r1" / "model.json"
    described = json.loads(file.read_text())
    described["metadata"]["split"]["seed"] = 7
    file.write_text(json.dumps(described))
    again = tuned(taught, "train.seed=1", "train.epochs=1", source="base", name="again")
    assert again.plan.reviewed.split.seed == 7


class Interrupted(Exception):
    pass


class Impatient(Silent):
    def epoch(self, epoch: object) -> None:
        super().epoch(epoch)
        if len(self.epochs) == 2:
            raise Interrupted


def test_an_interrupted_fine_tuning_ends_with_the_same_weights(tmp_path):
    worlds = [reviewed(tmp_path / name, truthful) for name in "ab"]
    with pytest.raises(Interrupted):
        tuned(worlds[0], "train.epochs=4", watcher=Impatient())
    assert not (worlds[0].workspace.models / "base-r1").exists()
    watcher = Silent()
    tuned(worlds[0], "train.epochs=4", watcher=watcher)
    tuned(worlds[1], "train.epochs=4")
    assert [epoch.number for epoch in watcher.epochs] == [3, 4]
    hashes = {load(world.workspace.models / "base-r1").weights_sha256 for world in worlds}
    assert len(hashes) == 1


def test_kill_9_in_the_midst(tmp_path):
    world = reviewed(tmp_path, truthful)
    command = [sys.executable, "-m", "cli", "finetune", "--workspace", world.workspace.root]
    command += [word for one in (*QUICK, "train.epochs=12") for word in ("--set", one)]
    environ = {
        **os.environ,
        "PYTHONPATH": str(Path(registry.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and not list(
        (world.workspace.root / FOLDER).glob(f"*/{STATE_FILE}")
    ):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert "epoch   1" not in done.stderr
    assert models(world) == ["base", "base-r1"]
    assert "Model base-r1 is in use now." in done.stdout


def test_frozen_layers_stay_and_others_move(taught):
    tuned(taught, "layers.encoders=0", "layers.emotion_space=0.5", "train.epochs=1")
    before, after = weights(taught, "base"), weights(taught, "base-r1")
    moved = {
        name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])
    }
    assert "encoder" not in moved
    assert {"labels", "latent", "head_direct", "head_mu"} <= moved


def test_replayed_clips_are_learnt_from_and_never_judge(taught):
    earlier = replace(
        corpus(200, 5, 5), extractors=reviewed_world.EXTRACTORS, name="old", files={"old": "1"}
    )
    plain = tuned(taught, "train.epochs=1", promote="never")
    done = tuned(taught, "train.epochs=1", "finetune.replay=0.5", replay=earlier, promote="never")
    assert done.plan.replayed == round(0.5 * done.plan.sizes()["train"])
    assert done.plan.sizes() == plain.plan.sizes()
    assert not {e.group for e in done.plan.dataset.split("train")} & done.plan.reviewed.held
    assert facts(taught, done.name)["data"]["files"].keys() == {"answers", "old"}


def test_replayed_features_must_be_the_models(taught):
    with pytest.raises(UsageError, match=r"model takes visual features of fake-faces@1"):
        tuned(taught, replay=corpus(50, 5, 5))


def test_contradicting_people_break_nothing(tmp_path):
    def contradict(examples):
        said = truthful(examples, ["ann"])
        for place, example in enumerate(examples):
            said[example.id]["bob"] = LABELS[place % 3]
        return said

    done = tuned(reviewed(tmp_path, contradict), "train.epochs=2")
    assert np.isfinite(done.verdict.comparison.difference.value)


def test_names_are_never_overwritten(taught):
    with pytest.raises(UsageError, match="'base' is a model of this workspace already"):
        tuned(taught, name="base")
    with pytest.raises(UsageError, match="cannot name a model"):
        tuned(taught, name="../x")
    assert tuned(taught, "train.epochs=1", name="ours").name == "ours"
    assert not (taught.workspace.root / FOLDER / "x").exists()


def test_models_of_other_features_or_labels_are_refused(taught):
    tuned(taught, promote="always")
    foreign = dict.fromkeys(reviewed_world.EXTRACTORS, "foreign features")
    taught.make_model("paper", extractors=foreign)
    with pytest.raises(UsageError, match="'paper' was trained on features that are not of this"):
        tuned(taught, source="paper")
    taught.make_model("other", extractors={**reviewed_world.EXTRACTORS, "audio": "ears@2"})
    with pytest.raises(
        UsageError, match="'other' has other labels or extractors than the model in"
    ):
        tuned(taught, source="other")
    with pytest.raises(UsageError, match="takes features of fake-faces@1, ears@2"):
        tuned(taught, source="other", promote="never")


def test_an_intensity_loss_needs_its_head(taught):
    with pytest.raises(UsageError, match="no head for intensities"):
        tuned(taught, "loss.intensity=0.5")
    assert models(taught) == ["base"]
