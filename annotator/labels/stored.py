"""The answers in the store as votes."""

from collections.abc import Iterable

from annotator.labels.votes import Vote
from annotator.store.review_records import ClipAnswer


def votes_of(answers: Iterable[ClipAnswer]) -> list[Vote]:
    """One vote a person and clip: the newest of their answers that says anything of the clip.

    Skipped tasks and empty answers say nothing: the server lets a person skip a clip and label it
    later, or answer it twice.
    """
    return [vote for _, vote in votes_by_project(answers)]


def votes_by_project(answers: Iterable[ClipAnswer]) -> list[tuple[int, Vote]]:
    """The same, each with the project that the person was asked in."""
    newest: dict[tuple[int, str], ClipAnswer] = {}
    for given in answers:
        if given.answer.state in {"labelled", "unusable"}:
            key = (given.clip_id, given.answer.annotator)
            known = newest.get(key)
            if known is None or _age(known) <= _age(given):
                newest[key] = given
    return [(given.project_id, _vote(given)) for given in newest.values()]


def _age(given: ClipAnswer) -> tuple[float, int]:
    return given.answer.updated_at.timestamp(), given.answer.number


def _vote(given: ClipAnswer) -> Vote:
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
