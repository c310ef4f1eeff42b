"""From a pool of candidates to the batch that people are asked about."""

from typing import TypeVar

import numpy as np

from annotator.acquisition.batch import Batch
from annotator.acquisition.limits import Cap, NearDuplicates
from annotator.acquisition.pool import Places, Plan, Pool, Selection
from annotator.acquisition.selectors import SELECTORS

T = TypeVar("T")

_AUDIT, _ORDER = range(2)  # streams of random numbers, so that one does not move the other


def select(pool: Pool, plan: Plan) -> Selection:
    """A batch of a pool: first an audit, drawn uniformly whatever the scores, then by score.

    The audit gives an unbiased estimate of accuracy over the pool, which what was chosen for its
    score cannot give. For that it is exempt from limits, though it counts towards them. The same
    pool and plan give the same selection.

    Raises:
        ValueError: the pool lacks what the plan goes by.

    >>> pool = Pool(score=np.array([0.1, 0.9, 0.5, 0.7]), speaker=np.array([0, 1, 0, 1]))
    >>> select(pool, Plan(size=2, audit=0)).chosen
    array([1, 3])
    >>> found = select(pool, Plan(size=3, audit=0, per_speaker=1))
    >>> found.chosen, found.shortfall
    (array([1, 2]), ('2 of the other candidates are over the 1 a speaker',))
    """
    audit = draw_audit(len(pool), plan)
    order = priority(pool, plan)
    order = order[~np.isin(order, audit)]
    caps = _caps(pool, plan)
    for cap in caps:
        cap.take(audit)
    near = NearDuplicates.of(_given(pool.latent, "latents"), plan.near) if plan.near else None
    batch = Batch(min(plan.size, len(pool)) - len(audit), caps, near)
    if plan.balance:
        batch.caps = [*caps, _share(pool, batch.size)]
        _fill(batch, pool, plan, order)
        batch.caps = caps  # what some labels leave over goes to the others
        order = order[~np.isin(order, batch.taken)]
    _fill(batch, pool, plan, order)
    chosen = batch.taken
    return Selection(chosen, audit, plan.size, _shortfall(batch, order, len(pool), plan.size))


def draw_audit(count: int, plan: Plan) -> Places:
    """A uniform random sample of `count` candidates: a share of the batch, rounded; in order."""
    random = np.random.default_rng((plan.seed, _AUDIT))
    drawn = min(round(plan.audit * plan.size), count)
    audit: Places = np.sort(random.choice(count, drawn, replace=False, shuffle=False))
    return audit


def priority(pool: Pool, plan: Plan) -> Places:
    """(n,) places, the best first; equal ones by place.

    Power sampling draws without replacement with probabilities that go as score^β: the order of
    β log score + Gumbel noise (Kirsch et al. 2021, arXiv 2106.12059). Nothing is drawn of score 0
    before all the others are.
    """
    score = pool.score.astype(np.float64)
    if plan.per_second:
        score = score / _given(pool.seconds, "seconds")
    if plan.select != "power":
        return np.argsort(-score, kind="stable")
    noise = np.random.default_rng((plan.seed, _ORDER)).gumbel(size=len(score))
    some = score > 0
    drawn = np.full(len(score), -np.inf)
    drawn[some] = plan.power * np.log(score[some]) + noise[some]
    places: Places = np.lexsort((-noise, -drawn))
    return places


def _fill(batch: Batch, pool: Pool, plan: Plan, order: Places) -> None:
    """Go through the pool, part by part, until the batch is complete."""
    part = plan.prefilter * plan.size
    while not batch.complete and len(order):
        order = order[~batch.full(order)]
        batch.show(order[:part])
        SELECTORS[plan.select](pool, order[:part], batch)
        order = order[part:]


def _caps(pool: Pool, plan: Plan) -> list[Cap]:
    caps = []
    if plan.per_speaker is not None:
        caps.append(Cap.of("speaker", _given(pool.speaker, "speakers"), plan.per_speaker))
    if plan.per_video is not None:
        caps.append(Cap.of("video", _given(pool.video, "videos"), plan.per_video))
    return caps


def _share(pool: Pool, size: int) -> Cap:
    """Each label's share of the batch; a candidate is of the label that is most probable."""
    probability = _given(pool.probability, "probabilities")
    return Cap.of("label", probability.argmax(axis=1), -(-size // probability.shape[1]))


def _shortfall(batch: Batch, order: Places, pool: int, wanted: int) -> tuple[str, ...]:
    """Why the batch and its audit are fewer than were wanted."""
    reasons = [f"the pool has {pool} candidates"] if pool < wanted else []
    if batch.complete:
        return tuple(reasons)
    left = order[~np.isin(order, batch.taken)]
    over = {f"over the {cap.most} a {cap.what}": cap.full(left).sum() for cap in batch.caps}
    alike = {"near-duplicates of chosen ones": (~batch.full(left)).sum()}
    reasons += [
        f"{count} of the other candidates are {why}"
        for why, count in {**over, **alike}.items()
        if count
    ]
    return tuple(reasons)


def _given(values: T | None, what: str) -> T:
    if values is None:
        raise ValueError(f"expected {what} of the candidates")
    return values
