"""Send clips to people, or write them to a file: export."""

import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands import choosing
from annotator.commands.completion import complete_projects
from annotator.commands.options import (
    Ranking,
    Selecting,
    json_option,
    ranking_options,
    selection_options,
    workspace_option,
)
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.labelstudio.export import Review
    from annotator.registry import ModelVersion
    from annotator.store.engine import Store
    from annotator.workspace import Workspace

LABEL_STUDIO = "label-studio"
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".json": LABEL_STUDIO}
TASKS_FILE = Path("label-studio-tasks.json")  # where no server is configured
STANDARD_OUTPUT = Path("-")
DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options ask of a review."""

    named: str
    shown: bool
    overlap: int | None
    dry_run: bool
    days: int
    out: Path | None


@click.command()
@click.option(
    "--format",
    "style",
    type=click.Choice([LABEL_STUDIO, "csv", "jsonl"]),
    help="Tasks for Label Studio; CSV (RFC 4180, UTF-8), or JSON Lines with the same columns. "
    "[default: by the suffix of --out; without --out label-studio]",
)
@click.option(
    "--out",
    type=click.Path(allow_dash=True, path_type=Path),
    help="File to write, in place of one of that name; - is standard output. With label-studio "
    "the tasks go there and not to the server.",
)
@ranking_options
@selection_options
@click.option(
    "--project",
    "named",
    help="Title or number of the Label Studio project. [default: annotate and the folder's name]",
    shell_complete=complete_projects,
)
@click.option(
    "--preannotate/--blind",
    "shown",
    default=True,
    help="Show people the model's answer, or leave them to their own.  [default: preannotate]",
)
@click.option(
    "--overlap",
    type=click.IntRange(1, 100),
    help="People asked about each clip. [default: 1 in a new project]",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=90,
    show_default=True,
    help="For how long the addresses of `annotate serve-media` hold.",
)
@workspace_option()
@json_option
def export(
    style: str | None,
    out: Path | None,
    workspace: "Workspace",
    ranking: Ranking,
    selecting: Selecting,
    named: str | None,
    shown: bool,
    overlap: int | None,
    dry_run: bool,
    days: int,
    as_json: bool,
) -> None:
    """Send clips to Label Studio, or write them to a file.

    To Label Studio: LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY say where it is and who you are. The
    project is made if there is none: emotions, their intensity, neutral, unusable, a comment. Each
    clip is cut out of its file and arrives once, however often you repeat the command. Without a
    server the tasks are written to a file that Label Studio imports.

    To CSV or JSON Lines: a row a clip that the model has annotated, least certain first: path,
    start and end in seconds, a column a label with its probability, variance, entropy, margin and
    bald; then model, hash of its weights, extractors, tool version, speaker, split and transcript.
    A file of the same name is replaced once the new one is complete. In CSV, text stays as it is
    even where it begins with =, +, - or @: import the columns as text into a spreadsheet, which
    would take it for a formula.

    --uncertain-top alone takes the highest scores. Any of --select, --audit, --balance,
    --per-speaker, --per-video, --near, --per-second and --seed makes it a selection: clips that
    people have answered are left out, and a tenth is drawn at random for an audit. The store keeps
    which, and nobody who labels is told.

    \b
    Examples:
      annotate export --uncertain-top 500
      annotate export --uncertain-top 500 --by bald --select kcenter --balance
      annotate export --uncertain-top 100 --by entropy --blind --overlap 3 --project pilot
      annotate export --out corpus.csv
      annotate export --uncertain-top 500 --format jsonl --out - | head
    """
    from annotator import console, registry, review_console

    style = style or (SUFFIXES.get(out.suffix, "csv") if out else LABEL_STUDIO)
    if out is None and style != LABEL_STUDIO:
        raise click.UsageError("name a file with --out; - is standard output")
    if style != LABEL_STUDIO and (named or overlap or dry_run or not shown):
        raise click.UsageError(
            f"--project, --blind, --overlap and --dry-run are of Label Studio, not of {style}: "
            "name a .json file, or leave --out away"
        )
    if named == "":
        raise click.UsageError("--project needs a title or a number")
    if out == STANDARD_OUTPUT and as_json:
        raise click.UsageError("--json reports where the rows go: name a file with --out")
    with workspace.open_store() as store:
        model = registry.choose(workspace, ranking.model)
        console.warn_if_untrained(model)
        if style != LABEL_STUDIO:
            file = None if out == STANDARD_OUTPUT else out
            count = _write_table(store, model, ranking, selecting, style, file)
            console.print_exported(count, file, model, as_json=as_json)
            return
        asked = _Asked(named or workspace.title, shown, overlap, dry_run, days, out)
        review = _review(store, workspace, model, ranking, selecting, asked)
    review_console.print_review(review, shown=shown, dry_run=dry_run, as_json=as_json)
    raise SystemExit(1 if review.failed else 0)


def _write_table(
    store: "Store",
    model: "ModelVersion",
    ranking: Ranking,
    selecting: Selecting,
    style: str,
    out: Path | None,
) -> int:
    from annotator.export.export import export_clips

    model_id = store.register_model(model)
    found = choosing.proposal(store, model_id, ranking, ranking.top, selecting)
    with closing(choosing.clips(store, model_id, ranking, found, ranking.top)) as clips:
        return export_clips(clips, model, style, out)


def _review(
    store: "Store",
    workspace: "Workspace",
    model: "ModelVersion",
    ranking: Ranking,
    selecting: Selecting,
    asked: _Asked,
) -> "Review":
    from annotator.labelstudio import export as reviews
    from annotator.labelstudio.hosting import NOWHERE, hosting, local_files
    from annotator.labelstudio.projects import Wanted
    from annotator.labelstudio.server import Server, account
    from annotator.outgoing import shared
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
    sent = shared(model, ranking.by, shown=asked.shown)
    count = len(chosen.clips)
    with counting("cutting clips", count) as progress:
        parcel = reviews.pack(wanted, sent, place, chosen, os.cpu_count() or 1, progress)
    if server is None:
        return reviews.write(parcel, asked.out or TASKS_FILE)
    with counting("sending clips", len(parcel.outgoing)) as progress:
        return reviews.send(store, server, parcel, model_id, workspace.root, progress)
