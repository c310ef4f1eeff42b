"""What an extractor is, which ones there are, and how a sequence becomes short enough.

An extractor is a class with the attributes of `ExtractorSpec`, constructed with one keyword,
`threads`, and with the methods of its modality's protocol below. A package offers its own as an
entry point of the group `annotate.extractors`, named as its `name`.

A family makes an extractor of any model: FAMILY:MODEL names one. Its class is constructed with
the model in front, and has `spec_of`, which gives the spec of a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Literal, Protocol, TypeAlias, cast, overload

import numpy as np
from numpy.typing import NDArray

from annotator.errors import AnnotateError, EnvironmentFault, UsageError
from annotator.types import MAX_STEPS, MODALITIES, Modality

GROUP = "annotate.extractors"
BLOCK_SECONDS = 30  # of sound at a time: the window Whisper was trained on

Observation: TypeAlias = Any  # what one frame left; each visual extractor has its own


class Identified(Protocol):
    """Anything whose results are recorded with its name and version."""

    @property
    def id(self) -> str:
        """Name and version, as "name@version"."""
        ...


class TextExtractor(Identified, Protocol):
    """Text features."""

    def embed(self, text: str) -> NDArray[np.float16]:
        """The features (steps, dimension), at most MAX_STEPS steps, of a text that is not blank.

        Raises:
            ValueError: the text is blank.
        """
        ...


class AudioExtractor(Identified, Protocol):
    """Sound features, made block by block."""

    def block(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features (steps, dimension) of samples (n,), 16 kHz mono, 1 <= n <= 30 s."""
        ...


class VisualExtractor(Identified, Protocol):
    """Features of what is seen: frames are reduced on arrival, and embedded a batch at a time."""

    def observe(self, image: NDArray[np.uint8]) -> Observation | None:
        """What is worth keeping of a BGR frame (h, w, 3); None where there is no face."""
        ...

    def embed(self, observations: Sequence[Observation]) -> NDArray[np.float32]:
        """The features (steps, dimension) of at least one observation, in their order."""
        ...


class Transcriber(Identified, Protocol):
    """Speech to text, block by block."""

    def transcribe(self, samples: NDArray[np.float32]) -> str:
        """The words in samples (n,), 16 kHz mono, 1 <= n <= 30 s; empty where nobody speaks."""
        ...


@dataclass(frozen=True, slots=True)
class ExtractorSpec:
    """What is known of an extractor without loading its weights.

    `rate_hz` is the number of steps a second, or None where steps are not in time (tokens).
    `version` changes whenever the values do.
    """

    name: str
    version: str
    modality: Modality
    dimension: int
    rate_hz: float | None

    @property
    def id(self) -> str:
        """Name and version, as a model records them."""
        return f"{self.name}@{self.version}"


# Said here as well as in the classes, so that reading a model's description loads no library.
_BUILT_IN = {
    "egemaps": (
        "annotator.features.opensmile:EGeMAPS",
        ExtractorSpec("egemaps", "1", "audio", 26, 10.0),
    ),
    "faces": (
        "annotator.features.visual:FaceExpressions",
        ExtractorSpec("faces", "1", "visual", 87, 5.0),
    ),
    "whisper": (
        "annotator.features.audio:WhisperAudio",
        ExtractorSpec("whisper", "1", "audio", 385, 10.0),
    ),
    "minilm": ("annotator.features.text:MiniLM", ExtractorSpec("minilm", "2", "text", 418, None)),
}
_FAMILIES = {
    "hub-audio": "annotator.features.hub:HubAudio",
    "hub-text": "annotator.features.hub:HubText",
    "hub-visual": "annotator.features.hub:HubVisual",
}
DEFAULT_EXTRACTORS: dict[Modality, str] = {"visual": "faces", "audio": "whisper", "text": "minilm"}


def extractor_names() -> tuple[str, ...]:
    """The names of all extractors: built in, and brought by installed packages; no families."""
    return tuple(sorted({*_BUILT_IN, *entry_points(group=GROUP).names}))


