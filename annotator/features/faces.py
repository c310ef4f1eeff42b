"""Find the face in a frame: RetinaFace (Deng et al. 2020) with a MobileNet-0.25 trunk.

The weights are `weights/retinaface.onnx`; the anchors, the decoding and the suppression here
follow biubug6/Pytorch_Retinaface, whose training they come from.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from annotator.features.sessions import WEIGHTS, cpu_session

# A frame is shrunk to this area first, 320x180 of a wide one; the time goes with the area, 4.6 ms
# here on one core. On 640x360 frames it finds all faces of 64 pixels, 9 in 10 of 48 and 2 in 3 of
# 40; at 36,000 (2.9 ms) those of 64 begin to be missed.
DETECTION_PIXELS = 57_600
MEAN_BGR = (104.0, 117.0, 123.0)  # subtracted in training
ANCHORS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))  # stride and box sides, pixels
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2  # the scale of the network's offsets
MIN_SCORE = 0.8  # no false face in 259 pictures without one, against 2 at 0.7
MAX_OVERLAP = 0.4  # boxes of a higher intersection over union are one face
MAX_CANDIDATES = 200  # anchors over MIN_SCORE that enter the suppression, best first


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face, in pixels of the frame.

    box: left, top, right, bottom (4,). landmarks: (5, 2) as x, y: the two eyes, the nose, the
    two corners of the mouth, each pair left to right in an upright image.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        left, top, right, bottom = self.box
        return float((right - left) * (bottom - top))


class FaceDetector:
    """RetinaFace on one frame at a time."""

    def __init__(self, threads: int = 1, pixels: int = DETECTION_PIXELS) -> None:
        """Load the weights; `pixels` is the area a larger frame is shrunk to."""
        self._session = cpu_session(WEIGHTS / "retinaface.onnx", threads)
        self._pixels = pixels

    def detect(self, image: NDArray[np.uint8]) -> tuple[Face, ...]:
        """The faces of a BGR frame (h, w, 3), the best of overlapping boxes, by falling score."""
        height, width = image.shape[:2]
        scale = min(1.0, sqrt(self._pixels / (height * width)))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
        blob = cv2.dnn.blobFromImage(small, mean=MEAN_BGR)
        offsets, scores, points = self._session.run(None, {"input": blob})
        return _faces(offsets[0], scores[0, :, 1], points[0], size, (width, height))


def prominent(faces: tuple[Face, ...]) -> Face | None:
    """The face a clip is about: the largest product of score and area; None of none."""
    return max(faces, key=lambda face: face.score * face.area, default=None)


def _faces(
    offsets: NDArray[np.float32],
    scores: NDArray[np.float32],
    points: NDArray[np.float32],
    size: tuple[int, int],
    frame: tuple[int, int],
) -> tuple[Face, ...]:
    """Decode the network's output at `size` (w, h) into faces in pixels of `frame` (w, h)."""
    candidates = np.flatnonzero(scores > MIN_SCORE)
    candidates = candidates[np.argsort(-scores[candidates], kind="stable")][:MAX_CANDIDATES]
    if not candidates.size:
        return ()
    anchors = _anchors(*size)[candidates]
    stretch = np.array(frame, np.float32) / np.array(size, np.float32)
    boxes = _decode_boxes(offsets[candidates], anchors) * np.tile(stretch, 2)
    landmarks = _decode_points(points[candidates], anchors) * stretch
    kept = _suppress(boxes, MAX_OVERLAP)
    return tuple(Face(boxes[i], landmarks[i], float(scores[candidates[i]])) for i in kept)


@lru_cache(maxsize=8)
def _anchors(width: int, height: int) -> NDArray[np.float32]:
    """The prior boxes (n, 4) as centre x, y and side, side, in the order of the output rows."""
    levels = []
    for stride, sides in ANCHORS:
        rows, columns = np.mgrid[: ceil(height / stride), : ceil(width / stride)]
        centres = (np.stack([columns, rows], -1).reshape(-1, 1, 2) + 0.5) * stride
        squares = np.repeat(np.array(sides), 2).reshape(1, -1, 2)
        shape = (len(centres), len(sides), 2)
        both = [np.broadcast_to(centres, shape), np.broadcast_to(squares, shape)]
        levels.append(np.concatenate(both, -1).reshape(-1, 4))
    anchors: NDArray[np.float32] = np.concatenate(levels).astype(np.float32)
    anchors.setflags(write=False)  # it is shared by every later frame of this size
    return anchors


def _decode_boxes(
    offsets: NDArray[np.float32], anchors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Box offsets (n, 4) to left, top, right, bottom (n, 4), in pixels."""
    centres = anchors[:, :2] + anchors[:, 2:] * offsets[:, :2] * CENTRE_VARIANCE
    halves = anchors[:, 2:] * np.exp(offsets[:, 2:] * SIZE_VARIANCE) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _decode_points(
    points: NDArray[np.float32], anchors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Landmark offsets (n, 10) to x, y (n, 5, 2), in pixels."""
    offsets = points.reshape(-1, 5, 2) * CENTRE_VARIANCE
    return anchors[:, None, :2] + anchors[:, None, 2:] * offsets


def _suppress(boxes: NDArray[np.float32], max_overlap: float) -> list[int]:
    """Greedy non-maximum suppression; boxes (n, 4) come by falling score.

    >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    >>> _suppress(boxes, 0.4)
    [0, 2]
    """
    kept: list[int] = []
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    alive = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if not alive[index]:
            continue
        kept.append(index)
        corner = np.minimum(boxes[index, 2:], boxes[:, 2:])
        sides = np.clip(corner - np.maximum(boxes[index, :2], boxes[:, :2]), 0, None)
        shared = np.prod(sides, axis=1)
        alive &= shared <= max_overlap * (areas[index] + areas - shared)
    return kept
