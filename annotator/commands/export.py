"""Send clips to people, or write them to a file: export."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands import choosing
from annotator.commands.completion import complete_projects
from annotator.commands.options import (
    Ranking,
    Selecting,
    days_option,
    json_option,
    ranking_options,
    selection_options,
    shown_option,
    workspace_option,
)
from annotator.commands.sending import Asked, review
from annotator.errors import UsageError
from annotator.export.formats import FORMATS, format_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from annotator.export.contents import Clip, Contents
    from annotator.export.exported import Exported
    from annotator.registry import ModelVersion
    from annotator.store.engine import Store
    from annotator.workspace import Workspace

LABEL_STUDIO = "label-studio"
STANDARD_OUTPUT = Path("-")
STEP = 1000  # clips between two signs of progress

NOBODY = "nobody has answered yet: `annotate pull` or `annotate import labels` brings answers"


@click.command()
@click.option(
    "--format",
    "style",
    type=click.Choice(list(FORMATS)),
    metavar="FORMAT",
    help="; ".join(f"{name}: {one.about}" for name, one in FORMATS.items())
    + ". [default: by the suffix of --out, else csv; without --out label-studio]",
)
@click.option(
    "--out",
    type=click.Path(allow_dash=True, path_type=Path),
    help="File to write, in place of one of that name; - is standard output. A folder for "
    "hugging-face, and for a file a medium of elan, textgrid and webvtt. With label-studio the "
    "tasks go there and not to the server.",
)
@click.option(
    "--labels",
    "whose",
    type=click.Choice(["model", "human", "both"]),
    help="Whose labels: the model's, people's (of clips that they answered), or both side by side. "
    "[default: both once people have answered]",
)
@click.option(
    "--soft/--hard",
    "soft",
    default=True,
    help="Probabilities and shares of voters, or 1 and 0 by the model's thresholds and by the "
    "majority.  [default: soft]",
)
@ranking_options
@selection_options
@click.option(
    "--project",
    "named",
    help="Title or number of the Label Studio project. [default: annotate and the folder's name]",
    shell_complete=complete_projects,
)
@shown_option
@click.option(
    "--overlap",
    type=click.IntRange(1, 100),
    help="People asked about each clip. [default: 1 in a new project]",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@days_option
@workspace_option()
@json_option
def export(
    style: str | None,
    out: Path | None,
    whose: str | None,
    soft: bool,
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

    To a table (csv, jsonl, parquet): a row a clip that the model has annotated, least certain
    first: path, start and end in seconds, a column a label with its probability, variance, entropy,
    margin and bald; a column human:LABEL with the share of voters, and how many they were; then
    where all of it comes from. In CSV, text stays as it is even where it begins with =, +, - or @:
    import the columns as text into a spreadsheet, which would take it for a formula.

    On time lines (elan, textgrid, webvtt): every clip of a medium in one file. To train on
    (hugging-face, arrays): clips with labels and the features of the model's extractors, by split.
    docs/exports.md tells of each. A file of the same name is replaced once the new one is complete.

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
      annotate export --labels human --hard --out answers.parquet
      annotate export --format elan --out elan/
      annotate export --format hugging-face --split train --out data/
      annotate export --uncertain-top 500 --format jsonl --out - | head
    """
    from annotator import console, registry, review_console

    style = style or (format_of(out) or "csv" if out else LABEL_STUDIO)
    if style == LABEL_STUDIO and (whose or not soft):
        raise click.UsageError("--labels and --hard are of files, not of label-studio")
    if style != LABEL_STUDIO:
        _check_file(style, out, of_review=bool(named or overlap or dry_run or not shown))
    if named == "":
        raise click.UsageError("--project needs a title or a number")
    if out == STANDARD_OUTPUT and as_json:
        raise click.UsageError("--json reports where the rows go: name a file with --out")
    with workspace.open_store() as store:
        model = registry.choose(workspace, ranking.model)
        if whose != "human":
            console.warn_if_untrained(model)
        if style != LABEL_STUDIO:
            contents = _contents(store, model, style, whose, hard=not soft)
            file = None if out == STANDARD_OUTPUT else out
            exported = _write(store, workspace, model, ranking, selecting, contents, style, file)
            console.print_exported(exported, model, as_json=as_json)
            return
        asked = Asked(named or workspace.title, shown, overlap, dry_run, days, out)
        sent = review(store, workspace, model, ranking, selecting, asked)
    review_console.print_review(sent, shown=shown, dry_run=dry_run, as_json=as_json)
    raise SystemExit(1 if sent.failed else 0)


