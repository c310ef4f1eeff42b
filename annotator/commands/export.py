"""Send clips to people, or write them to a file: export."""

import os
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands.options import Ranking, json_option, ranking_options, workspace_option
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.labelstudio.export import Review
    from annotator.registry import ModelVersion
    from annotator.store.engine import Store
    from annotator.store.records import RankedClip
    from annotator.workspace import Workspace

LABEL_STUDIO = "label-studio"
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".json": LABEL_STUDIO}
TASKS_FILE = Path("label-studio-tasks.json")  # where no server is configured
STANDARD_OUTPUT = Path("-")
DAY_S = 24 * 3600
MAX_TITLE = 50  # characters of a project's title


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
@click.option(
    "--project",
    "named",
    help="Title or number of the Label Studio project. [default: annotate and the folder's name]",
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
    named: str | None,
    shown: bool,
    overlap: int | None,
    dry_run: bool,
    days: int,
    as_json: bool,
) -> None:
    """Send the least certain clips to Label Studio, or write clips to a file.

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

    \b
    Examples:
      annotate export --uncertain-top 500
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
            count = _write_table(store, model, ranking, style, file)
            console.print_exported(count, file, model, as_json=as_json)
            return
        asked = _Asked(named or _title(workspace), shown, overlap, dry_run, days, out)
        review = _review(store, workspace, model, ranking, asked)
    review_console.print_review(review, shown=shown, dry_run=dry_run, as_json=as_json)
    raise SystemExit(1 if review.failed else 0)


def _title(workspace: "Workspace") -> str:
    """The project of a workspace, called after the folder that holds it."""
    return f"annotate {workspace.root.resolve().parent.name}"[:MAX_TITLE]


def _write_table(
    store: "Store", model: "ModelVersion", ranking: Ranking, style: str, out: Path | None
) -> int:
    from annotator.export.export import export_clips

    with closing(_ranked(store, model, ranking, ranking.top)) as clips:
        return export_clips(clips, model, style, out)


def _ranked(
    store: "Store", model: "ModelVersion", ranking: Ranking, limit: int | None
) -> "Generator[RankedClip]":
    return store.ranked(
        store.register_model(model),
        by=ranking.by,
        limit=limit,
        label=ranking.label,
        split=ranking.split,
    )


def _review(
    store: "Store", workspace: "Workspace", model: "ModelVersion", ranking: Ranking, asked: _Asked
) -> "Review":
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
    with closing(_ranked(store, model, ranking, None)) as clips:
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