def extractor_spec(name: str) -> ExtractorSpec:
    """What the extractor of that name produces; of a built-in one, without importing it.

    Of a family's model the spec's name holds the revision, too: it names that very model again.

    Raises:
        UsageError: there is none of that name.
        EnvironmentFault: it is broken.

    >>> extractor_spec("minilm").id
    'minilm@2'
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name][1]
    family, _, model = name.partition(":")
    if family not in _FAMILIES:
        return _described(name, _plugin_class(name))
    try:
        return cast(ExtractorSpec, _class_of(name).spec_of(model))
    except AnnotateError:
        raise
    except Exception as error:  # a model's files may make its library raise anything
        raise _broken(name, error) from error


@overload
def load_extractor(name: str, modality: Literal["visual"], threads: int = 1) -> VisualExtractor: ...
@overload
def load_extractor(name: str, modality: Literal["audio"], threads: int = 1) -> AudioExtractor: ...
@overload
def load_extractor(name: str, modality: Literal["text"], threads: int = 1) -> TextExtractor: ...
def load_extractor(
    name: str, modality: Modality, threads: int = 1
) -> VisualExtractor | AudioExtractor | TextExtractor:
    """Load the extractor of that name with its weights; it runs on `threads` threads.

    Raises:
        UsageError: there is none of that name, or it is of another modality.
        EnvironmentFault: it cannot be loaded.
    """
    spec = extractor_spec(name)
    if spec.modality != modality:
        raise UsageError(
            f"extractor {name!r} makes {spec.modality} features: name one that makes {modality}"
        )
    try:
        return cast("VisualExtractor | AudioExtractor | TextExtractor", _construct(name, threads))
    except AnnotateError:
        raise
    except Exception as error:  # a plugin may raise anything; no clip is to blame
        raise _broken(name, error) from error


def pool(values: NDArray[np.floating], max_steps: int = MAX_STEPS) -> NDArray[np.float32]:
    """Average neighbours of a sequence (n, d), n >= 1, so that at most `max_steps` are left.

    Step i of the result is the mean of the values from i·n // m up to (i + 1)·n // m, m being
    its length: as even as whole steps allow. A sequence that is short enough stays as it is.

    >>> pool(np.arange(10.0).reshape(5, 2), max_steps=2).tolist()
    [[1.0, 2.0], [6.0, 7.0]]
    """
    steps = len(values)
    if steps <= max_steps:
        return values.astype(np.float32)
    edges = np.arange(max_steps + 1) * steps // max_steps
    sums = np.add.reduceat(values, edges[:-1], axis=0, dtype=np.float64)
    return cast(NDArray[np.float32], (sums / np.diff(edges)[:, None]).astype(np.float32))


def pool_blocks(blocks: Sequence[NDArray[np.float32]]) -> NDArray[np.float16]:
    """One clip's features (steps, d) of its blocks (n, d), at least one, in order of time.

    Raises:
        ValueError: a value is not finite, or too large for float16.
    """
    values = pool(np.concatenate(blocks))
    if not np.all(np.abs(values) <= np.finfo(np.float16).max):
        raise ValueError("the extractor gave values that are not finite or beyond 65504")
    return values.astype(np.float16)


def from_extra(module: str, extra: str) -> ModuleType:
    """Import a module which one of our extras installs.

    Raises:
        EnvironmentFault: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"the package {error.name} is missing: pip install 'annotate-emotions[{extra}]'"
        ) from error


def _construct(name: str, threads: int) -> object:
    family, _, model = name.partition(":")
    given = (model,) if family in _FAMILIES else ()
    return _class_of(name)(*given, threads=threads)


def _class_of(name: str) -> type[Any]:
    family = name.partition(":")[0]
    if name in _BUILT_IN:
        target = _BUILT_IN[name][0]
    elif family in _FAMILIES:
        target = _FAMILIES[family]
    else:
        return _plugin_class(name)
    module, _, attribute = target.partition(":")
    return cast(type[Any], getattr(import_module(module), attribute))


def _plugin_class(name: str) -> type[Any]:
    try:
        return cast(type[Any], _entry_point(name).load())
    except AnnotateError:
        raise
    except Exception as error:  # a plugin may raise anything while it is imported
        raise _broken(name, error) from error


def _entry_point(name: str) -> EntryPoint:
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise UsageError(
            f"no extractor {name!r}: expected one of {', '.join(extractor_names())}, "
            f"a model as {', '.join(f'{family}:MODEL' for family in _FAMILIES)}, "
            "or install the package that brings it with pip"
        )
    return found[0]


def _described(name: str, plugin: type[Any]) -> ExtractorSpec:
    """The attributes of a plugin's class, checked."""
    try:
        rate = None if plugin.rate_hz is None else float(plugin.rate_hz)
        spec = ExtractorSpec(
            str(plugin.name), str(plugin.version), plugin.modality, int(plugin.dimension), rate
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise _broken(name, error) from error
    if spec.name != name or spec.modality not in MODALITIES or spec.dimension < 1:
        raise _broken(name, ValueError(f"its name, modality or dimension is wrong: {spec}"))
    return spec


def _broken(name: str, error: Exception) -> EnvironmentFault:
    reason = str(error).partition("\n")[0]
    return EnvironmentFault(
        f"cannot load extractor {name!r} ({type(error).__name__}: {reason}): "
        f"{'check its files' if ':' in name else 'install its package again'}, or name another"
    )
