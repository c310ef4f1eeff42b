"""Spoil the pictures or the sound of clips and make their features anew: no proxy, as in features.

A clip is decoded once for every way and strength; from there on its features are made by
`ClipWork`, as in a run.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from annotator.clipwork import ClipWork, Found, Tools
from annotator.clock import StageClock
from annotator.errors import EnvironmentFault, StageFailure
from annotator.features.extractor import (
    DEFAULT_EXTRACTORS,
    AudioExtractor,
    Observation,
    VisualExtractor,
)
from annotator.features.sound import SAMPLE_RATE, playable
from annotator.learning.corruption import NOISE, Damage, Spoilt
from annotator.learning.dataset import FOREIGN, Array, Dataset, Example, Place
from annotator.media.decode import Frame, decode
from annotator.media.local import LocalMedia
from annotator.media.probe import probe
from annotator.stages import FRAME_MS, FRAMES_PER_SECOND
from annotator.toolkit import load_tools
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

Picture = NDArray[np.uint8]
Sound = NDArray[np.float32]
PictureSpoil = Callable[[Picture, float, np.random.Generator], Picture]
SoundSpoil = Callable[[Sound, float, np.random.Generator], Sound]

_log = logging.getLogger(__name__)


def snow(image: Picture, strength: float, random: np.random.Generator) -> Picture:
    """Noise of its own on every pixel and colour of a picture (h, w, 3)."""
    drawn = random.standard_normal(image.shape, np.float32)
    return _pixels(image + 255 * SNOW * strength * drawn)


def out_of_focus(image: Picture, strength: float, _: np.random.Generator) -> Picture:
    """A blur of a picture (h, w, 3) by a triangle, near a Gaussian and as quick at any width."""
    sd = BLUR * strength * max(image.shape[:2])
    radius = round(np.sqrt(6 * sd**2 + 1) - 1)  # the variance of its weights is r (r + 2) / 6
    return _pixels(cv2.stackBlur(image, (2 * radius + 1, 2 * radius + 1)))


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


@dataclass(frozen=True, slots=True)
class _Kind:
    """A way to spoil media: pictures, or sound."""

    name: str
    kind: str
    picture: PictureSpoil | None = None
    sound: SoundSpoil | None = None

    @property
    def modality(self) -> Modality:
        return "visual" if self.picture else "audio"

    def tools(self, tools: Tools, strength: float, random: np.random.Generator) -> Tools:
        """The extractors, of which one meets with spoilt media."""
        if self.picture:
            return replace(tools, visual=_Sight(tools.visual, self.picture, strength, random))
        if self.sound:
            return replace(tools, audio=_Hearing(tools.audio, self.sound, strength, random))
        return tools


KINDS = (
    _Kind("media_snow", "noise in media", picture=snow),
    _Kind("media_blur", "blurred, muffled media", picture=out_of_focus),
    _Kind("media_darkness", "dark, quiet media", picture=darkness),
    _Kind("media_hiss", "noise in media", sound=hiss),
    _Kind("media_muffled", "blurred, muffled media", sound=muffled),
    _Kind("media_quiet", "dark, quiet media", sound=quiet),
)


@dataclass(frozen=True, slots=True)
class MediaTest:
    """How many clips' media are spoilt, drawn by lot, and who is told of each, and of how many."""

    clips: int
    watch: Callable[[int, int], object] = lambda _done, _total: None


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
    test: MediaTest,
    seed: int,
) -> list[MediaCorruption]:
    """Spoil clips whose files are known in every way, at every strength.

    None if no files are known, or the features were not made by what is here. Clips whose file
    cannot be decoded are left out, with a warning. A clip of 4 s of 640×480 takes some seconds.

    Args:
        dataset: what the examples are of.
        examples: some of which have a place.
        strengths: above 0 and up to 1.
        test: how many clips at most.
        seed: of the choice of clips and of the noise.
    """
    placed = [(e, e.place) for e in examples if e.place is not None]
    if not test.clips or not placed or (tools := _tools(dataset)) is None:
        return []
    drawn = np.random.default_rng(seed).permutation(len(placed))[: test.clips]
    made: dict[str, dict[str, dict[float, Array | None]]] = {kind.name: {} for kind in KINDS}
    failures = []
    for number in sorted(drawn.tolist()):
        example, place = placed[number]
        try:
            for kind, strength, values in _spoilt(example, place, tools, strengths, (seed, number)):
                made[kind.name].setdefault(example.id, {})[strength] = values
        except StageFailure as failure:
            failures.append(f"{place.path.name}: {failure.reason}")
        test.watch(1, len(drawn))
    if failures:
        _log.warning(
            "the media of %d of %d clips are not spoilt, %s the first: check the files",
            len(failures),
            len(drawn),
            failures[0],
        )
    return [
        MediaCorruption(kind.name, kind.kind, kind.modality, made[kind.name])
        for kind in KINDS
        if made[kind.name]
    ]


