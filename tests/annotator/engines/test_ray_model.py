"""The model on the GPUs of a cluster, as far as Ray knows: the same answers, in the same order."""

from pathlib import Path

import numpy as np
import pytest

from annotator import registry
from annotator.engines.ray_model import RayPredictor, on_gpus
from annotator.features.extractor import extractor_spec
from annotator.predict import Predictor, choose_device
from annotator.types import Absent, ClipFeatures, Features
from annotator.workspace import open_workspace

ray = pytest.importorskip("ray")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

REPOSITORY = Path(__file__).resolve().parents[3]
GPUS = 2


@pytest.fixture(scope="module")
def gpus():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local",
            num_cpus=1,
            num_gpus=GPUS,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=80 << 20,
        )
        yield
        ray.shutdown()


@pytest.fixture
def model(tmp_path):
    return registry.choose(open_workspace(tmp_path / "w", create=True), registry.STARTER)


def clip(number: int, model) -> ClipFeatures:
    """A clip that is heard and read, each with other features."""
    rng = np.random.default_rng(number)
    found = {
        name: Features(
            rng.normal(
                size=(5, extractor_spec(model.extractors[name].rpartition("@")[0]).dimension)
            ).astype(np.float16),
            "x@1",
        )
        for name in ("audio", "text")
    }
    return ClipFeatures(
        visual=Absent("no video stream", "x@1"), **found, transcript="a", transcript_origin="asr"
    )


@pytest.fixture
def batches(model):
    return [[clip(10 * batch + row, model) for row in range(4)] for batch in range(9)]


def expected(model, batches):
    return list(Predictor(registry.load_network(model), choose_device("cpu")).each(batches))


def assert_alike(found, wanted):
    numbers = [
        [[label.p for label in scores.labels] for batch in side for scores in batch]
        for side in (found, wanted)
    ]
    np.testing.assert_allclose(*numbers, atol=1e-6)
    assert len({row[0] for row in numbers[0]}) == len(numbers[0]), "no two clips are alike"


def test_answers_are_those_of_one_machine_in_order(gpus, model, batches):
    pool = on_gpus(model, "auto", 0, [].append)
    assert len(pool._actors) == GPUS
    assert_alike(list(pool.each(batches)), expected(model, batches))
    assert list(pool.each([])) == []


def test_only_some_batches_are_under_way(gpus, model, batches):
    taken = []
    pool = RayPredictor(ray, model, "cpu", 0, 1, [].append)
    answers = pool.each(taken.append(number) or batch for number, batch in enumerate(batches))
    next(answers)
    assert taken == [0, 1]


def test_actors_that_are_lost_cost_time_only(gpus, model, batches):
    told: list[str] = []
    pool = RayPredictor(ray, model, "cpu", 0, GPUS, told.append)
    answers = pool.each(batches)
    found = [next(answers)]
    for actor in list(pool._actors):
        found.append(next(answers))
        ray.kill(actor)
    found.extend(answers)
    assert_alike(found, expected(model, batches))
    assert pool._actors == []
    assert len(told) == 1
    assert "no process with a GPU" in told[0]


def test_weights_that_arrive_damaged_are_refused(gpus, model, batches):
    weights = next(model.path.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    pool = RayPredictor(ray, model, "cpu", 0, 1, [].append)
    with pytest.raises(Exception, match="damaged"):
        list(pool.each(batches))


def test_without_gpus_there_is_no_pool(gpus, model, monkeypatch):
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 1.0})
    assert on_gpus(model, "auto", 0, [].append) is None
