"""Ways to choose clips, by name: a score, a selector and whether labels are balanced."""

import re
from dataclasses import dataclass

from annotator.acquisition.named import SCORES
from annotator.acquisition.pool import SELECTORS, SelectorName
from annotator.errors import UsageError

RANDOM = "random"
_FORM = re.compile(r"(?P<score>[a-z-]+)(:(?P<select>[a-z]+))?(?P<balance>\+balance)?")
UNFIT = frozenset({"ensemble"})  # needs model versions of several rounds


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to choose a batch; see `annotator.acquisition`."""

    score: str
    select: SelectorName = "top"
    balance: bool = False

    @property
    def name(self) -> str:
        """As `strategy` reads it.

        >>> Strategy("bald", "kcenter", balance=True).name
        'bald:kcenter+balance'
        """
        select = "" if self.select == "top" else f":{self.select}"
        return f"{self.score}{select}{'+balance' if self.balance else ''}"


def strategy(text: str) -> Strategy:
    """SCORE, SCORE:SELECTOR, either with +balance.

    Raises:
        UsageError: it is none.

    >>> strategy("entropy:power")
    Strategy(score='entropy', select='power', balance=False)
    """
    found = _FORM.fullmatch(text.strip())
    score, select = (found["score"], found["select"] or "top") if found else ("", "")
    selector = next((name for name in SELECTORS if name == select), None)
    if found is None or score not in SCORES or score in UNFIT or selector is None:
        raise UsageError(
            f"{text!r} is no strategy: expected SCORE, SCORE:SELECTOR or either with +balance, "
            f"with a score of {', '.join(sorted(SCORES.keys() - UNFIT))} and a selector of "
            f"{', '.join(SELECTORS)}"
        )
    return Strategy(score, selector, balance=found["balance"] is not None)