def _pixels(values: NDArray[Any]) -> Picture:
    pixels: Picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


def _tools(dataset: Dataset) -> Tools | None:
    """The extractors that made the features; None, with a warning, if they are not here."""
    ids = dataset.extractors
    if any(made_by.startswith(FOREIGN) for made_by in ids.values()):
        return None
    names = {modality: made_by.rpartition("@")[0] for modality, made_by in ids.items()}
    try:
        tools = load_tools({**DEFAULT_EXTRACTORS, **names})
    except EnvironmentFault as fault:
        _log.warning("no media are spoilt, only features: %s", fault)
        return None
    here = {"visual": tools.visual.id, "audio": tools.audio.id, "text": tools.text.id}
    for modality, made_by in ids.items():
        if made_by != here[modality]:
            _log.warning(
                "no media are spoilt, only features: those are of %s, which is %s here",
                made_by,
                here[modality],
            )
            return None
    return tools


@dataclass(frozen=True, slots=True)
class _Sight:
    """A visual extractor that is shown spoilt pictures, the same noise at every strength."""

    extractor: VisualExtractor
    spoil: PictureSpoil
    strength: float
    random: np.random.Generator

    @property
    def id(self) -> str:
        return self.extractor.id

    def observe(self, image: Picture) -> Observation | None:
        return self.extractor.observe(self.spoil(image, self.strength, self.random))

    def embed(self, observations: Sequence[Observation]) -> Sound:
        return self.extractor.embed(observations)


@dataclass(frozen=True, slots=True)
class _Hearing:
    """An audio extractor that is given spoilt sound, the same noise at every strength."""

    extractor: AudioExtractor
    spoil: SoundSpoil
    strength: float
    random: np.random.Generator

    @property
    def id(self) -> str:
        return self.extractor.id

    def block(self, samples: Sound) -> Sound:
        return self.extractor.block(self.spoil(samples, self.strength, self.random))


def _spoilt(
    example: Example, place: Place, tools: Tools, strengths: Sequence[float], seed: Sequence[int]
) -> Iterator[tuple[_Kind, float, Array | None]]:
    """Features of one clip in every way that its modalities allow.

    Raises:
        StageFailure: its file cannot be opened or decoded.
    """
    segment = Segment(*place.bounds, "file", text="")
    works = []
    with LocalMedia(place.path) as media:
        info = probe(media.path)
        for number, kind in enumerate(KINDS):
            if not len(example.features.get(kind.modality, ())):
                continue
            known = {m: _found(example, m) for m in MODALITIES if m != kind.modality}
            for strength in strengths:
                spoiling = kind.tools(tools, strength, np.random.default_rng([*seed, number]))
                work = ClipWork(segment, known, info, spoiling, StageClock(), FRAME_MS)
                works.append((kind, strength, work))
        _feed(media.path, info, [work for *_, work in works], place.bounds)
    for kind, strength, work in works:
        yield kind, strength, _values(work, kind.modality)


def _found(example: Example, modality: Modality) -> Found:
    """What it has, so that it is not made again."""
    values = example.features.get(modality)
    return Absent("", "") if values is None else Features(values.astype(np.float16), "")


def _feed(path: Path, info: MediaInfo, works: Sequence[ClipWork], bounds: Bounds) -> None:
    """Decode a clip once for all works, on the same grid of frames as a run."""
    start_ms, end_ms = bounds
    stream = decode(
        path,
        info,
        start_ms=start_ms // FRAME_MS * FRAME_MS,
        end_ms=end_ms,
        fps=FRAMES_PER_SECOND,
        want_video=any(work.wants_video for work in works),
        want_audio=any(work.wants_audio for work in works),
    )
    with closing(stream):
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
    except StageFailure:  # nor has the clip another one
        return None
