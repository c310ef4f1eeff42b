"""From what the store holds to the clips that people are asked about."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotator.acquisition.cost import lead_time
from annotator.acquisition.named import SCORES, Predictions, score
from annotator.acquisition.pool import Floats, Places, Plan, Pool
from annotator.acquisition.select import select
from annotator.errors import UsageError
from annotator.labels.stored import votes_of
from annotator.labels.votes import usable
from annotator.store.candidates import Candidates
from annotator.store.engine import Store
from annotator.store.records import SCORES as STORED
from annotator.store.records import ModelRecord

_OF_ANSWERS = {"probability", "heads"}  # what a score may need that is read label by label


class NoCandidates(UsageError):
    """There is nothing left to ask about."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Clips to ask about, by number.

    `scores` holds the score of each clip, by which `clips` are in order but for the audit's, which
    are spread evenly among them: people who stop half way have then done half of the audit.
    `notes` says what was left out and `shortfall` why there are fewer clips than were wanted.
    """

    scores: Mapping[int, float]
    audit: frozenset[int]
    wanted: int
    shortfall: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def clips(self) -> Sequence[int]:
        """In the order in which to ask."""
        return tuple(self.scores)


def propose(
    store: Store,
    model_id: int,
    by: str,
    plan: Plan,
    *,
    split: str | None = None,
    to_ask: bool = True,
    leaving_out: Collection[int] = (),
) -> Proposal:
    """A selection among the clips that a model has answered.

    Args:
        store: what is known.
        model_id: whose answers.
        by: a name of `annotator.acquisition.named.SCORES`.
        plan: how.
        split: only clips of this split.
        to_ask: leave out copies, and clips that somebody has answered, wherever that was.
        leaving_out: the numbers of other clips that are not to be chosen.

    Raises:
        NoCandidates: nothing is left to choose from.
        UsageError: the store lacks what the score or the plan goes by.
    """
    model = next(known for known in store.models() if known.model_id == model_id)
    found = store.candidates(model_id, split, to_ask=to_ask, latents=plan.needs_latent)
    found = found.without(leaving_out)
    if not len(found.clip_id):
        raise NoCandidates(
            f"model {model.name!r} has annotated no {'unanswered ' if to_ask else ''}clips "
            f"{'' if split is None else f'of split {split!r} '}yet: `annotate run CORPUS` first"
        )
    notes: list[str] = []
    answers = None
    if plan.balance or (by in SCORES and _OF_ANSWERS & set(SCORES[by].needs)):
        answers = store.label_answers(model_id, found.clip_id)
    scored = scores(store, model, by, found, answers, plan.seed, notes)
    fit, latent = _fit(found, scored, by, plan, notes)
    pool = Pool(
        score=scored[fit],
        probability=None if answers is None else answers[0, fit],
        latent=latent,
        speaker=found.speaker[fit],
        video=found.video[fit],
        seconds=_cost(store, model, found.seconds[fit]) if plan.per_second else None,
    )
    chosen = select(pool, plan)
    order = _spread(chosen.chosen, chosen.audit)
    clips = found.clip_id[fit]
    return Proposal(
        scores={int(clips[place]): float(scored[fit][place]) for place in order},
        audit=frozenset(clips[chosen.audit].tolist()),
        wanted=chosen.wanted,
        shortfall=chosen.shortfall,
        notes=tuple(notes),
    )


def scores(
    store: Store,
    model: ModelRecord,
    by: str,
    found: Candidates,
    answers: Floats | None,
    seed: int,
    notes: list[str],
) -> Floats:
    """(n,) scores of the clips, high = ask, NaN where one has none.

    `answers` are those of `Store.label_answers`, for the scores that need them. What people should
    know of the scores is added to `notes`.

    Raises:
        UsageError: there is no such score, or the store has nothing to make it of.
    """
    if by not in SCORES:
        raise UsageError(f"no score {by!r}: expected one of {', '.join(SCORES)}")
    needs = SCORES[by].needs
    stored = {name: found.scores[:, place] for place, name in enumerate(STORED)}
    given = Predictions(
        count=len(found.clip_id),
        seed=seed,
        **stored,
        probability=None if answers is None else answers[0],
        heads=None if answers is None else answers[1:],
        versions=_versions(store, model, found) if "versions" in needs else None,
        usual=_usual(store, answers, notes) if "usual" in needs and answers is not None else None,
    )
    scored = score(by, given)
    if np.isnan(scored).all():
        raise UsageError(
            f"no clip has the score {by!r}"
            + (": `annotate run --mc-dropout 20` makes it" if by == "bald" else "")
        )
    return scored


def _versions(store: Store, model: ModelRecord, found: Candidates) -> Floats:
    """(m, n, q) of this version and all others with its labels."""
    others = [m for m in store.models() if m.labels == model.labels and m.trained]
    answers = [store.label_answers(m.model_id, found.clip_id)[0] for m in others]
    answers = [p for p in answers if not np.isnan(p).all()]
    if len(answers) < 2:
        raise UsageError(
            "an ensemble takes two trained model versions with the same labels that have annotated "
            f"the clips, here is {len(answers)}: `annotate run CORPUS --model OTHER` adds one"
        )
    return np.stack(answers)


def _usual(store: Store, answers: Floats, notes: list[str]) -> float:
    """The mean number of labels of people's answers; before there are any, the model's own."""
    votes = usable(votes_of(store.answers()))
    if votes:
        return float(np.mean([len(vote.labels) for vote in votes]))
    notes.append("nobody has answered yet: the usual number of labels is the model's own mean")
    return float(np.nansum(answers[0], axis=1).mean())


def _fit(
    found: Candidates, scored: Floats, by: str, plan: Plan, notes: list[str]
) -> tuple[Places, Floats | None]:
    """Places of the candidates that have all it takes, and their latents if the plan needs them."""
    fit = ~np.isnan(scored)
    if not fit.all():
        notes.append(f"{(~fit).sum()} clips have no score {by!r} and were left out")
    if plan.per_speaker is not None and (found.speaker[fit] < 0).all():
        raise UsageError("--per-speaker needs speakers, and no clip has one: use --per-video")
    if not plan.needs_latent:
        return np.flatnonzero(fit), None
    if found.latent is None:
        asked = "--near" if plan.near else f"--select {plan.select}"
        raise UsageError(
            f"{asked} goes by latents, and these clips were annotated before any were kept: give "
            "the model another name by `annotate models import` and `run` it; features are cached"
        )
    placed = ~np.isnan(found.latent[:, 0])
    if not placed[fit].all():
        notes.append(
            f"{(fit & ~placed).sum()} clips were annotated before latents were kept and left out"
        )
    fit &= placed
    return np.flatnonzero(fit), found.latent[fit]


def _cost(store: Store, model: ModelRecord, seconds: Floats) -> Floats:
    """The predicted lead time of clips, by the answers there are."""
    votes = [vote for vote in votes_of(store.answers()) if vote.seconds is not None]
    known = store.known_clips(model.model_id, sorted({vote.clip_id for vote in votes}))
    timed = [
        ((bounds[1] - bounds[0]) / 1000, vote.seconds)
        for vote in votes
        if vote.clip_id in known and (bounds := known[vote.clip_id].bounds)
    ]
    watched, lead = np.array(timed, np.float64).reshape(-1, 2).T
    return lead_time(seconds, watched, lead)


def _spread(chosen: Places, audit: Places) -> Places:
    """Both, each in its order, the fewer evenly among the more.

    >>> _spread(np.array([5, 6, 7, 8]), np.array([1])).tolist()
    [5, 6, 1, 7, 8]
    """
    both = np.concatenate([chosen, audit])
    when = np.concatenate([(np.arange(len(part)) + 0.5) / len(part) for part in (chosen, audit)])
    spread: Places = both[np.argsort(when, kind="stable")]
    return spread
