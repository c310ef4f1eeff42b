"""The answers in the store as votes."""

from collections.abc import Iterable

from annotator.labels.votes import Vote
from annotator.store.review_records import ClipAnswer


def votes_of(answers: Iterable[ClipAnswer]) -> list[Vote]:
    """One vote a person and clip: see `newest`."""
    return [vote_of(given) for given in newest(answers)]


def newest(answers: Iterable[ClipAnswer]) -> list[ClipAnswer]:
    """Of each person and clip the newest answer that says anything of the clip.

    Skipped tasks and empty answers say nothing: the server lets a person skip a clip and label it
    later, or answer it twice.
    """
    found: dict[tuple[int, str], ClipAnswer] = {}
    for given in answers:
        if given.answer.state in {"labelled", "unusable"}:
            key = (given.clip_id, given.answer.annotator)
            known = found.get(key)
            if known is None or _age(known) <= _age(given):
                found[key] = given
    return list(found.values())


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
