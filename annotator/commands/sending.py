"""Send clips to Label Studio: what `annotate export` does without another format."""

import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.commands import choosing
from annotator.commands.options import Ranking, Selecting
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.labelstudio.export import Review
    from annotator.registry import ModelVersion
    from annotator.store.engine import Store
    from annotator.workspace import Workspace

TASKS_FILE = Path("label-studio-tasks.json")  # where no server is configured
DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options ask of a review."""

    named: str
    shown: bool
    overlap: int | None
    dry_run: bool
    days: int
    out: Path | None


def review(
    store: "Store",
    workspace: "Workspace",
    model: "ModelVersion",
    ranking: Ranking,
    selecting: Selecting,
    asked: Asked,
) -> "Review":
    """Cut the chosen clips for a browser, and send them or write the tasks to a file.

    Raises:
        UsageError: no clips, or no place from which a browser gets them.
        ServerFault: the server does not answer.
    """
    from annotator.labelstudio import export as reviews
    from annotator.labelstudio.hosting import NOWHERE, hosting, local_files
    from annotator.labelstudio.interface import interface
    from annotator.labelstudio.payload import Sent
    from annotator.labelstudio.projects import Wanted
    from annotator.labelstudio.server import Server, account
    from annotator.review_console import counting

    if ranking.top is None:
        raise UsageError("say how many clips to send, as in --uncertain-top 100")
    found = None if asked.out else account(os.environ)
    wanted = Wanted(asked.named, model.labels, asked.overlap, asked.shown)
    model_id = store.register_model(model)
    proposal = choosing.proposal(store, model_id, ranking, None, selecting)
    audit = proposal.audit if proposal else frozenset()
    with closing(choosing.clips(store, model_id, ranking, proposal, None)) as clips:
        chosen = reviews.choose(clips, ranking.top, audit)
    if not chosen.clips:
        raise UsageError(
            f"model {model.name!r} has annotated no such clips: `annotate run CORPUS` first"
        )
    if asked.dry_run:
        return reviews.look(store, Server(found) if found else None, wanted, chosen)
    expires_at = int(time.time()) + asked.days * DAY_S
    place = hosting(os.environ, workspace.excerpts, expires_at)
    if place is None and found:
        raise UsageError(NOWHERE)
    place = place or local_files(workspace.root, workspace.excerpts.name)
    server = Server(found) if found else None
    sent = Sent(interface(model.labels), model, model.thresholds, ranking.by, asked.shown)
    count = len(chosen.clips)
    with counting("cutting clips", count) as progress:
        parcel = reviews.pack(wanted, sent, place, chosen, os.cpu_count() or 1, progress)
    if server is None:
        return reviews.write(parcel, asked.out or TASKS_FILE)
    with counting("sending clips", len(parcel.outgoing)) as progress:
        return reviews.send(store, server, parcel, model_id, workspace.root, progress)