def _check_file(style: str, out: Path | None, *, of_review: bool) -> None:
    if out is None:
        raise click.UsageError("name a file with --out; - is standard output")
    if of_review:
        raise click.UsageError(
            f"--project, --blind, --overlap and --dry-run are of Label Studio, not of {style}: "
            "name a .json file, or leave --out away"
        )
    if out == STANDARD_OUTPUT and style not in {"csv", "jsonl"}:
        raise click.UsageError(f"{style} cannot be printed: name a file or folder with --out")


def _contents(
    store: "Store", model: "ModelVersion", style: str, whose: str | None, *, hard: bool
) -> "Contents":
    """Whose labels are told, and how.

    Raises:
        UsageError: people's are asked for, and nobody has answered.
    """
    from annotator.export.contents import Contents

    answered = store.has_answers()
    if whose == "human" and not answered:
        raise UsageError(NOBODY)
    people = whose in {"human", "both"} or (whose is None and answered)
    decides = (hard or style == "webvtt") and whose != "human"
    return Contents(
        model=None if whose == "human" else model,
        projects={p.project_id: p.labels for p in store.projects()} if people else None,
        hard=hard,
        thresholds=model.thresholds if decides else {},
    )


def _write(
    store: "Store",
    workspace: "Workspace",
    model: "ModelVersion",
    ranking: Ranking,
    selecting: Selecting,
    contents: "Contents",
    style: str,
    out: Path | None,
) -> "Exported":
    from annotator.datasets.export import export_corpus
    from annotator.export.documents import export_documents
    from annotator.export.export import export_clips
    from annotator.review_console import counting

    kind = FORMATS[style].kind
    by_media = kind != "table" or contents.model is None
    with (
        closing(_clips(store, model, ranking, selecting, contents, by_media=by_media)) as found,
        counting("writing clips", None) as progress,
    ):
        clips = _counted(found, progress)
        if kind == "table" or out is None:
            return export_clips(clips, contents, style, out)
        if kind == "timed":
            return export_documents(clips, contents, style, out)
        return export_corpus(clips, contents, model.extractors, workspace.cache(), style, out)


def _clips(
    store: "Store",
    model: "ModelVersion",
    ranking: Ranking,
    selecting: Selecting,
    contents: "Contents",
    *,
    by_media: bool,
) -> "Generator[Clip]":
    """The clips that are asked for, least certain first or file by file.

    Those of files are, if the number is limited, the least certain; people's, those with answers,
    and so many of these.

    Raises:
        UsageError: people's labels alone are asked for, of clips they have not answered.
    """
    people, only_people = contents.projects is not None, contents.model is None
    if only_people and selecting.asked:
        raise UsageError(
            "a selection leaves out what people have answered: leave --labels human away, "
            "or the options of the selection"
        )
    model_id = store.register_model(model)
    chosen: set[int] | None = None
    if not by_media or ranking.top is not None or selecting.asked:
        limit = None if only_people else ranking.top
        found = choosing.proposal(store, model_id, ranking, limit, selecting)
        with closing(
            choosing.clips(store, model_id, ranking, found, limit, answered=people)
        ) as clips:
            if not by_media:
                yield from clips
                return
            told = (clip.clip_id for clip in clips if clip.answers or not only_people)
            chosen = set(islice(told, ranking.top))
    with closing(store.timeline(model_id if contents.model else None, ranking.split)) as timeline:
        for clip in timeline:
            if (clip.scores is not None or people) and (chosen is None or clip.clip_id in chosen):
                yield clip


def _counted(clips: Iterable["Clip"], progress: Callable[[int], None]) -> Iterator["Clip"]:
    for count, clip in enumerate(clips, 1):
        yield clip
        if count % STEP == 0:
            progress(STEP)
