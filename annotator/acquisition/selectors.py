"""How a batch is chosen from a part of the pool, whose candidates come best first."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from annotator.acquisition.batch import Batch
from annotator.acquisition.pool import Places, Pool, SelectorName

Singles = NDArray[np.float32]

ROUNDS = 10  # of k-means: what a later one moves, a batch does not show
_STRIP = 4096  # rows whose distances to all centres are in memory at a time

Selector = Callable[[Pool, Places, Batch], None]


def in_order(_pool: Pool, clips: Places, batch: Batch) -> None:
    """The best that fit."""
    _offer(range(len(clips)), batch)


def kcenter(pool: Pool, clips: Places, batch: Batch) -> None:
    """Core-set: each time the one farthest from all that are in, the best score first.

    Greedy k-center: no candidate of the part is farther from the batch than twice what the best
    batch of that size has (Gonzalez 1985; Sener & Savarese 2018, arXiv 1708.00489), if no limit
    interferes. Distances are Euclidean.
    """
    latent = _latent(pool, clips)
    distance = _nowhere(len(clips))
    for centre in _latent(pool, batch.taken):
        np.minimum(distance, _squared(latent, centre), out=distance)
    for _row in farthest_first(latent, distance, batch.offer):
        if batch.complete:
            return


def kmeans(pool: Pool, clips: Places, batch: Batch) -> None:
    """Of as many clusters as are wanted the candidate nearest to each centre.

    Weighted by score, over the best alone (Zhdanov 2019, arXiv 1901.05954). The centres start
    farthest first, so nothing is drawn at random. Where a limit refuses a cluster's first, its
    next takes a later turn.
    """
    latent = _latent(pool, clips)
    score = pool.score[clips].astype(np.float32)
    count = min(batch.size - len(batch.taken), len(clips))
    first = list(islice(farthest_first(latent, _nowhere(len(clips)), lambda _row: True), count))
    cluster, distance = _lloyd(latent, score, latent[first])
    _offer(_in_turn(cluster, distance), batch)


SELECTORS: Mapping[SelectorName, Selector] = {
    "top": in_order,
    "power": in_order,  # the order is drawn; see `annotator.acquisition.select.priority`
    "kcenter": kcenter,
    "kmeans": kmeans,
}


def farthest_first(
    latent: Singles, distance: Singles, admit: Callable[[int], bool]
) -> Iterator[int]:
    """Rows in the order of a farthest-first traversal, those that are not admitted passed over.

    Args:
        latent: (k, d).
        distance: (k,) squared, to what is in already, infinite where nothing is; it is changed.
        admit: takes a row or does not; one that it refuses is never asked about again.
    """
    for _ in range(len(latent)):
        row = int(distance.argmax())
        if admit(row):
            yield row
            np.minimum(distance, _squared(latent, latent[row]), out=distance)
        distance[row] = -np.inf


def _nowhere(count: int) -> Singles:
    """Distances to a batch of nothing."""
    return np.full(count, np.inf, np.float32)


def _offer(rows: Iterable[int], batch: Batch) -> None:
    for row in rows:
        if batch.complete:
            return
        batch.offer(row)


def _latent(pool: Pool, clips: Places) -> Singles:
    if pool.latent is None:
        raise ValueError("expected latents of the candidates")
    return pool.latent[clips].astype(np.float32)


def _squared(latent: Singles, centre: Singles) -> Singles:
    difference = latent - centre
    squared: Singles = np.einsum("ij,ij->i", difference, difference)
    return squared


def _lloyd(latent: Singles, weight: Singles, centres: Singles) -> tuple[Places, Singles]:
    """Each row's cluster, and its squared distance to that centre, after some rounds."""
    weight = weight + np.finfo(np.float32).tiny  # a cluster of scores 0 has a mean as well
    cluster, distance = _nearest(latent, centres)
    for _ in range(ROUNDS):
        total = np.bincount(cluster, weight, len(centres))
        moved = np.zeros(centres.shape, np.float64)
        np.add.at(moved, cluster, latent * weight[:, None])
        held = total > 0
        centres = centres.copy()
        centres[held] = moved[held] / total[held, None]
        before = cluster
        cluster, distance = _nearest(latent, centres)
        if (cluster == before).all():
            break
    return cluster, distance


def _nearest(latent: Singles, centres: Singles) -> tuple[Places, Singles]:
    cluster = np.empty(len(latent), np.int64)
    distance = np.empty(len(latent), np.float32)
    norms = np.einsum("ij,ij->i", centres, centres)
    for first in range(0, len(latent), _STRIP):
        rows = latent[first : first + _STRIP]
        cluster[first : first + _STRIP] = (norms - 2 * (rows @ centres.T)).argmin(axis=1)
        nearest = rows - centres[cluster[first : first + _STRIP]]
        distance[first : first + _STRIP] = np.einsum("ij,ij->i", nearest, nearest)
    return cluster, distance


def _in_turn(cluster: Places, distance: Singles) -> list[int]:
    """Rows: the nearest of each cluster, then the second nearest of each, and so on.

    Within a turn the better candidate, whose row is lower, comes first.

    >>> _in_turn(np.array([1, 0, 0, 1]), np.array([3, 2, 1, 1], np.float32))
    [2, 3, 0, 1]
    """
    rows = np.lexsort((distance, cluster))
    start = np.searchsorted(cluster[rows], cluster[rows])
    turn = np.empty(len(rows), np.int64)
    turn[rows] = np.arange(len(rows)) - start
    ordered: list[int] = np.argsort(turn, kind="stable").tolist()
    return ordered
