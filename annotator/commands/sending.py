"""Send clips to Label Studio: what `annotate export` does without another format."""

import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.commands.options import Ranking, ranked
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.labelstudio.export import Review
    from annotator.registry import ModelVersion
    from annotator.store.engine import Store
    from annotator.workspace import Workspace

TASKS_FILE = Path("label-studio-tasks.json")  # where no server is configured
DAY_S = 24 * 3600
MAX_TITLE = 50  # characters of a project's title


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options ask of a review."""

    named: str
    shown: bool
    overlap: int | None
    dry_run: bool
    days: int
    out: Path | None


def title_of(workspace: "Workspace") -> str:
    """The project of a workspace, called after the folder that holds it."""
    return f"annotate {workspace.root.resolve().parent.name}"[:MAX_TITLE]


def review(
    store: "Store", workspace: "Workspace", model: "ModelVersion", ranking: Ranking, asked: Asked
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
    from annotator.learning.card import open_model, thresholds_of
    from annotator.review_console import counting

    if ranking.top is None:
        raise UsageError("say how many clips to send, as in --uncertain-top 100")
    found = None if asked.out else account(os.environ)
    wanted = Wanted(asked.named, model.labels, asked.overlap, asked.shown)
    with closing(ranked(store, model, ranking)) as clips:
        chosen = reviews.choose(clips, ranking.top)
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
    thresholds = dict(
        zip(model.labels, thresholds_of(open_model(model.path), model.labels), strict=True)
    )
    sent = Sent(interface(model.labels), model, thresholds, ranking.by, asked.shown)
    count = len(chosen.clips)
    with counting("cutting clips", count) as progress:
        parcel = reviews.pack(wanted, sent, place, chosen, os.cpu_count() or 1, progress)
    if server is None:
        return reviews.write(parcel, asked.out or TASKS_FILE)
    with counting("sending clips", len(parcel.outgoing)) as progress:
        model_id = store.register_model(model)
        return reviews.send(store, server, parcel, model_id, workspace.root, progress)
