"""Annotate a corpus and look at what was found: init, run, status, list, show, retry."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands import choosing
from annotator.commands.completion import complete_models
from annotator.commands.options import (
    CORPUS_PATH,
    Ranking,
    device_option,
    json_option,
    mc_dropout_option,
    ranking_options,
    workspace_option,
)
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.report.timeline import Timeline
    from annotator.run import EngineName
    from annotator.store.records import ClipDetail, Failure
    from annotator.workspace import Workspace

LEASE_S = 120.0  # of claims; renewed four times as often


@click.command()
@click.option(
    "--database",
    help="URL of a PostgreSQL database to use in place of a file in the workspace.",
)
@workspace_option(create=True, here=True)
def init(workspace: "Workspace", database: str | None) -> None:
    """Make a workspace here, or where --workspace says.

    The password of a database may be in its URL, which is kept in a file that only you can read, or
    where PostgreSQL's own tools look for it: PGPASSWORD, or ~/.pgpass.

    \b
    Examples:
      annotate init
      annotate init --database postgresql://me@db.example.org/emotions
    """
    from annotator import console

    if database is not None:
        workspace.keep_elsewhere(database)
        if workspace.database.is_file():
            console.say(
                f"{workspace.database} is no longer used: `annotate db copy` takes its content over"
            )
    workspace.open_store().close()
    console.say(f"Workspace: {workspace.root}")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=CORPUS_PATH)
@workspace_option(create=True)
@click.option(
    "--model",
    "model_name",
    help="Model version. [default: the trained one]",
    shell_complete=complete_models,
)
@click.option(
    "--segment",
    type=click.Choice(["auto", "manifest", "sidecar", "vad", "windows", "file"]),
    default="auto",
    show_default=True,
    help="Where clip bounds come from; auto takes manifest, sidecar, voice activity, windows.",
)
@click.option(
    "--transcripts",
    type=click.Choice(["auto", "sidecar", "asr", "none"]),
    default="auto",
    show_default=True,
    help="Where transcripts come from; auto takes sidecar, embedded track, speech recognition.",
)
@click.option(
    "--window",
    type=click.FloatRange(1, 600),
    default=10.0,
    show_default=True,
    help="Seconds a clip where no bounds are known.",
)
@device_option
@click.option("--workers", type=click.IntRange(1), help="Worker processes. [default: CPU cores]")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where the work is done: here, or on a Ray cluster.",
)
@click.option(
    "--address",
    help="Of the Ray cluster: auto or HOST:PORT. [default: Ray is started on this machine]",
)
@mc_dropout_option
@click.option(
    "--claim",
    is_flag=True,
    help="Share the work with other runs of the same corpus on the same database.",
)
@click.option(
    "--lease",
    type=click.FloatRange(1, 86_400),
    help="With --claim: seconds until others take over the files of a run that was killed. "
    f"[default: {LEASE_S:g}]",
)
@json_option
def run(
    paths: tuple[Path, ...],
    workspace: "Workspace",
    model_name: str | None,
    segment: str,
    transcripts: str,
    window: float,
    device: str,
    workers: int | None,
    engine: "EngineName",
    address: str | None,
    mc_dropout: int,
    claim: bool,
    lease: float | None,
    as_json: bool,
) -> None:
    """Annotate every clip of folders, files or manifests.

    Folders are searched with their subfolders. A manifest is a .csv, .jsonl or .parquet file with
    a column `path` and, if you like, start, end, transcript, speaker, split and labels. What one
    has said of a file counts until another names the file, also in a run over the folder. What is
    finished is never done again, so an interrupted run goes on where it stopped.

    A corpus may lie elsewhere: s3://, gs:// and others by fsspec. Each file is copied to the folder
    for temporary files (TMPDIR) while it is worked on. A manifest may name URLs that lie in a
    corpus given beside it.

    Exit codes: 0 done, 1 some clips failed, 2 wrong use, 3 the environment's fault,
    130 interrupted.

    \b
    Examples:
      annotate run corpus/
      annotate run interview.mp4 --segment windows --window 5
      annotate run clips.csv --transcripts sidecar --json
      annotate run s3://bucket/corpus
      annotate run clips.csv s3://bucket/corpus
      annotate run /shared/corpus --claim
      annotate run /shared/corpus --engine ray --address auto
    """
    from annotator import console, registry, run_console
    from annotator.corpus.plan import PlanSettings
    from annotator.repredict import repredict
    from annotator.review_console import counting
    from annotator.run import RunSettings
    from annotator.run import run as run_corpus
    from annotator.types import SegmentMode, TranscriptMode

    if lease is not None and not claim:
        raise click.UsageError("--lease is how long claims hold: add --claim")
    if address is not None and engine != "ray":
        raise click.UsageError("--address is that of a Ray cluster: add --engine ray")
    model = registry.choose(workspace, model_name)
    console.warn_if_untrained(model)
    settings = RunSettings(
        plan=PlanSettings(SegmentMode(segment), TranscriptMode(transcripts), round(window * 1000)),
        device=device,
        workers=workers,
        mc_dropout=mc_dropout,
        lease_s=(lease or LEASE_S) if claim else None,
        engine=engine,
        address=address,
    )
    with run_console.run_display() as observer:
        summary = run_corpus(workspace, paths, model, settings, observer)
    again = 0
    if mc_dropout and summary.state == "done":
        with counting("asking again, for BALD", None) as progress:
            again = repredict(
                workspace,
                model,
                device=device,
                mc_dropout=mc_dropout,
                run_id=summary.run_id,
                progress=progress,
            ).clips
    run_console.print_summary(summary, model, again, as_json=as_json)
    raise SystemExit(summary.exit_code)


@click.command()
@workspace_option()
@json_option
def status(workspace: "Workspace", as_json: bool) -> None:
    """Show what the workspace holds, and what failed and why.

    \b
    Example:
      annotate status --json
    """
    from annotator import console

    with workspace.open_store() as store:
        console.print_status(workspace, store.status(), as_json=as_json)


@click.command("list")
@workspace_option()
@ranking_options
@click.option("--failed", is_flag=True, help="List what failed instead, with stage and reason.")
@json_option
def list_clips(
    workspace: "Workspace",
    ranking: Ranking,
    failed: bool,
    as_json: bool,
) -> None:
    """List clips, least certain first, with their probabilities.

    \b
    Examples:
      annotate list --uncertain-top 20
      annotate list --by entropy --split train --json
      annotate list --failed
    """
    from annotator import console, registry

    with workspace.open_store() as store:
        if failed:
            console.print_failures(store.failures(), as_json=as_json)
            return
        model = registry.choose(workspace, ranking.model)
        model_id = store.register_model(model)
        found = choosing.proposal(store, model_id, ranking, ranking.top)
        with closing(choosing.clips(store, model_id, ranking, found, ranking.top)) as clips:
            console.print_ranked(list(clips), model, ranking.by, as_json=as_json)


def _picture(_ctx: click.Context, _param: click.Parameter, out: Path | None) -> Path | None:
    if out is not None and out.suffix.lower() not in {".png", ".html"}:
        raise click.BadParameter(f"{out.name!r} is neither a .png nor an .html")
    return out


@click.command()
@click.argument("clip")
@click.option(
    "--plot", is_flag=True, help="Show the file's emotions over time, with their uncertainty."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=_picture,
    help="With --plot: draw that, under the wave form, as .png or .html.",
)
@click.option(
    "--model",
    "named",
    help="With --plot: whose answers. [default: who annotated most of it]",
    shell_complete=complete_models,
)
@workspace_option()
@json_option
def show(
    clip: str,
    plot: bool,
    out: Path | None,
    named: str | None,
    workspace: "Workspace",
    as_json: bool,
) -> None:
    """Show one clip by its number, or a file's clips by its path.

    \b
    Examples:
      annotate show 42
      annotate show corpus/interview.mp4 --json
      annotate show corpus/interview.mp4 --plot
      annotate show corpus/interview.mp4 --plot --out interview.html
    """
    from annotator import console

    if not plot and (out or named):
        raise click.UsageError("--out and --model are of the plot: add --plot")
    with workspace.open_store() as store:
        clips = store.show(clip)
        if not clips:
            raise _without_clips(clip, store.failures())
    if not plot:
        console.print_details(clips, as_json=as_json)
        return
    if clip.isdecimal():
        raise click.UsageError(f"--plot shows a whole file: name it, as in {clips[0].path}")
    _plot(clips, named, out, as_json)


def _without_clips(file: str, failures: "list[Failure]") -> UsageError:
    """Why there is nothing to show of a file."""
    from annotator.corpus.scan import absolute

    found = next(
        (f for f in failures if f.clip_id is None and f.path == absolute(Path(file))), None
    )
    if found is None:
        return UsageError(f"{file} has no clips: `annotate run` it first")
    return UsageError(
        f"{file} has no clips, as it failed in {found.stage}: {found.reason}; `annotate retry` has "
        "it tried again by the next run"
    )


def _plot(clips: "list[ClipDetail]", named: str | None, out: Path | None, as_json: bool) -> None:
    from annotator import timeline_console
    from annotator.export.destination import binary_destination
    from annotator.report.timeline import timeline
    from annotator.review_console import counting

    with counting("reading the sound", None):
        found = timeline(clips, named, with_sound=not as_json or out is not None)
    if out is not None:
        with binary_destination(out) as file:
            file.write(_drawn(found, out))
    timeline_console.print_timeline(found, out, as_json=as_json)


def _drawn(found: "Timeline", out: Path) -> bytes:
    from annotator.report.timeline_page import page
    from annotator.report.timeline_picture import png

    if out.suffix.lower() == ".png":
        return png(found)
    return page(found).encode("utf-8", "backslashreplace")


@click.command()
@click.argument("what", nargs=-1)
@workspace_option()
@json_option
def retry(what: tuple[str, ...], workspace: "Workspace", as_json: bool) -> None:
    """Mark what failed to be tried again by the next run.

    That is all of it, or the files (by path) and clips (by number) that are named.

    \b
    Examples:
      annotate retry
      annotate retry corpus/interview.mp4 42
    """
    from annotator import console

    with workspace.open_store() as store:
        console.print_retried(store.retry(what or None), as_json=as_json)
