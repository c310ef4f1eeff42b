"""The columns of an export: what each is called, and how a clip fills it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from os import fspath
from typing import TypeAlias

from annotator.store.records import SCORES, ModelFacts, RankedClip

Cell: TypeAlias = str | float | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, and its cell of a clip; None where nothing is known."""

    name: str
    cell: Callable[[RankedClip], Cell]


def columns(model: ModelFacts) -> tuple[Column, ...]:
    """Place, probabilities, uncertainties, then where all of it comes from; names are unique.

    What people say of a clip, once the store holds it, goes between uncertainties and provenance.
    """
    named = zip(label_columns(model.labels), model.labels, strict=True)
    probabilities = (Column(name, _probability_of(label)) for name, label in named)
    facts = (Column(name, _always(fact(model))) for name, fact in _MODEL.items())
    return (*_PLACE, *probabilities, *_UNCERTAINTIES, *facts, *_SOURCE)


def label_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """The columns of the labels, named after them; behind `label:` where the name is taken.

    >>> label_columns(["happy", "split"])
    ('happy', 'label:split')
    """
    names: list[str] = []
    for label in labels:
        name = label
        while name in _TAKEN or name in names:
            name = f"label:{name}"
        names.append(name)
    return tuple(names)


def _probability_of(label: str) -> Callable[[RankedClip], Cell]:
    return lambda clip: next(
        (answer.p for answer in clip.scores.labels if answer.label == label), None
    )


def _always(value: Cell) -> Callable[[RankedClip], Cell]:
    return lambda _clip: value


_PLACE = (
    Column("path", lambda clip: fspath(clip.path)),
    Column("start", lambda clip: clip.start_ms / 1000),  # seconds, as in a manifest
    Column("end", lambda clip: clip.end_ms / 1000),
)
_UNCERTAINTIES = tuple(Column(score, attrgetter(f"scores.{score}")) for score in SCORES)
_MODEL: dict[str, Callable[[ModelFacts], Cell]] = {
    "model": lambda model: model.name,
    "weights_sha256": lambda model: model.weights_hash,
    "trained": lambda model: model.trained,
    "visual_extractor": lambda model: model.extractors.get("visual"),
    "audio_extractor": lambda model: model.extractors.get("audio"),
    "text_extractor": lambda model: model.extractors.get("text"),
}
_SOURCE = (
    Column("tool_version", attrgetter("tool_version")),
    Column("speaker", attrgetter("speaker")),
    Column("split", attrgetter("split")),
    Column("transcript", attrgetter("text")),
)
_TAKEN = {column.name for column in (*_PLACE, *_UNCERTAINTIES, *_SOURCE)} | _MODEL.keys()
