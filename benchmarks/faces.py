"""Moving pictures of a real face, made from one photograph: there is no acting in them.

The face is skimage's `astronaut.png` (Eileen Collins, NASA, public domain). It moves, grows and
shrinks, turns a little and changes its light; the expression is the photograph's smile throughout,
so an emotion predicted from these pictures means nothing. Backgrounds are skimage's `brick`,
`grass` and `gravel` (CC0Textures, DeviantArt) and `coffee` (Rachel Michetti), all CC0.

Same arguments, same frames. Frames are uint8 (height, width, 3), RGB.
"""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Curve = NDArray[np.float64]  # a quantity over the frames of a clip

FACE_CENTRE = (225.0, 115.0)  # px in astronaut.png
HEAD_HEIGHT = 170.0  # px in astronaut.png, hair to chin
HEAD_SHARE = 0.45  # of the frame's height, before it grows and shrinks
FOCAL = 900.0  # px: how strongly a turn is foreshortened
NOISE_SD = 1.5  # grey levels, a webcam's in room light
NOISE_MARGIN = 64  # px: noise is one larger field read at a random offset for each frame
PAN = 40.0  # px a second that the background moves


def face_frames(
    seconds: float, fps: float, size: tuple[int, int], seed: int, backdrop: str = "gravel"
) -> Iterator[Frame]:
    """The face over a moving texture, with slight sensor noise; size is (width, height)."""
    width, height = size
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * fps)) / fps
    x = width * (0.5 + _sway(rng, times, 0.12))
    y = height * (0.4 + _sway(rng, times, 0.05))
    scale = HEAD_SHARE * height / HEAD_HEIGHT * (1 + _sway(rng, times, 0.2))
    yaw, roll = _sway(rng, times, 0.35), _sway(rng, times, 0.12)  # rad: 20 and 7 degrees
    light = 0.9 + _sway(rng, times, 0.25)
    grounds = backdrop_frames(seconds, fps, size, seed, backdrop)
    for index, ground in enumerate(grounds):
        pose = _pose(x[index], y[index], scale[index], yaw[index], roll[index])
        frame = _paste(ground, pose)
        yield _grain(np.asarray(cv2.convertScaleAbs(frame, alpha=light[index]), np.uint8), rng)


def backdrop_frames(
    seconds: float, fps: float, size: tuple[int, int], seed: int, name: str = "gravel"
) -> Iterator[Frame]:
    """A camera panning over a texture without a face: brick, coffee, grass or gravel."""
    picture = image(name)
    rng = np.random.default_rng(seed)
    heading = rng.uniform(0, 2 * np.pi)
    velocity = PAN * np.array([np.cos(heading), np.sin(heading)])
    zoom = 1.2 * size[1] / picture.shape[0]
    period = 2 * zoom * np.array(picture.shape[1::-1])  # of the mirrored texture
    for index in range(round(seconds * fps)):
        left, top = velocity * index / fps % period
        affine = np.array([[zoom, 0, left], [0, zoom, top]])
        view = cv2.warpAffine(picture, affine, size, borderMode=cv2.BORDER_REFLECT)
        yield np.asarray(view, np.uint8)


@cache
def image(name: str) -> Frame:
    """One of the pictures that ship inside scikit-image, which is not imported for it.

    Raises RuntimeError where scikit-image or the picture is missing.
    """
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise RuntimeError("faces: scikit-image is not installed; install the extra 'demo'")
    path = Path(package.origin).parent / "data" / f"{name}.png"
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise RuntimeError(f"faces: {path.name} is not in this scikit-image; use 0.25 or newer")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _sway(rng: np.random.Generator, times: Curve, amplitude: float) -> Curve:
    """A smooth curve within ±amplitude: a slow swing and a quicker, smaller one."""
    slow, quick = rng.uniform(0.1, 0.3), rng.uniform(0.3, 0.8)  # Hz
    first, second = rng.uniform(0, 2 * np.pi, 2)
    swing = np.sin(2 * np.pi * slow * times + first)
    tremor = np.sin(2 * np.pi * quick * times + second)
    curve: Curve = amplitude * (0.7 * swing + 0.3 * tremor)
    return curve


def _pose(x: float, y: float, scale: float, yaw: float, roll: float) -> NDArray[np.float64]:
    """The homography (3, 3) that puts the flat photograph at x, y, turned by yaw and roll."""
    turn = np.array([[np.cos(yaw), 0, 0], [0, 1, 0], [-np.sin(yaw), 0, FOCAL]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    origin = np.array([[1, 0, -FACE_CENTRE[0]], [0, 1, -FACE_CENTRE[1]], [0, 0, 1]])
    view = np.array([[scale * FOCAL, 0, x], [0, scale * FOCAL, y], [0, 0, 1]])
    pose: NDArray[np.float64] = view @ turn @ tilt @ origin
    return pose


def _paste(ground: Frame, pose: NDArray[np.float64]) -> Frame:
    portrait, mask = _portrait()
    size = ground.shape[1::-1]
    front = cv2.warpPerspective(portrait, pose, size)
    cover = cv2.warpPerspective(mask, pose, size)
    clear = cv2.cvtColor(255 - cover, cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(ground, clear, scale=1 / 255)
    return np.asarray(cv2.add(front, behind), np.uint8)


@cache
def _portrait() -> tuple[Frame, Frame]:
    """The photograph times a soft oval around head and shoulders, and that oval, (512, 512)."""
    picture = image("astronaut")
    oval = np.zeros(picture.shape[:2], np.uint8)
    cv2.ellipse(oval, (225, 240), (165, 225), 0, 0, 360, 255, cv2.FILLED)
    oval = np.asarray(cv2.GaussianBlur(oval, (0, 0), 8), np.uint8)
    cover = cv2.cvtColor(oval, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(picture, cover, scale=1 / 255), np.uint8), oval


def _grain(frame: Frame, rng: np.random.Generator) -> Frame:
    height, width = frame.shape[:2]
    top, left = rng.integers(0, NOISE_MARGIN, 2)
    field = _noise(height + NOISE_MARGIN, width + NOISE_MARGIN)
    grain = field[top : top + height, left : left + width]
    return np.asarray(cv2.add(frame, grain, dtype=cv2.CV_8U), np.uint8)


@cache
def _noise(height: int, width: int) -> NDArray[np.int16]:
    field = np.random.default_rng(0).normal(0, NOISE_SD, (height, width, 3))
    return np.asarray(field.round(), np.int16)
