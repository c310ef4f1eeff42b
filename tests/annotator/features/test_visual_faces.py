"""The detector on a real photograph, turned and scaled, and on pictures without a face."""

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from annotator.features.faces import (
    ANCHORS,
    Face,
    FaceDetector,
    _anchors,
    _decode_boxes,
    _decode_points,
    _suppress,
    prominent,
)

CENTRE = (224.0, 125.0)  # of the astronaut's face, between the eyes and the mouth


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


def face(left: float, top: float, side: float, score: float) -> Face:
    box = np.array([left, top, left + side, top + side], np.float32)
    return Face(box, np.zeros((5, 2), np.float32), score)


def centre(found: Face) -> np.ndarray:
    return (found.box[:2] + found.box[2:]) / 2


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0, 1.25])
def test_finds_the_face_at_every_scale(detector, astronaut, scale):
    image = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    (found,) = detector.detect(image)
    left, top, right, bottom = found.box / scale
    assert 160 < left < 200 and 50 < top < 90
    assert 250 < right < 290 and 160 < bottom < 195


def test_landmarks_lie_on_the_features_of_the_face(detector, astronaut):
    (found,) = detector.detect(astronaut)
    expected = [[205, 101], [250, 106], [225, 126], [204, 144], [240, 149]]
    assert np.abs(found.landmarks - expected).max() < 6


@pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
def test_finds_a_turned_face(detector, astronaut, degrees):
    matrix = cv2.getRotationMatrix2D(CENTRE, degrees, 1)
    (found,) = detector.detect(cv2.warpAffine(astronaut, matrix, (512, 512)))
    assert np.abs(centre(found) - CENTRE).max() < 12


def test_finds_both_faces_of_a_wide_frame(detector, astronaut):
    frame = cv2.resize(np.hstack([astronaut, astronaut]), (640, 320))
    found = sorted(detector.detect(frame), key=lambda one: one.box[0])
    assert len(found) == 2
    assert centre(found[1])[0] - centre(found[0])[0] == pytest.approx(320, abs=4)


@pytest.mark.parametrize("name", ["coffee", "brick", "gravel", "rocket"])
def test_finds_no_face_where_there_is_none(detector, name):
    image = getattr(skimage.data, name)()
    image = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    assert detector.detect(np.ascontiguousarray(image)) == ()


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (360, 640), (33, 31)])
def test_any_frame_size_is_accepted(detector, shape):
    assert detector.detect(np.zeros((*shape, 3), np.uint8)) == ()


def test_detection_does_not_change_the_frame(detector, astronaut):
    before = astronaut.copy()
    detector.detect(astronaut)
    assert np.array_equal(astronaut, before)


def test_the_prominent_face_is_large_and_sure():
    small, large, vague = face(0, 0, 10, 0.99), face(50, 0, 30, 0.9), face(9, 9, 31, 0.8)
    assert prominent((small, large, vague)) is large
    assert prominent(()) is None


@given(st.integers(1, 200), st.integers(1, 200))
def test_anchors_cover_the_grid_of_every_level(width, height):
    anchors = _anchors(width, height)
    levels = [-(-width // stride) * -(-height // stride) * len(s) for stride, s in ANCHORS]
    assert anchors.shape == (sum(levels), 4)
    assert anchors[0].tolist() == [4, 4, 16, 16]
    assert anchors[1].tolist() == [4, 4, 32, 32]
    assert set(anchors[:, 3]) == {side for _, sides in ANCHORS for side in sides}


def test_zero_offsets_decode_to_the_anchor_itself():
    anchors = np.array([[100, 50, 64, 64]], np.float32)
    boxes = _decode_boxes(np.zeros((1, 4), np.float32), anchors)
    assert boxes.tolist() == [[68, 18, 132, 82]]
    points = _decode_points(np.ones((1, 10), np.float32), anchors)
    assert np.allclose(points, [[[106.4, 56.4]] * 5])


@given(arrays(np.float32, (12, 4), elements=st.floats(0, 50, width=32)))
def test_what_is_kept_overlaps_little_and_what_is_dropped_overlaps_much(numbers):
    boxes = np.concatenate([numbers[:, :2], numbers[:, :2] + numbers[:, 2:] + 1], axis=1)
    kept = _suppress(boxes, 0.4)

    def overlap(a, b):
        sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
        area = sum(np.prod(box[2:] - box[:2]) for box in (a, b))
        return sides.prod() / (area - sides.prod())

    for index in range(len(boxes)):
        better = [overlap(boxes[index], boxes[other]) for other in kept if other < index]
        assert (index in kept) == all(value <= 0.4 for value in better)
