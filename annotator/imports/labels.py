"""Take the labels of a file into the store, as answers of named people."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotator.errors import UsageError
from annotator.imports.clips import TOLERANCE_MS, Clips
from annotator.imports.elan import stated_in_elan
from annotator.imports.stated import Decided, Stated, decide
from annotator.imports.table import stated_in_table
from annotator.store.columns import readable
from annotator.store.engine import Store
from annotator.store.review_records import (
    GivenAnswer,
    GivenLabel,
    ReviewProject,
    SavedAnswers,
)

TABLES = (".csv", ".jsonl", ".ndjson")
ELAN = ".eaf"
CHUNK = 500  # answers saved at a time


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a file is to be read.

    Args:
        person: whose answers they are where the file does not say.
        threshold: from where a value counts as a yes; None takes 0 and 1 alone.
        tolerance_ms: how far bounds may be from those of a clip, at either end.
        tiers: of an ELAN file, those that hold names of labels.
    """

    person: str | None = None
    threshold: float | None = None
    tolerance_ms: int = TOLERANCE_MS
    tiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Where in a file something stands that was left out, and why."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file: answers by what became of them, rows without any, and the rest.

    `ignored` are columns that mean nothing here: no label of the project, and nothing else.
    """

    file: Path
    answers: SavedAnswers
    silent: int
    left_out: tuple[LeftOut, ...]
    ignored: tuple[str, ...] = ()


def import_labels(
    store: Store,
    project: ReviewProject,
    file: Path,
    wanted: Wanted,
    progress: Callable[[int], None] = lambda _count: None,
) -> Imported:
    """Make what a file states the present answers of its people.

    The same file again changes nothing; an answer that has changed becomes a newer version.

    Args:
        store: where the clips are and the answers go.
        project: of `Store.imported_project`.
        file: CSV, JSON Lines or ELAN.
        wanted: how to read it.
        progress: told how many more answers are saved.

    Raises:
        UsageError: the file cannot be read, or is of another kind.
    """
    taking = _Taking(Clips(store, wanted.tolerance_ms), project.labels, file, wanted)
    for place, stated in _stated(file, project.labels, wanted):
        taking.take(place, stated)
    answers = list(taking.answers())
    saved = SavedAnswers()
    for start in range(0, len(answers), CHUNK):
        chunk = answers[start : start + CHUNK]
        saved += store.save_imported(project.project_id, chunk)
        progress(len(chunk))
    left_out, ignored = tuple(taking.left_out), tuple(sorted(taking.ignored))
    return Imported(file, saved, taking.silent, left_out, ignored)


def _stated(
    file: Path, labels: Sequence[str], wanted: Wanted
) -> Iterator[tuple[str, Stated | str]]:
    suffix = file.suffix.lower()
    if suffix in TABLES:
        return stated_in_table(file, labels)
    if suffix == ELAN:
        return stated_in_elan(file, labels, wanted.tiers)
    raise UsageError(f"cannot import {file.name!r}: expected {', '.join((*TABLES, ELAN))}")


@dataclass(slots=True)
class _Taking:
    """Finds the clip of each thing stated, and joins what is stated of the same by one person."""

    clips: Clips
    labels: Sequence[str]
    file: Path
    wanted: Wanted
    silent: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)
    _found: dict[tuple[int, str], Stated] = field(default_factory=dict)

    def take(self, place: str, stated: Stated | str) -> None:
        """Keep what is stated, or the reason why it cannot be."""
        try:
            if isinstance(stated, str):
                raise ValueError(stated)
            self.ignored |= stated.ignored
            if not stated.values and not stated.unusable:
                self.silent += 1
                return
            self._decided(stated)
            self._keep(stated)
        except ValueError as error:
            self.left_out.append(LeftOut(place, str(error)))

    def _keep(self, stated: Stated) -> None:
        person = stated.person or self.wanted.person
        if person is None:
            raise ValueError("nobody is named: say who with --annotator, or in a column annotator")
        key = self.clips.find(stated, self.file.parent), person
        known = self._found.get(key)
        self._found[key] = stated if known is None else self._joined(known, stated)

    def _joined(self, known: Stated, more: Stated) -> Stated:
        """Tiers of an ELAN file state a label each; rows of a table an answer each."""
        if self.file.suffix.lower() != ELAN:
            raise ValueError(f"the same clip and person as {known.place}")
        if both := known.values.keys() & more.values.keys():
            raise ValueError(f"{min(both)!r} was stated of this clip already")
        return replace(known, values={**known.values, **more.values})

    def answers(self) -> Iterator[GivenAnswer]:
        """What is to be saved."""
        with self.file.open("rb") as binary:
            digest = hashlib.file_digest(binary, "sha256").hexdigest()
        for (clip_id, person), stated in self._found.items():
            source: Mapping[str, object] = {
                "file": readable(self.file.name),
                "sha256": digest,
                "place": readable(stated.place),
                "values": dict(stated.values),
            }
            decided = self._decided(stated)
            yield GivenAnswer(
                clip_id=clip_id,
                annotator=person,
                state="unusable" if decided is None else "labelled",
                labels=tuple(GivenLabel(name, None, None) for name in decided.labels)
                if decided
                else (),
                neutral=decided is not None and decided.neutral,
                comment=stated.comment,
                source=[source],
            )

    def _decided(self, stated: Stated) -> Decided | None:
        """The labels; None of a clip that cannot be judged, whatever else is stated of it."""
        if stated.unusable:
            return None
        return decide(stated.values, self.labels, self.wanted.threshold)
