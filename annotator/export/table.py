"""The columns of an export: what each is called, what it holds, and how a clip fills it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from os import fspath
from typing import Literal, TypeAlias

from annotator.export.contents import Contents, Row
from annotator.store.records import SCORES, ModelFacts

Cell: TypeAlias = str | float | bool | None
Kind = Literal["text", "number", "count", "truth"]

HUMAN = "human:"  # begins the name of a column with people's labels


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, what its cells are, and that of a clip; None where not known."""

    name: str
    kind: Kind
    cell: Callable[[Row], Cell]


def columns(contents: Contents) -> tuple[Column, ...]:
    """Place, probabilities, uncertainties, what people say, then where all of it comes from.

    Names are unique.
    """
    found = list(_PLACE)
    kind: Kind = "count" if contents.hard else "number"
    if contents.model is not None:
        names = label_columns(contents.model_labels)
        for name, label in zip(names, contents.model_labels, strict=True):
            found.append(Column(name, kind, partial(contents.of_model, label=label)))
        found += _UNCERTAINTIES
    if contents.human_labels:
        names = _unique(
            (HUMAN + label for label in contents.human_labels),
            _TAKEN | {column.name for column in found},
            HUMAN,
        )
        for name, label in zip(names, contents.human_labels, strict=True):
            found.append(Column(name, kind, partial(contents.of_people, label=label)))
        found += _PEOPLE
    if contents.model is not None:
        found += (Column(n, k, _always(fact(contents.model))) for n, (k, fact) in _MODEL.items())
        found.append(_TOOL)
    return (*found, *_SOURCE)


def label_columns(labels: Iterable[str]) -> tuple[str, ...]:
    """The columns of a model's labels, named after them; behind `label:` where that is taken.

    >>> label_columns(["happy", "split"])
    ('happy', 'label:split')
    """
    return _unique(labels, _TAKEN, "label:")


def _unique(names: Iterable[str], taken: Iterable[str], prefix: str) -> tuple[str, ...]:
    used = set(taken)
    found: list[str] = []
    for wanted in names:
        name = wanted
        while name in used:
            name = prefix + name
        used.add(name)
        found.append(name)
    return tuple(found)


def _of_scores(name: str) -> Callable[[Row], Cell]:
    return lambda row: None if row.clip.scores is None else getattr(row.clip.scores, name)


def _of_people(name: str) -> Callable[[Row], Cell]:
    return lambda row: None if row.human is None else getattr(row.human, name)


def _always(value: Cell) -> Callable[[Row], Cell]:
    return lambda _row: value


_PLACE = (
    Column("path", "text", lambda row: fspath(row.clip.path)),
    Column("start", "number", lambda row: row.clip.start_ms / 1000),  # seconds, as in a manifest
    Column("end", "number", lambda row: row.clip.end_ms / 1000),
)
_UNCERTAINTIES = tuple(Column(score, "number", _of_scores(score)) for score in SCORES)
_PEOPLE = (
    Column("human_state", "text", _of_people("state")),
    Column("human_open", "text", _of_people("reason")),
    Column("human_disagreement", "number", _of_people("disagreement")),
    Column("raters", "count", _of_people("voters")),
    Column("unusable_votes", "count", _of_people("unusable_votes")),
    Column("neutral_votes", "count", _of_people("neutral_votes")),
)
_MODEL: dict[str, tuple[Kind, Callable[[ModelFacts], Cell]]] = {
    "model": ("text", lambda model: model.name),
    "weights_sha256": ("text", lambda model: model.weights_hash),
    "trained": ("truth", lambda model: model.trained),
    "visual_extractor": ("text", lambda model: model.extractors.get("visual")),
    "audio_extractor": ("text", lambda model: model.extractors.get("audio")),
    "text_extractor": ("text", lambda model: model.extractors.get("text")),
}
_TOOL = Column("tool_version", "text", attrgetter("clip.tool_version"))
_SOURCE = (
    Column("speaker", "text", attrgetter("clip.speaker")),
    Column("split", "text", attrgetter("clip.split")),
    Column("transcript", "text", attrgetter("clip.text")),
    Column("clip", "count", attrgetter("clip.clip_id")),
)
_TAKEN = {
    column.name for column in (*_PLACE, *_UNCERTAINTIES, *_PEOPLE, _TOOL, *_SOURCE)
} | _MODEL.keys()
