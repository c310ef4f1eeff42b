"""The visual extractor: the face of a frame, its expression and its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from annotator.features.expression import EMBEDDING, EXPRESSIONS, ExpressionEncoder, face_crop
from annotator.features.faces import FaceDetector, prominent
from annotator.types import Modality

GEOMETRY = 2 + 2 + 10 + 1  # box centre, box size, five landmarks within the box, score


@dataclass(frozen=True, slots=True)
class Observation:
    """One frame's face, small enough to keep until its clip is complete (2.4 kB).

    crop: grey (48, 48). box: left, top, right, bottom (4,) and landmarks: x, y (5, 2), as parts
    of the frame's width and height; a face cut by the border reaches past 0 or 1.
    """

    crop: NDArray[np.uint8]
    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float


class FaceExpressions:
    """Per frame with a face: embedding 64, expression probabilities 8, geometry 15."""

    name: ClassVar[str] = "faces"
    version: ClassVar[str] = "1"
    modality: ClassVar[Modality] = "visual"
    rate_hz: ClassVar[float] = 5.0  # frames a second of video
    dimension: ClassVar[int] = EMBEDDING + len(EXPRESSIONS) + GEOMETRY

    def __init__(self, threads: int = 1) -> None:
        """Load both networks, each of which runs on `threads` threads."""
        self._detector = FaceDetector(threads)
        self._encoder = ExpressionEncoder(threads)

    @property
    def id(self) -> str:
        """Name and version, as a model records them."""
        return f"{self.name}@{self.version}"

    def observe(self, image: NDArray[np.uint8]) -> Observation | None:
        """The most prominent face of a BGR frame (h, w, 3), or None of a frame without one."""
        face = prominent(self._detector.detect(image))
        if face is None:
            return None
        height, width = image.shape[:2]
        return Observation(
            crop=face_crop(image, face),
            box=(face.box / [width, height, width, height]).astype(np.float32),
            landmarks=(face.landmarks / [width, height]).astype(np.float32),
            score=face.score,
        )

    def embed(self, observations: Sequence[Observation]) -> NDArray[np.float32]:
        """The features (steps, dimension) of at least one observation, in their order."""
        crops = np.stack([seen.crop for seen in observations])
        geometry = np.stack([_geometry(seen) for seen in observations])
        return np.concatenate([*self._encoder.encode(crops), geometry], axis=1)


def _geometry(seen: Observation) -> NDArray[np.float32]:
    """Box centre and size in frames, landmarks in boxes from its centre, score: (15,)."""
    centre = (seen.box[:2] + seen.box[2:]) / 2
    size = seen.box[2:] - seen.box[:2]
    points = (seen.landmarks - centre) / size
    parts = [centre, size, points.ravel(), np.array([seen.score])]
    return cast(NDArray[np.float32], np.concatenate(parts).astype(np.float32))
