"""Spoil the pictures or the sound of clips and make their features anew: no proxy, as in features.

A clip is decoded once for every way and strength; from there on its features are made by
`ClipWork`, as in a run.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from annotator.clipwork import ClipWork, Found, Tools
from annotator.clock import StageClock
from annotator.errors import StageFailure
from annotator.experiments.anew import same_extractor
from annotator.features.extractor import Observation
from annotator.features.sound import SAMPLE_RATE, playable
from annotator.learning.corruption import NOISE, Damage, Spoilt
from annotator.learning.dataset import Array, Dataset, Example, Place
from annotator.media.decode import Frame
from annotator.media.local import LocalMedia
from annotator.media.probe import probe
from annotator.stages import FRAME_MS, attempt, decoded
from annotator.types import (
    MODALITIES,
    Absent,
    Bounds,
    Features,
    MediaInfo,
    Modality,
    Segment,
)

# What each does at strength 1.
SNOW = 0.5  # standard deviation of a pixel's noise, of the full scale
BLUR = 0.03  # standard deviation of the blur, of the picture's longer side
DARKNESS = 0.98  # share of the light that is gone
MUFFLED_HZ = 300.0  # the highest frequency that is left
QUIET_DB = 60.0  # by which sound is weakened

LONGEST_MS = 60_000  # of a clip: each frame is looked at a dozen times

Picture = NDArray[np.uint8]
Sound = NDArray[np.float32]

_log = logging.getLogger(__name__)


def snow(image: Picture, strength: float, random: np.random.Generator) -> Picture:
    """Noise of its own on every pixel and colour of a picture (h, w, 3)."""
    drawn = random.standard_normal(image.shape, np.float32)
    return _pixels(image + 255 * SNOW * strength * drawn)


def out_of_focus(image: Picture, strength: float, _: np.random.Generator) -> Picture:
    """A blur of a picture (h, w, 3) by a triangle, near a Gaussian and as quick at any width."""
    sd = BLUR * strength * max(image.shape[:2])
    radius = round(np.sqrt(6 * sd**2 + 1) - 1)  # the variance of its weights is r (r + 2) / 6
    blurred: Picture = cv2.stackBlur(image, (2 * radius + 1, 2 * radius + 1)).astype(np.uint8)
    return blurred


def darkness(image: Picture, strength: float, _: np.random.Generator) -> Picture:
    """Less light.

    >>> light = np.full((1, 1, 3), 200, np.uint8)
    >>> darkness(light, 0.5, np.random.default_rng(0)).ravel().tolist()
    [102, 102, 102]
    """
    return _pixels(image * (1 - DARKNESS * strength))


def hiss(samples: Sound, strength: float, random: np.random.Generator) -> Sound:
    """White noise, at full strength `NOISE` times as loud as the block of samples (n,)."""
    level = NOISE * strength * float(np.sqrt(np.square(samples, dtype=np.float64).mean()))
    return playable(samples + level * random.standard_normal(len(samples), np.float32))


def muffled(samples: Sound, strength: float, _: np.random.Generator) -> Sound:
    """Without the frequencies above one that falls with the strength from 8 kHz to MUFFLED_HZ."""
    if not strength:
        return samples
    highest = SAMPLE_RATE / 2
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum[frequency > highest * (MUFFLED_HZ / highest) ** strength] = 0
    return playable(np.fft.irfft(spectrum, len(samples)).astype(np.float32))


def quiet(samples: Sound, strength: float, _: np.random.Generator) -> Sound:
    """Weakened by `QUIET_DB` at full strength.

    >>> quiet(np.ones(1, np.float32), 1 / 3, np.random.default_rng(0)).round(3).tolist()
    [0.10000000149011612]
    """
    return playable(samples * np.float32(10 ** (-QUIET_DB * strength / 20)))


Spoil = Callable[[Any, float, np.random.Generator], Any]  # of a `Picture`, or of a `Sound`


@dataclass(frozen=True, slots=True)
class MediaWay:
    """A way to spoil the pictures, or the sound, of a clip."""

    name: str
    kind: str
    modality: Modality
    spoil: Spoil


NOISY, DULL, FAINT = "noise in media", "blurred, muffled media", "dark, quiet media"  # kinds
WAYS = (
    MediaWay("media_snow", NOISY, "visual", snow),
    MediaWay("media_blur", DULL, "visual", out_of_focus),
    MediaWay("media_darkness", FAINT, "visual", darkness),
    MediaWay("media_hiss", NOISY, "audio", hiss),
    MediaWay("media_muffled", DULL, "audio", muffled),
    MediaWay("media_quiet", FAINT, "audio", quiet),
)


@dataclass(frozen=True, slots=True)
class MediaCorruption:
    """A way to spoil media, with all that came of it: by id and strength; None is nothing left."""

    name: str
    kind: str
    modality: Modality
    made: Mapping[str, Mapping[float, Array | None]]
    of: Spoilt = "media"

    def affects(self, example: Example) -> bool:
        """Whether its media were spoilt, and there was always something left to answer."""
        made = self.made.get(example.id)
        if made is None:
            return False
        others = any(len(example.features.get(m, ())) for m in MODALITIES if m != self.modality)
        return others or all(values is not None for values in made.values())

    def spoilt(self, example: Example, damage: Damage) -> Array | None:
        """The features of the spoilt media; None: no face was found, nothing heard."""
        return self.made[example.id][damage.strength]


def media_corruptions(
    dataset: Dataset,
    examples: Sequence[Example],
    strengths: Sequence[float],
    clips: int,
    *,
    seed: int = 0,
    told: Callable[[int, int], object] = lambda _more, _total: None,
) -> list[MediaCorruption]:
    """Spoil the media of some clips in every way, at every strength.

    Pictures or sound are left alone if their features were not made by what is here, and so are
    clips of more than LONGEST_MS. What cannot be opened, decoded or read is left out and said. A
    clip of 4 s of 640×480 takes some seconds.

    Args:
        dataset: what the examples are of.
        examples: those with a place, and with features of pictures or sound, are drawn from.
        strengths: from 0 to 1.
        clips: how many are drawn, if there are as many.
        seed: of the choice of clips and of the noise.
        told: of each clip as it is done, with the number of all.

    Returns:
        The ways that any clip could be spoilt in; none if no files are known.
    """
    placed = [(example, example.place) for example in examples if example.place]
    if not clips or not placed:
        return []
    missing: Any = None  # `ClipWork` asks only for what it does not know yet
    tools = Tools(
        same_extractor(dataset, "visual") or missing,
        same_extractor(dataset, "audio") or missing,
        text=missing,
        asr=None,
    )
    able = [(example, place) for example, place in placed if _ways(example, tools)]
    short = [(example, place) for example, place in able if place.length_ms <= LONGEST_MS]
    drawn = np.random.default_rng(seed).permutation(len(short))[:clips]
    made: dict[str, dict[str, dict[float, Array | None]]] = {way.name: {} for way in WAYS}
    failures = [
        f"{place.path.name}: longer than a minute"
        for _, place in able
        if place.length_ms > LONGEST_MS
    ]
    tried = len(failures) + len(drawn)
    for number in sorted(drawn.tolist()):
        example, place = short[number]
        found = attempt(partial(_spoilt, example, place, tools, strengths, (seed, number)))
        if isinstance(found, StageFailure):
            failures.append(f"{place.path.name}: {found.reason}")
        else:
            for name, by_strength in found.items():
                made[name][example.id] = by_strength
        told(1, len(drawn))
    if failures:
        _log.warning(
            "the media of %d of %d clips are not spoilt, %s the first",
            len(failures),
            tried,
            failures[0],
        )
    return [
        MediaCorruption(way.name, way.kind, way.modality, made[way.name])
        for way in WAYS
        if made[way.name]
    ]


def _pixels(values: NDArray[Any]) -> Picture:
    pixels: Picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


@dataclass(frozen=True, slots=True)
class _Spoiling:
    """An extractor of pictures or of sound, given spoilt ones: the same noise at every strength."""

    extractor: Any
    spoil: Spoil
    strength: float
    random: np.random.Generator

    @property
    def id(self) -> str:
        return str(self.extractor.id)

    def observe(self, image: Picture) -> Observation | None:
        return self.extractor.observe(self.spoil(image, self.strength, self.random))

    def embed(self, observations: Sequence[Observation]) -> Any:
        return self.extractor.embed(observations)

    def block(self, samples: Sound) -> Any:
        return self.extractor.block(self.spoil(samples, self.strength, self.random))


def _ways(example: Example, tools: Tools) -> list[MediaWay]:
    """Those that an example can be spoilt in: it has the features, and what made them is here."""
    return [
        way
        for way in WAYS
        if getattr(tools, way.modality) and len(example.features.get(way.modality, ()))
    ]


def _spoilt(
    example: Example, place: Place, tools: Tools, strengths: Sequence[float], seed: Sequence[int]
) -> dict[str, dict[float, Array | None]]:
    """Features of one clip by way and strength.

    Raises:
        StageFailure: its file cannot be opened or decoded.
    """
    segment = Segment(*place.bounds, "file", text="")
    works: dict[tuple[MediaWay, float], ClipWork] = {}
    with LocalMedia(place.path) as media:
        info = probe(media.path)
        for number, way in enumerate(_ways(example, tools)):
            known = {m: _found(example, m) for m in MODALITIES if m != way.modality}
            for strength in strengths:
                spoiling: Any = _Spoiling(
                    getattr(tools, way.modality),
                    way.spoil,
                    strength,
                    np.random.default_rng([*seed, number]),
                )
                spoilt = replace(tools, **{way.modality: spoiling})
                work = ClipWork(segment, known, info, spoilt, StageClock(), FRAME_MS)
                works[way, strength] = work
        _feed(media.path, info, list(works.values()), place.bounds)
    made: dict[str, dict[float, Array | None]] = {}
    for (way, strength), work in works.items():
        made.setdefault(way.name, {})[strength] = _values(work, way.modality)
    return made


def _found(example: Example, modality: Modality) -> Found:
    """What it has, so that it is not made again."""
    values = example.features.get(modality)
    return Absent("", "") if values is None else Features(values.astype(np.float16), "")


def _feed(path: Path, info: MediaInfo, works: Sequence[ClipWork], bounds: Bounds) -> None:
    """Decode a clip once for all works."""
    with closing(decoded(path, info, *bounds, works)) as stream:
        for piece in stream:
            for work in works:
                if not isinstance(piece, Frame):
                    work.add_sound(piece.start_ms, piece.samples)
                elif work.wants_frame(piece.time_ms):
                    work.add_frame(work.tools.visual.observe(piece.image))


def _values(work: ClipWork, modality: Modality) -> Array | None:
    """What has become of the modality; None where nothing is left of it."""
    try:
        return work.finish().present.get(modality)
    except StageFailure as failure:
        if failure.stage != "features":
            raise
        return None  # nor has the clip another one
