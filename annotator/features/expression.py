"""Crop a face as the expression network was trained to see it, and run the network.

The network is `weights/expression.onnx`; `annotator.learning.expression` trains it.
"""

from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from annotator.features.faces import Face
from annotator.features.sessions import WEIGHTS, cpu_session

EXPRESSIONS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
CROP = 48  # pixels a side: FER+
EMBEDDING = 64  # channels
BATCH = 64  # crops a call: bounds the memory of the network's maps

# How FER+ frames a face, measured by this detector on every third face of its valid split
# (1,193, enlarged 3.5 times, 97 % found). Of the measures of the face, the root of the box's area
# varies least within the crop (12 %); the crop's centre is the box's to within 1 % of its side.
SIDE_PER_BOX = 1.12  # crop side over the root of the box's area: 1 / 0.893
# The landmarks' medians there, made symmetric, in sides from their mean, as complex numbers.
UPRIGHT = np.array(
    [-0.181 - 0.192j, 0.181 - 0.192j, 0.018j, -0.142 + 0.183j, 0.142 + 0.183j], np.complex64
)


class ExpressionEncoder:
    """The expression network, on batches of crops."""

    def __init__(self, threads: int = 1) -> None:
        """Load the weights."""
        self._session = cpu_session(WEIGHTS / "expression.onnx", threads)

    def encode(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Grey crops (n, 48, 48), n >= 1, to embeddings (n, 64) and probabilities (n, 8)."""
        batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
        results = [self._session.run(None, {"crops": batch}) for batch in batches]
        embeddings, probabilities = zip(*results, strict=True)
        return np.concatenate(embeddings), np.concatenate(probabilities)


def face_crop(image: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
    """The face of a BGR frame (h, w, 3), grey and levelled, in FER+ framing: (48, 48)."""
    side = SIDE_PER_BOX * sqrt(face.area)
    shrink = max(1, round(side / CROP))  # warp at a whole multiple, then average: no aliasing
    scale = CROP * shrink / side
    x, y = (float(end) for end in (face.box[:2] + face.box[2:]) / 2)
    matrix = cv2.getRotationMatrix2D((x, y), roll(face.landmarks), scale)
    middle = CROP * shrink / 2
    move = np.array([[0, 0, middle - x], [0, 0, middle - y]])
    size = (CROP * shrink, CROP * shrink)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    warped = cv2.warpAffine(grey, matrix + move, size, borderMode=cv2.BORDER_REPLICATE)
    crop = cv2.resize(warped, (CROP, CROP), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def roll(landmarks: NDArray[np.float32]) -> float:
    """How far landmarks (5, 2) are turned from upright, in degrees, clockwise on the screen.

    The turn of the least-squares similarity from an upright face onto them: in the plane of
    complex numbers, the angle of the inner product. All five points take part because in a
    profile the two eyes alone, nearly in one place, would give any angle.

    >>> points = np.stack([UPRIGHT.real, UPRIGHT.imag], axis=1)
    >>> round(roll(points)), round(roll(points[:, ::-1] * [-1, 1]))
    (0, 90)
    """
    points = landmarks[:, 0] + 1j * landmarks[:, 1]
    return float(np.angle(np.vdot(UPRIGHT, points - points.mean()), deg=True))
