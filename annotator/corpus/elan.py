"""Read the time-aligned text of an ELAN file (.eaf), a tier a speaker.

The format: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf. We read the
XML ourselves through defusedxml: pympi 1.71 parses hostile XML, and fails on files without a
schema location. Media and files an .eaf links to are never opened.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree

from annotator.corpus.cues import STAGE, Cue, CueTrack, collect, read_limited
from annotator.errors import StageFailure

# A tier is the transcript if a word of its name starts so, first come first.
TRANSCRIPT_NAMES = ("transcri", "utterance", "text", "default")


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier with its time-aligned annotations; `unaligned` counts the others."""

    name: str
    kind: str  # its linguistic type
    speaker: str | None
    cues: tuple[Cue, ...]  # as annotated, not yet cleaned
    unaligned: int


@dataclass(frozen=True, slots=True)
class Document:
    """All tiers of a file, and its media as it names them: paths, or URLs of files."""

    tiers: tuple[Tier, ...]
    media: tuple[str, ...]


def read_tiers(path: Path) -> Document:
    """Every tier of a file, its texts as they were annotated.

    Raises:
        StageFailure: not readable, not an ELAN file, or with a DTD or entities (refused).
    """
    root = _parse(path)
    times = _time_slots(root)
    named = (
        descriptor.get(key)
        for descriptor in root.iter("MEDIA_DESCRIPTOR")
        for key in ("RELATIVE_MEDIA_URL", "MEDIA_URL")
    )
    return Document(
        tuple(_tier(element, times) for element in root.iter("TIER")),
        tuple(name for name in named if name),
    )


def read_elan(path: Path, tier: str | None = None) -> CueTrack:
    """The time-aligned annotations of a tier, or of one tier a participant, who is the speaker.

    Without `tier`: the tier named like a transcript (`TRANSCRIPT_NAMES`), else the one with
    the most time-aligned annotations, and with it those of its linguistic type that hold the
    same for other participants. Annotations that only refer to others, or whose time slots have
    no value, are counted as dropped.

    Raises:
        StageFailure: not readable, not an ELAN file, with a DTD or entities (refused), or
            without the tier asked for.
    """
    root = _parse(path)
    times = _time_slots(root)
    tiers = [_tier(element, times) for element in root.iter("TIER")]
    chosen = [_named(path, tiers, tier)] if tier is not None else _transcript_tiers(tiers)
    track = collect(sorted((cue for tier in chosen for cue in tier.cues), key=_start))
    return CueTrack(track.cues, track.dropped + sum(tier.unaligned for tier in chosen))


def _parse(path: Path) -> Element:
    data = read_limited(path)
    try:
        root: Element = ElementTree.fromstring(data, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:  # defusedxml's refusals are ValueErrors
        reason = " ".join(str(error).split())
        raise StageFailure(STAGE, f"{path.name!r} is not safe, sound XML: {reason}") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise StageFailure(STAGE, f"{path.name!r} is XML but not an ELAN annotation document")
    return root


def _time_slots(root: Element) -> dict[str, int]:
    """Milliseconds by slot id; slots without a value are left out."""
    slots: dict[str, int] = {}
    for slot in root.iter("TIME_SLOT"):
        value = slot.get("TIME_VALUE", "")
        if re.fullmatch(r"[0-9]{1,12}", value):
            slots[slot.get("TIME_SLOT_ID", "")] = int(value)
    return slots


def _tier(element: Element, times: Mapping[str, int]) -> Tier:
    speaker = element.get("PARTICIPANT")
    cues = tuple(_cues(element, times, speaker))
    total = sum(1 for _ in element.iter("ANNOTATION"))
    kind = element.get("LINGUISTIC_TYPE_REF", "")
    return Tier(element.get("TIER_ID", ""), kind, speaker, cues, total - len(cues))


def _cues(element: Element, times: Mapping[str, int], speaker: str | None) -> Iterator[Cue]:
    for annotation in element.iter("ALIGNABLE_ANNOTATION"):
        start = times.get(annotation.get("TIME_SLOT_REF1", ""))
        end = times.get(annotation.get("TIME_SLOT_REF2", ""))
        if start is not None and end is not None:
            yield Cue(start, end, annotation.findtext("ANNOTATION_VALUE") or "", speaker)


def _named(path: Path, tiers: list[Tier], name: str) -> Tier:
    for tier in tiers:
        if tier.name == name:
            return tier
    known = ", ".join(repr(tier.name) for tier in tiers) or "none"
    raise StageFailure(STAGE, f"{path.name!r} has no tier {name!r}; it has {known}")


def _transcript_tiers(tiers: list[Tier]) -> list[Tier]:
    """The tier most like a transcript, and its counterparts of the other participants."""
    aligned = [tier for tier in tiers if tier.cues]
    ranked = sorted(aligned, key=lambda tier: (_name_rank(tier.name), -len(tier.cues)))
    speakers: dict[str | None, Tier] = {}
    for tier in ranked:
        if (tier.kind, _name_rank(tier.name)) == (ranked[0].kind, _name_rank(ranked[0].name)):
            speakers.setdefault(tier.speaker, tier)
    return list(speakers.values())


def _start(cue: Cue) -> int:
    return cue.start_ms


def _name_rank(name: str) -> int:
    """The place of the first transcript-like word; names without one come last."""
    words = re.split(r"[\W_]+", name.lower())
    for rank, start in enumerate(TRANSCRIPT_NAMES):
        if any(word.startswith(start) for word in words):
            return rank
    return len(TRANSCRIPT_NAMES)
