"""The training script on tiny data: it reads, learns, repeats itself and exports what it learnt."""

import csv
import json

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from annotator.errors import UsageError
from annotator.features.expression import CROP, EXPRESSIONS
from annotator.learning.expression import (
    BATCH,
    OTHER_VOTES,
    TILES_PER_ROW,
    Exported,
    ExpressionNet,
    Faces,
    evaluate,
    export,
    main,
    read_faces,
    spearman,
    train,
)
from annotator.learning.face_augmentation import augment

NAMES = (*EXPRESSIONS, *OTHER_VOTES)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # steps this small are slower on more
    yield
    torch.set_num_threads(before)


def random_faces(count: int, seed: int = 0) -> Faces:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, CROP, CROP), np.uint8)
    votes = generator.integers(0, 5, (count, len(EXPRESSIONS))).astype(np.float32)
    votes[:, 0] += 1  # no face without a vote
    votes[::2, 1] += 40  # a clear majority on every other face
    return Faces(images, votes)


def write_split(folder, split: str, images: np.ndarray, votes: np.ndarray) -> None:
    """The layout of the FER+ folder: a lossless mosaic and a table of votes."""
    rows = -(-len(images) // TILES_PER_ROW)
    mosaic = np.zeros((rows * CROP, TILES_PER_ROW * CROP), np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, TILES_PER_ROW)
        mosaic[row * CROP :, column * CROP :][:CROP, :CROP] = image
    cv2.imwrite(str(folder / f"{split}.webp"), mosaic, [cv2.IMWRITE_WEBP_QUALITY, 101])
    with (folder / f"{split}.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", *NAMES])
        table.writerows([f"{index}.png", *map(int, row)] for index, row in enumerate(votes))


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "valid"):
        faces = random_faces(6)
        write_split(tmp_path, split, faces.images, np.pad(faces.votes, ((0, 0), (0, 2))))
    return tmp_path


def test_reads_faces_in_the_order_of_the_votes(tmp_path):
    images = random_faces(TILES_PER_ROW + 2).images
    votes = np.zeros((len(images), len(NAMES)))
    votes[:, 1], votes[5, 3] = 4, 6
    write_split(tmp_path, "train", images, votes)
    faces = read_faces(tmp_path, "train")
    assert np.array_equal(faces.images, images)
    assert faces.targets[5].tolist() == pytest.approx([0, 0.4, 0, 0.6, 0, 0, 0, 0])


def test_faces_that_most_raters_could_not_name_are_left_out(tmp_path):
    images = random_faces(3).images
    votes = np.zeros((3, len(NAMES)))
    votes[0, 2], votes[1, 8], votes[1, 0], votes[2, 9] = 10, 6, 4, 10
    write_split(tmp_path, "train", images, votes)
    faces = read_faces(tmp_path, "train")
    assert np.array_equal(faces.images, images[:1])
    assert faces.votes.shape == (1, len(EXPRESSIONS))


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"train\.webp"):
        read_faces(tmp_path, "train")


def test_more_votes_than_faces_is_an_error(tmp_path):
    write_split(tmp_path, "train", random_faces(2).images, np.ones((TILES_PER_ROW + 1, 10)))
    with pytest.raises(UsageError, match="161 rows"):
        read_faces(tmp_path, "train")


def test_augmentation_keeps_shape_and_varies_with_its_generator():
    faces = torch.from_numpy(random_faces(9).images).float() / 255
    one = augment(faces, torch.Generator().manual_seed(1))
    assert one.shape == faces.shape
    assert torch.isfinite(one).all()
    assert torch.equal(one, augment(faces, torch.Generator().manual_seed(1)))
    assert not torch.equal(one, augment(faces, torch.Generator().manual_seed(2)))


def test_training_learns_to_tell_bright_halves(monkeypatch):
    """Left bright is happiness, top bright is anger: flips keep them apart."""
    monkeypatch.setattr("annotator.learning.expression.BATCH", 16)
    count = 64
    images = np.full((count, CROP, CROP), 40, np.uint8)
    votes = np.zeros((count, len(EXPRESSIONS)), np.float32)
    images[::2, :, :24], votes[::2, 1] = 200, 10
    images[1::2, :24, :], votes[1::2, 4] = 200, 10
    faces = Faces(images, votes)
    *_, net = train(faces, epochs=10, seed=0)
    assert evaluate(net, faces, seed=0)["accuracy"] > 0.95


def test_a_seed_gives_one_network():
    faces = random_faces(BATCH)
    one, other, third = (list(train(faces, 1, seed))[-1].state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert not all(torch.equal(one[key], third[key]) for key in one)


@pytest.mark.parametrize("count", [1, 5])
def test_the_exported_network_is_the_network(tmp_path, count):
    *_, net = train(random_faces(BATCH), epochs=1, seed=0)
    export(net, tmp_path / "net.onnx")
    crops = random_faces(count, seed=1).images
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    results = session.run(["embedding", "probabilities"], {"crops": crops})
    with torch.inference_mode():
        expected = Exported(net)(torch.from_numpy(crops))
    for result, tensor in zip(results, expected, strict=True):
        assert np.abs(result - tensor.numpy()).max() < 1e-4


def test_evaluation_is_right_about_a_network_that_is_always_right():
    faces = random_faces(40)
    net = ExpressionNet().eval()
    net.head[1].weight.data *= 100  # sure of itself, so that some faces have a clear majority
    own = Exported(net)(torch.from_numpy(faces.images))[1].detach().numpy()
    measured = evaluate(net, Faces(faces.images, own), seed=0)
    assert measured["accuracy"] == 1
    assert measured["accuracy_interval"] == [1, 1]
    assert measured["entropy_spearman"] == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_spearman_agrees_with_scipy_on_ties(seed):
    stats = pytest.importorskip("scipy.stats")
    left, right = np.random.default_rng(seed).integers(0, 6, (2, 50)).astype(float)
    assert spearman(left, right) == pytest.approx(stats.spearmanr(left, right).statistic)


def test_the_command_writes_network_and_card(folder, tmp_path):
    out = tmp_path / "expression.onnx"
    options = ["--data", str(folder), "--out", str(out), "--epochs", "1", "--threads", "1"]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert result.exit_code == 0
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["epochs"] == 1
    assert card["data"] == "FER+, 6 faces of train, 6 of valid"
    assert out.stat().st_size < 3_000_000
