"""Faces: FER+ stills with the votes of ten raters, shown as short sequences.

A still repeated with jitter is not a video: nothing moves in the face. It gives what a run gives of
a face held still before a camera, through the same detector and crop.

The expression network behind the features has learnt the faces of FER+ train, so its features of
them may be surer than those of new faces. So only rare emotions come from there, and the rest from
FER+ valid.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotator.features.expression import EXPRESSIONS
from annotator.features.extractor import pool_blocks
from annotator.features.visual import FaceExpressions
from annotator.learning.dataset import TEST, TRAIN, VALID, Example
from annotator.learning.expression import Faces, read_faces
from annotator.starter.copies import copy_name
from annotator.starter.labels import LABELS

NAMES = {
    "happiness": "happy",
    "sadness": "sad",
    "anger": "anger",
    "surprise": "surprise",
    "disgust": "disgust",
    "fear": "fear",
}  # fmt: skip  neutral and contempt are none
RATERS = 10
RARE = ("disgust", "fear")  # majorities of which FER+ valid has too few
TENTHS = (*[TEST] * 3, VALID, *[TRAIN] * 6)  # of FER+ valid, by place
VARIANTS = 3  # sequences of each face to train on
FRAME = 256  # pixels a side of the picture a face is put into
FACES = (96, 224)  # pixels a side of the face in it
JITTER = 4.0  # pixels of standard deviation from step to step
STEPS = (2, 6)  # of a sequence

Still = tuple[NDArray[np.uint8], tuple[int, int]]
"""A grey face (48, 48) and the seed of its sequence."""


def examples(folder: Path, workers: int) -> dict[str, list[Example]]:
    """The visual features of FER+ by split; faces the detector does not find are left out."""
    splits: dict[str, list[Example]] = {}
    for source in ("train", "valid"):
        faces = read_faces(folder, source)
        targets = _targets(faces.targets)
        chosen = [
            (int(place), split, variant)
            for place, split in _split_places(faces, source)
            for variant in range(VARIANTS if split == TRAIN else 1)
        ]
        stills = [(faces.images[place], (place, variant)) for place, _, variant in chosen]
        with ProcessPoolExecutor(workers) as pool:
            found = pool.map(sequence_features, stills, chunksize=64)
            for (place, split, variant), values in zip(chosen, found, strict=True):
                if values is None:
                    continue
                group = f"ferplus {source} {place}"
                name = copy_name(group, variant)
                example = Example(name, group, {"visual": values}, targets[place], RATERS)
                splits.setdefault(split, []).append(example)
    return splits


def sequence_features(still: Still) -> NDArray[np.float16] | None:
    """What a run makes of a face held before a camera; None where it finds no face."""
    face, seed = still
    random = np.random.default_rng(seed)
    extractor = _extractor()
    seen = [extractor.observe(frame) for frame in sequence(face, random)]
    found = [observation for observation in seen if observation is not None]
    return pool_blocks([extractor.embed(found)]) if found else None


def sequence(face: NDArray[np.uint8], random: np.random.Generator) -> Sequence[NDArray[np.uint8]]:
    """Frames (256, 256, 3) of one grey face (48, 48) that sways, in one light, with some noise."""
    side = random.uniform(*FACES)
    corner = random.uniform(0, FRAME - side, 2)
    contrast, brightness = random.uniform(0.7, 1.2), random.uniform(-25, 25)
    mirrored = face[:, ::-1] if random.random() < 0.5 else face
    frames = []
    for _ in range(random.integers(STEPS[0], STEPS[1] + 1)):
        scale = side / face.shape[0] * np.exp(random.normal(0, 0.02))
        x, y = corner + random.normal(0, JITTER, 2)
        matrix = np.array([[scale, 0, x], [0, scale, y]])
        picture = cv2.warpAffine(
            np.ascontiguousarray(mirrored), matrix, (FRAME, FRAME), borderMode=cv2.BORDER_REPLICATE
        )
        noise = random.normal(0, 3, picture.shape)
        lit = (picture.astype(np.float32) - 128) * contrast + 128 + brightness + noise
        grey = np.clip(lit, 0, 255).astype(np.uint8)
        frames.append(np.repeat(grey[:, :, None], 3, axis=2))
    return frames


def _targets(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vote shares of the eight expressions (n, 8) to those of our labels (n, 6)."""
    places = {NAMES[name]: place for place, name in enumerate(EXPRESSIONS) if name in NAMES}
    return shares[:, [places[label] for label in LABELS]]


def _split_places(faces: Faces, source: str) -> Iterator[tuple[int, str]]:
    """Where the faces of a source are that are used, and for what."""
    if source == "valid":
        yield from ((place, TENTHS[place % 10]) for place in range(len(faces.images)))
        return
    majority = faces.votes.argmax(axis=1)
    rare = [EXPRESSIONS.index(name) for name in RARE]
    yield from ((int(place), TRAIN) for place in np.flatnonzero(np.isin(majority, rare)))


@cache
def _extractor() -> FaceExpressions:
    return FaceExpressions()
