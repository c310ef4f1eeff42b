"""Which clips the options of a ranking and of a selection mean."""

from collections.abc import Generator
from typing import TYPE_CHECKING

from annotator.commands.options import STORED_SCORES, Ranking, Selecting
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.acquisition.propose import Proposal
    from annotator.store.engine import Store
    from annotator.store.records import RankedClip

ALL = 2**62  # clips: more than there are


def proposal(
    store: "Store",
    model_id: int,
    ranking: Ranking,
    limit: int | None,
    selecting: Selecting | None = None,
) -> "Proposal | None":
    """The clips that are meant; None where the store ranks them by itself.

    `limit` is how many to take where no option asks for a selection.

    Raises:
        UsageError: options do not go together, or the store lacks what they go by.
    """
    plan = selecting.plan(ranking.top or ALL) if selecting else None
    if plan is None and ranking.by in STORED_SCORES:
        return None
    if ranking.label is not None:
        raise UsageError(
            "--label ranks by one label's variance, entropy or margin: leave it away, or --by "
            f"{ranking.by} and the options of a selection"
        )
    if plan is not None and ranking.top is None:
        raise UsageError("say how many clips to select, as in --uncertain-top 100")
    from annotator.acquisition.pool import Plan
    from annotator.acquisition.propose import propose
    from annotator.review_console import print_problems

    found = propose(
        store,
        model_id,
        ranking.by,
        plan or Plan(limit or ALL, audit=0),
        split=ranking.split,
        to_ask=plan is not None,
    )
    short = found.shortfall if plan is not None else ()
    print_problems([*found.notes, *short])
    return found


def clips(
    store: "Store",
    model_id: int,
    ranking: Ranking,
    found: "Proposal | None",
    limit: int | None,
    *,
    answered: bool = False,
) -> "Generator[RankedClip]":
    """The clips of a proposal, or those that the store ranks first; see `Store.ranked`."""
    if found is not None:
        return store.clips(model_id, ranking.by, found.scores, answered=answered)
    return store.ranked(
        model_id,
        by=ranking.by,
        limit=limit,
        label=ranking.label,
        split=ranking.split,
        answered=answered,
    )
