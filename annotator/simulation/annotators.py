"""Simulated annotators: what some people would have said of a clip."""

from dataclasses import dataclass

import numpy as np

from annotator.simulation.confusion import Floats, named


@dataclass(frozen=True, slots=True, eq=False)
class Annotators:
    """So many people a clip, each of whom names every label or not, by chance and by themselves.

    Where the corpus has the votes of many, their shares are the chances: nothing else is known of
    how people differ. Where it has one truth a clip, `confusion` is how people err about it.

    Attributes:
        raters: people a clip, 1 or more.
        confusion: (q + 1, q) of `Confusion.matrix`; None: a label is named by its share.
    """

    raters: int
    confusion: Floats | None = None

    def answers(self, shares: Floats, random: np.random.Generator) -> Floats:
        """(n, q), the share of the raters who named each label; NaN where nobody was asked.

        >>> one = Annotators(raters=2)
        >>> one.answers(np.array([[1.0, 0.0]]), np.random.default_rng(0))
        array([[1., 0.]])
        """
        asked = np.nan_to_num(shares.astype(np.float64))
        chance = asked if self.confusion is None else named(asked, self.confusion)
        votes = random.binomial(self.raters, np.clip(chance, 0, 1))
        return np.where(np.isnan(shares), np.nan, votes / self.raters)
