"""The answers in the store as votes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from annotator.labels.votes import Vote
from annotator.store.review_records import Answer, ClipAnswer

Person = int | str  # their number on the server; the name where there is none


def votes_of(answers: Iterable[ClipAnswer]) -> list[Vote]:
    """One vote a person and clip: see `newest`."""
    return [vote_of(given) for given in newest(answers)]


def newest(answers: Iterable[ClipAnswer]) -> list[ClipAnswer]:
    """Of each person and clip the newest answer that says anything of the clip.

    Skipped tasks and empty answers say nothing: the server lets a person skip a clip and label it
    later, or answer it twice. A person is who has the same number, however they are called; in what
    is returned each has one name, that no other has.

    Args:
        answers: of one server: each numbers its people anew.
    """
    given = list(answers)
    names = _names(given)
    found: dict[tuple[int, str], ClipAnswer] = {}
    for one in given:
        if one.answer.state in {"labelled", "unusable"}:
            key = (one.clip_id, names[_person(one.answer)])
            known = found.get(key)
            if known is None or _age(known) <= _age(one):
                found[key] = one
    return [
        replace(one, answer=replace(one.answer, annotator=name)) for (_, name), one in found.items()
    ]


def _person(answer: Answer) -> Person:
    return answer.annotator if answer.person is None else answer.person


def _names(answers: Iterable[ClipAnswer]) -> dict[Person, str]:
    """What to call each person: as they were called last, with their number if others are, too."""
    called: dict[Person, str] = {
        _person(one.answer): one.answer.annotator for one in sorted(answers, key=_age)
    }
    shared = Counter(called.values())
    return {
        person: name if shared[name] == 1 or person == name else f"{name} ({person})"
        for person, name in called.items()
    }


def _age(given: ClipAnswer) -> tuple[float, int]:
    return given.answer.updated_at.timestamp(), given.answer.number


def vote_of(given: ClipAnswer) -> Vote:
    """An answer that says something, as a vote."""
    answer = given.answer
    return Vote(
        clip_id=given.clip_id,
        annotator=answer.annotator,
        labels=frozenset(label.label for label in answer.labels),
        neutral=answer.neutral,
        unusable=answer.state == "unusable",
        intensities={
            label.label: label.intensity for label in answer.labels if label.intensity is not None
        },
        seconds=answer.lead_seconds,
        unchanged=answer.unchanged,
    )
