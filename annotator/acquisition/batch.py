"""A batch in the making: what is in it, and what may still come in."""

import numpy as np

from annotator.acquisition.limits import Cap, Flags, NearDuplicates
from annotator.acquisition.pool import Places


class Batch:
    """Takes candidates until it has `size`, within its limits.

    Selectors `show` it a part of the pool and then `offer` rows of that part, one at a time.

    Args:
        size: when it is complete.
        caps: of groups.
        near: keeps near-duplicates out, None lets them in.
    """

    def __init__(self, size: int, caps: list[Cap], near: NearDuplicates | None) -> None:
        self.size = size
        self.caps = caps
        self.near = near
        self._taken: list[int] = []
        self._shown: Places = np.empty(0, np.int64)

    @property
    def taken(self) -> Places:
        """Places in the pool, in the order in which they came in."""
        return np.array(self._taken, np.int64)

    @property
    def complete(self) -> bool:
        """Whether nothing more is wanted."""
        return len(self._taken) >= self.size

    def full(self, clips: Places) -> Flags:
        """(k,) for places (k,): whether a cap keeps them out from now on."""
        full = np.zeros(len(clips), bool)
        for cap in self.caps:
            full |= cap.full(clips)
        return full

    def show(self, clips: Places) -> None:
        """Look at the candidates at places (k,); offers are rows of them."""
        self._shown = clips
        if self.near is not None:
            self.near.show(clips, self.taken)

    def offer(self, row: int) -> bool:
        """Take the candidate if it fits; whether it was taken."""
        clip = int(self._shown[row])
        if self.complete or not all(cap.admits(clip) for cap in self.caps):
            return False
        if self.near is not None:
            if self.near.blocked[row]:
                return False
            self.near.take(row)
        for cap in self.caps:
            cap.take(self._shown[row : row + 1])
        self._taken.append(clip)
        return True
