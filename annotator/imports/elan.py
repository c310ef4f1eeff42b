"""Answers in an ELAN file: a tier a label, or tiers whose annotations are names of labels.

A tier counts as a label's if it is named after it, as in `happy` or `human:happy`; the annotation
is then a number, yes or no, or the label. Of a tier chosen by name the annotations are labels with
commas or semicolons between. Annotations of one stretch are one answer.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from annotator.corpus.cues import Cue, clean_text
from annotator.corpus.elan import Document, Tier, read_tiers
from annotator.corpus.manifest_cells import MAX_NAME, shown, unit
from annotator.errors import StageFailure, UsageError
from annotator.imports.stated import Stated

HUMAN = "human:"  # begins the names of people's tiers in an export
_LANE = re.compile(r" \([0-9]+\)$")  # ends the name of a further tier, for what overlaps
_YES, _NO = {"yes", "x", "true"}, {"no", "false", ""}


def stated_in_elan(
    path: Path, labels: Sequence[str], tiers: Sequence[str]
) -> Iterator[tuple[str, Stated | str]]:
    """Each annotation, by where it stands, as what it states or why it cannot be read.

    Args:
        path: an .eaf file.
        labels: of the project.
        tiers: names of those that hold names of labels; none takes those named after labels.

    Raises:
        UsageError: not a sound ELAN file, or without such tiers.
    """
    try:
        document = read_tiers(path)
    except StageFailure as error:
        raise UsageError(f"cannot import {path.name!r}: {error}") from error
    media = tuple(_media(path, document))
    for tier, label in _chosen(path, document, labels, tiers):
        person = clean_text(tier.speaker or "")[:MAX_NAME] or None
        for cue in tier.cues:
            place = f"{tier.name!r} at {cue.start_ms / 1000:.3f} s"
            try:
                values = _named(cue) if label is None else {label: _value(cue, label)}
            except ValueError as error:
                yield place, str(error)
                continue
            yield (
                place,
                Stated(
                    place,
                    media=media,
                    start_ms=cue.start_ms,
                    end_ms=cue.end_ms,
                    person=person,
                    values=values,
                ),
            )


def _media(path: Path, document: Document) -> Iterator[str]:
    """What the file says its medium is called, and at last its own name without the suffix."""
    for name in document.media:
        try:
            parts = urlsplit(name)
            yield unquote(parts.path if parts.scheme == "file" else name)
        except ValueError:
            continue  # brackets that are no address
    yield path.stem


def _chosen(
    path: Path, document: Document, labels: Sequence[str], named: Sequence[str]
) -> Iterable[tuple[Tier, str | None]]:
    """The tiers that hold answers, each with the label it is about."""
    if named:
        known = {tier.name: tier for tier in document.tiers}
        missing = [name for name in named if name not in known]
        if missing:
            raise UsageError(f"{path.name!r} has no tier {missing[0]!r}; it has {_listed(known)}")
        return [(known[name], None) for name in named]
    by_name = {label.casefold(): label for label in labels}
    found = [
        (tier, by_name[label])
        for tier in document.tiers
        if (label := _LANE.sub("", tier.name).removeprefix(HUMAN).strip().casefold()) in by_name
    ]
    if not found:
        tiers = _listed(tier.name for tier in document.tiers)
        raise UsageError(
            f"{path.name!r} has no tier named after a label ({', '.join(labels)}): say with --tier "
            f"which holds names of labels; it has {tiers}"
        )
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(shown(name) for name in names) or "none"


def _value(cue: Cue, label: str) -> float:
    word = clean_text(cue.text).casefold()
    if word in _YES or word == label.casefold():
        return 1.0
    if word in _NO:
        return 0.0
    return unit(word)


def _named(cue: Cue) -> dict[str, float]:
    names = [clean_text(name) for name in re.split("[,;]", cue.text)]
    return {name: 1.0 for name in names if name}
