"""What keeps a candidate out of a batch: too many of its group, or one nearly the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.acquisition.pool import Codes, Floats, Places

Flags = NDArray[np.bool_]
Singles = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class Cap:
    """At most `most` of each group; candidates of unknown group (a code below 0) are not counted.

    `what` names it where a batch falls short.
    """

    what: str
    code: Codes  # (n,)
    most: int
    taken: Places  # (groups,)

    @classmethod
    def of(cls, what: str, code: Codes, most: int) -> "Cap":
        """A cap of which nothing is used up."""
        return cls(what, code, most, np.zeros(max(int(code.max(initial=-1)) + 1, 1), np.int64))

    def full(self, clips: Places) -> Flags:
        """(k,) for places (k,) in the pool: whether their group has all it may have.

        >>> cap = Cap.of("speaker", np.array([0, 0, -1]), 1)
        >>> cap.take(np.array([0]))
        >>> cap.full(np.array([0, 1, 2]))
        array([ True,  True, False])
        """
        code = self.code[clips]
        return (code >= 0) & (self.taken[code] >= self.most)

    def admits(self, clip: int) -> bool:
        """Whether one more fits."""
        code = self.code[clip]
        return bool(code < 0 or self.taken[code] < self.most)

    def take(self, clips: Places) -> None:
        """Count candidates in, whether they fit or not."""
        code = self.code[clips]
        np.add.at(self.taken, code[code >= 0], 1)


@dataclass(slots=True, eq=False)
class NearDuplicates:
    """Candidates whose latents point the same way from the pool's mean as one that is in."""

    latent: Floats  # (n, d)
    mean: Singles  # (d,)
    cosine: float
    shown: Singles  # (k, d) directions of the candidates that are looked at now
    blocked: Flags  # (k,) which of them are too near

    @classmethod
    def of(cls, latent: Floats, cosine: float) -> "NearDuplicates":
        """Nothing is in, nothing is looked at."""
        mean = latent.sum(axis=0, dtype=np.float32) / np.float32(max(len(latent), 1))
        return cls(latent, mean, cosine, np.empty((0, len(mean)), np.float32), np.empty(0, bool))

    def show(self, clips: Places, taken: Places) -> None:
        """Look at the candidates at places (k,), of which those near to the taken are blocked."""
        self.shown = self._directions(clips)
        self.blocked = np.zeros(len(clips), bool)
        # By parts: of k candidates and t taken only a strip of the (k, t) cosines is in memory.
        for first in range(0, len(taken), _STRIP):
            strip = self._directions(taken[first : first + _STRIP])
            self.blocked |= (self.shown @ strip.T >= self.cosine).any(axis=1)

    def take(self, row: int) -> None:
        """Block what is near to one of those looked at."""
        self.blocked |= self.shown @ self.shown[row] >= self.cosine

    def _directions(self, clips: Places) -> Singles:
        centred = self.latent[clips].astype(np.float32) - self.mean
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        unit: Singles = centred / np.maximum(length, np.finfo(np.float32).tiny)
        return unit


_STRIP = 512
