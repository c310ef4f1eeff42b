"""Which clips need another rater, which a first one, and why.

Variance is aleatoric: where a clip is noisy, or people differ, more raters settle what it is. What
the model does not know is epistemic: there one rater teaches it something, and more do not.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from annotator.acquisition.pool import Floats
from annotator.acquisition.propose import scores
from annotator.errors import UsageError
from annotator.labels.consensus import Consensus, consensuses
from annotator.labels.stored import votes_of
from annotator.store.candidates import Candidates
from annotator.store.engine import Store
from annotator.store.records import SCORES, ModelRecord

Need = Literal["another", "first"]

MOST_RATERS = 5  # who still differ are no mistake: such a clip is ambiguous, and its labels soft
NOISY = 0.75  # quantile of variance from which one answer is not enough
EPISTEMIC = ("bald", "ensemble", "entropy")  # the last where there is neither


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A clip that needs another rater or a first one, and why."""

    clip_id: int
    path: Path
    start_ms: int
    end_ms: int
    needs: Need
    reason: str


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The clips that need another rater, then those that need a first, the most urgent first.

    `by` is the score that the latter go by. `notes` say what should be known of that.
    """

    suggestions: tuple[Suggestion, ...]
    by: str
    notes: tuple[str, ...]


def suggest(store: Store, model_id: int, top: int) -> Suggestions:
    """At most `top` clips of each kind, among those that the model has answered.

    Another rater: people differ and are fewer than MOST_RATERS, by how much they do; then those
    with one usable answer and a variance among the highest quarter. A first: nobody has answered,
    by what the model does not know.

    Raises:
        UsageError: the model has answered no clips.
    """
    model = next(known for known in store.models() if known.model_id == model_id)
    every = store.candidates(model_id, to_ask=False, latents=False)
    if not len(every.clip_id):
        raise UsageError(
            f"model {model.name!r} has annotated no clips: `annotate run CORPUS` first"
        )
    notes: list[str] = []
    another = dict(_another(_voted(store), every)[:top])
    by, first = _first(store, model, top, notes)
    found = [
        Suggestion(
            clip.clip_id, clip.path, clip.start_ms, clip.end_ms, needs, reasons[clip.clip_id]
        )
        for needs, reasons in _kinds(another, first)
        for clip in store.clips(model_id, "variance", dict.fromkeys(reasons, 0.0))
    ]
    return Suggestions(tuple(found), by, tuple(notes))


def _kinds(
    another: dict[int, str], first: dict[int, str]
) -> tuple[tuple[Need, dict[int, str]], ...]:
    return ("another", another), ("first", first)


def _voted(store: Store) -> Iterator[Consensus]:
    """What people hold of each clip, over all projects that asked the same."""
    asked: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for project in store.projects():
        asked[project.labels].append(project.project_id)
    for labels, projects in asked.items():
        answers = [answer for project in projects for answer in store.answers(project)]
        yield from consensuses(votes_of(answers), labels)


def _another(voted: Iterator[Consensus], every: Candidates) -> list[tuple[int, str]]:
    """Clips with the reason for another rater: those that differ, then the noisy ones."""
    variance = dict(zip(every.clip_id.tolist(), every.scores[:, _VARIANCE].tolist(), strict=True))
    noisy = float(np.quantile(every.scores[:, _VARIANCE], NOISY))
    found: list[tuple[tuple[bool, float], int, str]] = []
    for clip in voted:
        spread = variance.get(clip.clip_id)
        usable = clip.voters - clip.unusable_votes
        if spread is None or clip.voters >= MOST_RATERS:
            continue
        if (reason := _dispute(clip)) is not None:
            found.append(((False, -(clip.disagreement or 0.0)), clip.clip_id, reason))
        elif usable == 1 and spread >= noisy:
            reason = (
                f"one answer, and its variance of {spread:.3f} is in the highest quarter: "
                "a noisy clip, on which people may differ"
            )
            found.append(((True, -spread), clip.clip_id, reason))
    return [(clip_id, reason) for _, clip_id, reason in sorted(found)]


def _dispute(clip: Consensus) -> str | None:
    """What people differ on; None where they do not."""
    usable = clip.voters - clip.unusable_votes
    if 0 < clip.unusable_votes < clip.voters:
        return f"people differ: {clip.unusable_votes} of {clip.voters} call it unusable"
    split = [
        f"{count} of {usable} say {label}"
        for label, count in clip.votes.items()
        if 0 < count < usable
    ]
    return f"people differ: {', '.join(split)}" if split else None


def _first(
    store: Store, model: ModelRecord, top: int, notes: list[str]
) -> tuple[str, dict[int, str]]:
    """The score that unanswered clips go by, and the best of them with their reason."""
    found = store.candidates(model.model_id, to_ask=True, latents=False)
    if not len(found.clip_id):
        notes.append("every clip that the model has annotated is answered")
        return EPISTEMIC[-1], {}
    by, scored = _epistemic(store, model, found, notes)
    order = np.argsort(-scored, kind="stable")  # NaN, which is no score, comes last
    known = int((~np.isnan(scored)).sum())
    if known < len(scored):
        notes.append(f"{len(scored) - known} unanswered clips have no {by} and are not looked at")
    why = _WHY[by]
    return by, {
        int(found.clip_id[place]): (
            f"nobody has answered, and its {by} of {scored[place]:.3f} is number {rank} of "
            f"{known}: {why}"
        )
        for rank, place in enumerate(order[: min(top, known)], start=1)
    }


def _epistemic(
    store: Store, model: ModelRecord, found: Candidates, notes: list[str]
) -> tuple[str, Floats]:
    """The first score of EPISTEMIC that there is, by name, and its values."""
    for by in EPISTEMIC[:-1]:
        try:
            return by, scores(store, model, by, found, None, 0, notes)
        except UsageError:
            continue
    notes.append(
        "no clip has an epistemic score, so first raters go by entropy, which counts noise as "
        "well: `annotate run --mc-dropout 20` or a second model version gives one"
    )
    return EPISTEMIC[-1], scores(store, model, EPISTEMIC[-1], found, None, 0, notes)


_VARIANCE = SCORES.index("variance")
_UNKNOWN = "the model does not know it, and one answer teaches"
_WHY = {
    "bald": _UNKNOWN,
    "ensemble": _UNKNOWN,
    "entropy": "the model is unsure of it, for whatever reason",
}
