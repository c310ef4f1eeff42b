"""Another version answers about clips whose features are known, and opens no media."""

import shutil

import pytest

from annotator import registry
from annotator.errors import UsageError
from annotator.predict import Predictor, choose_device
from annotator.repredict import Repredicted, repredict
from loop_world import LoopWorld


@pytest.fixture
def world(tmp_path, monkeypatch) -> LoopWorld:
    """Clips whose files are gone, and no ffmpeg."""
    world = LoopWorld(tmp_path, 12)
    shutil.rmtree(tmp_path / "corpus")
    monkeypatch.setenv("PATH", "")
    return world


def model(world: LoopWorld, name: str):
    return registry.choose(world.workspace, name)


def answers(world: LoopWorld, name: str) -> dict[int, tuple]:
    with world.workspace.open_store() as store:
        found = store.top(store.register_model(model(world, name)))
    return {clip.clip_id: clip.scores for clip in found}


def test_every_clip_gets_the_answer_that_its_features_give(world):
    told: list[int] = []
    base = model(world, "base")
    found = repredict(world.workspace, base, device="cpu", progress=told.append)
    assert found == Repredicted(12, 0)
    assert sum(told) == 12
    predictor = Predictor(registry.load_network(base), choose_device("cpu"))
    by_id = answers(world, "base")
    for example in world.examples:
        clip_id = world.clip_ids()[example.id]
        with world.workspace.open_store() as store:
            known = store.known_clips(1, [clip_id])[clip_id]
        features = world.workspace.cache().peek(known.content_hash, known.bounds)
        [expected] = predictor([features])
        got = [label.p for label in by_id[clip_id].labels]
        assert got == pytest.approx([label.p for label in expected.labels], abs=1e-5)


def test_twice_is_once_and_each_version_has_its_own(world):
    assert repredict(world.workspace, model(world, "base"), device="cpu").clips == 12
    assert repredict(world.workspace, model(world, "base"), device="cpu") == Repredicted(0, 0)
    world.make_model("other", labels=("happy", "sad"))
    assert repredict(world.workspace, model(world, "other"), device="cpu").clips == 12
    assert len(answers(world, "base")) == len(answers(world, "other")) == 12


def test_clips_without_fitting_features_are_counted(world):
    world.features(world.examples[0], audio="others@2")
    assert repredict(world.workspace, model(world, "base"), device="cpu") == Repredicted(11, 1)
    world.features(world.examples[0])
    assert repredict(world.workspace, model(world, "base"), device="cpu") == Repredicted(1, 0)


def test_bald_is_made_if_it_is_asked_for(world):
    repredict(world.workspace, model(world, "base"), device="cpu", mc_dropout=4)
    assert all(scores.bald is not None for scores in answers(world, "base").values())


def test_older_answers_without_bald_are_asked_for_again(world):
    base = model(world, "base")
    repredict(world.workspace, base, device="cpu")
    with world.workspace.open_store() as store, pytest.raises(UsageError, match="--mc-dropout 20"):
        store.top(store.register_model(base), by="bald")
    assert repredict(world.workspace, base, device="cpu", mc_dropout=4) == Repredicted(12, 0)
    assert all(scores.bald is not None for scores in answers(world, "base").values())
    assert repredict(world.workspace, base, device="cpu", mc_dropout=4) == Repredicted(0, 0)
