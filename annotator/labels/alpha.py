"""Krippendorff's alpha: how far all annotators agree beyond chance, whoever missed whatever.

alpha = 1 − D_o / D_e, the disagreement observed within clips over that among all answers, however
paired (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). 1 is perfect, 0 is chance.
Unusable answers are missing ones, and a clip counts once two people judged it. Computed by the
package krippendorff (Castro 2017).
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import krippendorff
import numpy as np
from numpy.typing import NDArray

from annotator.labels.figure import Figure
from annotator.labels.votes import ByClip, Vote, usable
from annotator.metrics.bootstrap import RESAMPLES, bootstrap
from annotator.metrics.inputs import Array

Counts = NDArray[np.int64]  # (clips, values): how many people gave each value

ONE_PERSON = "one person only gave usable answers"
NO_CLIP = "no clip with two usable answers"
ONE_CLIP = "only one clip with two usable answers: the disagreement within is all there is"
CONSTANT = "all answers are the same: chance would agree as well"
NOBODY = "nobody chose it: chance would agree as well"
EVERYBODY = "everybody always chose it: chance would agree as well"

SET_CELLS = 20_000_000  # clips × sets × sets: the package's arrays of them take 160 MB each


def label_alphas(
    clips: ByClip,
    labels: Sequence[str],
    *,
    groups: Mapping[int, Hashable] | None = None,
    resamples: int = RESAMPLES,
) -> dict[str, Figure]:
    """Alpha of yes and no to each label, with its bootstrap interval over clips.

    `groups` names what each clip was cut from or who speaks in it, drawn as a whole; without it
    each clip stands alone. 0 resamples leave the intervals out: 1000 of them take seconds for each
    1000 clips of 6 labels, since the package knows no weights.
    """
    judged = _judged(clips)
    reason = _too_few(judged, clips)
    if reason:
        return {label: Figure(None, len(judged), reason) for label in labels}
    tables = {label: _yes_no(list(judged.values()), label) for label in labels}
    varied = {label: table for label, table in tables.items() if _varies(table)}

    def measure(weight: Array) -> dict[str, Array]:
        return {label: _weighted(table, weight) for label, table in varied.items()}

    drawn = _numbered([groups[clip] for clip in judged] if groups is not None else list(judged))
    found = bootstrap(measure, drawn, resamples=resamples)
    figures = {
        label: Figure(None, len(judged), EVERYBODY if table[:, 1].any() else NOBODY)
        for label, table in tables.items()
    }
    for label, interval in found.items():
        low, high = _known(interval.low), _known(interval.high)
        figures[label] = Figure(interval.value, len(judged), low=low, high=high)
    return figures


def set_alpha(clips: ByClip) -> Figure:
    """Alpha of whole answers, at the MASI distance: near misses count less than far ones.

    Without an interval: the package needs memory for clips × sets × sets, and time in proportion.
    """
    judged = _judged(clips)
    reason = _too_few(judged, clips)
    if reason:
        return Figure(None, len(judged), reason)
    picked = {vote.labels for votes in judged.values() for vote in votes}
    sets = sorted(picked, key=sorted)
    if len(sets) < 2:
        return Figure(None, len(judged), CONSTANT)
    if len(judged) * len(sets) ** 2 > SET_CELLS:
        reason = f"too large to compute: {len(judged)} clips and {len(sets)} different answers"
        return Figure(None, len(judged), reason)
    place = {answer: index for index, answer in enumerate(sets)}
    table: Counts = np.zeros((len(judged), len(sets)), np.int64)
    for row, votes in enumerate(judged.values()):
        for vote in votes:
            table[row, place[vote.labels]] += 1
    distances = np.array([[masi_distance(one, other) for other in sets] for one in sets])
    return Figure(_alpha(table, distances), len(judged))


def masi_distance(one: frozenset[str], other: frozenset[str]) -> float:
    """1 − Jaccard × monotonicity (Passonneau 2006, "Measuring Agreement on Set-valued Items").

    Monotonicity is 1 for equal sets, 2/3 where one holds the other, 1/3 where they overlap. No
    label at all is as far from any label as two labels are from each other: 1.

    >>> masi_distance(frozenset({"sad"}), frozenset({"sad", "fear"})) == 1 - 1 / 2 * 2 / 3
    True
    >>> masi_distance(frozenset(), frozenset({"sad"}))
    1.0
    """
    if one == other:
        return 0.0
    jaccard = len(one & other) / len(one | other)
    return 1 - jaccard * (2 / 3 if one < other or other < one else 1 / 3)


def _judged(clips: ByClip) -> dict[int, list[Vote]]:
    """The usable votes of each clip that has at least two."""
    judged = {clip: usable(votes) for clip, votes in clips.items()}
    return {clip: votes for clip, votes in judged.items() if len(votes) >= 2}


def _too_few(judged: ByClip, clips: ByClip) -> str | None:
    """Why there is no alpha; of one clip it would be 0 whatever the answers."""
    if judged:
        return ONE_CLIP if len(judged) == 1 else None
    people = {vote.annotator for votes in clips.values() for vote in usable(votes)}
    return ONE_PERSON if len(people) == 1 else NO_CLIP


def _yes_no(clips: Sequence[Sequence[Vote]], label: str) -> Counts:
    """How many said no and yes on each clip: (n, 2)."""
    yes = [sum(label in vote.labels for vote in votes) for votes in clips]
    no = [sum(label not in vote.labels for vote in votes) for votes in clips]
    return np.array([no, yes], np.int64).T


def _varies(table: Counts) -> bool:
    return bool((table.sum(axis=0) > 0).sum() > 1)


def _weighted(table: Counts, weight: Array) -> Array:
    """Alpha with each clip counted as often as weighed, (..., n) → (...,); NaN where all agree."""
    flat = weight.reshape(-1, len(table)).astype(np.int64)
    drawn = (np.repeat(table, counts, axis=0) for counts in flat)
    found = [_alpha(some) if _varies(some) else np.nan for some in drawn]
    return np.array(found).reshape(weight.shape[:-1])


def _alpha(table: Counts, distances: Array | None = None) -> float:
    """By the package; without distances between the values, they are the same or not."""
    if distances is None:
        return float(krippendorff.alpha(value_counts=table, level_of_measurement="nominal"))

    def distance(one: Any, other: Any, **_: Any) -> Any:
        return distances[one, other]

    metric = cast(krippendorff.DistanceMetric, distance)  # it gives more by name than we take
    return float(krippendorff.alpha(value_counts=table, level_of_measurement=metric))


def _numbered(names: Sequence[Hashable]) -> list[int]:
    """Each name as the place where it first came up: names of any kind, in one order."""
    place: dict[Hashable, int] = {}
    return [place.setdefault(name, len(place)) for name in names]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
