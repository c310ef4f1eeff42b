"""Crops, the shipped expression network, and the features of a frame."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from annotator.features.expression import (
    BATCH,
    CROP,
    EMBEDDING,
    EXPRESSIONS,
    UPRIGHT,
    ExpressionEncoder,
    face_crop,
    roll,
)
from annotator.features.faces import FaceDetector
from annotator.features.sessions import WEIGHTS
from annotator.features.visual import FaceExpressions

POINTS = np.stack([UPRIGHT.real, UPRIGHT.imag], axis=1)
EXPRESSION = slice(EMBEDDING, EMBEDDING + len(EXPRESSIONS))


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


@pytest.fixture(scope="module")
def extractor() -> FaceExpressions:
    return FaceExpressions()


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((224, 125), degrees, 1)
    return cv2.warpAffine(image, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)


@given(st.floats(-170, 170), st.floats(0.1, 500), st.floats(-1000, 1000))
def test_roll_is_the_turn_whatever_the_size_and_place(degrees, size, shift):
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert roll(size * POINTS @ turn.T + shift) == pytest.approx(degrees, abs=0.1)


@pytest.mark.parametrize("degrees", [-30, 30])
def test_a_crop_takes_most_of_the_turn_away(astronaut, degrees):
    """Seen again in its crop, the face is turned less than half as far."""
    image = turned(astronaut, degrees)
    detector = FaceDetector()
    crop = face_crop(image, detector.detect(image)[0])
    framed = cv2.copyMakeBorder(crop, 16, 16, 16, 16, cv2.BORDER_REPLICATE)
    larger = cv2.cvtColor(cv2.resize(framed, None, fx=3.5, fy=3.5), cv2.COLOR_GRAY2BGR)
    (again,) = detector.detect(larger)
    assert abs(roll(again.landmarks)) < 15


def test_a_scaled_frame_gives_the_same_face(astronaut, extractor):
    half = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    one, other = extractor.observe(astronaut), extractor.observe(half)
    assert one.crop.shape == (CROP, CROP) and one.crop.dtype == np.uint8
    assert np.corrcoef(one.crop.ravel(), other.crop.ravel())[0, 1] > 0.7  # edges move a pixel
    assert np.abs(one.box - other.box).max() < 0.02
    assert np.abs(one.landmarks - other.landmarks).max() < 0.02


def test_no_face_is_none(extractor):
    assert extractor.observe(np.ascontiguousarray(skimage.data.coffee())) is None


def test_a_face_cut_by_the_border_is_still_cropped(astronaut, extractor):
    seen = extractor.observe(np.ascontiguousarray(astronaut[90:, 190:]))
    assert seen is None or seen.crop.shape == (CROP, CROP)


def test_features_have_the_declared_shape(astronaut, extractor):
    seen = extractor.observe(astronaut)
    features = extractor.embed([seen] * 3)
    assert features.shape == (3, extractor.dimension)
    assert features.dtype == np.float32
    assert extractor.id == "faces@1"
    assert (extractor.modality, extractor.rate_hz) == ("visual", 5.0)
    assert features[:, EXPRESSION].sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_geometry_is_relative(astronaut, extractor):
    """The box's centre and size are parts of the frame; landmarks are parts of the box."""
    seen = extractor.observe(astronaut)
    geometry = extractor.embed([seen])[0, EXPRESSION.stop :]
    assert geometry[:2] == pytest.approx([0.44, 0.235], abs=0.02)
    assert geometry[2:4] == pytest.approx([0.18, 0.22], abs=0.02)
    assert np.abs(geometry[4:14]).max() < 0.5
    assert geometry[14] == pytest.approx(seen.score)
    shifted = replace(seen, box=seen.box + 0.1, landmarks=seen.landmarks + 0.1)
    assert extractor.embed([shifted])[0, -11:] == pytest.approx(geometry[4:], abs=1e-5)


def test_equal_frames_give_equal_features(astronaut):
    first, second = FaceExpressions(), FaceExpressions()
    one = first.embed([first.observe(astronaut)])
    assert np.array_equal(one, first.embed([first.observe(astronaut)]))
    assert np.array_equal(one, second.embed([second.observe(astronaut)]))


def test_a_long_clip_is_encoded_as_its_parts():
    crops = np.random.default_rng(0).integers(0, 256, (BATCH + 3, CROP, CROP), np.uint8)
    encoder = ExpressionEncoder()
    whole, _ = encoder.encode(crops)
    alone, _ = encoder.encode(crops[-1:])
    assert len(whole) == BATCH + 3
    assert np.allclose(whole[-1], alone[0], atol=1e-5)


def test_exposure_and_contrast_do_not_matter(astronaut, extractor):
    crop = extractor.observe(astronaut).crop
    dim = (crop * 0.5 + 20).astype(np.uint8)
    _, probabilities = ExpressionEncoder().encode(np.stack([crop, dim]))
    assert np.abs(probabilities[0] - probabilities[1]).max() < 0.05


@pytest.mark.parametrize("degrees", [-20, 0, 20])
def test_the_smiling_astronaut_is_happy(astronaut, extractor, degrees):
    features = extractor.embed([extractor.observe(turned(astronaut, degrees))])
    assert EXPRESSIONS[int(features[0, EXPRESSION].argmax())] == "happiness"


def test_a_blank_crop_gives_finite_features():
    embedding, probabilities = ExpressionEncoder().encode(np.zeros((1, CROP, CROP), np.uint8))
    assert np.isfinite(embedding).all() and np.isfinite(probabilities).all()


def test_the_card_beside_the_weights_tells_where_they_come_from():
    card = json.loads((WEIGHTS / "expression.json").read_text())
    low, high = card["valid"]["accuracy_interval"]
    assert low < card["valid"]["accuracy"] < high
    assert tuple(card["labels"]) == EXPRESSIONS
    assert card["epochs"] == card["of_epochs"]
    assert {"data", "terms", "seed"} <= card.keys()
    assert (WEIGHTS / "expression.onnx").stat().st_size < 3_000_000
