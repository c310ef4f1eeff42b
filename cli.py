"""The `annotate` command: parse, call one function of annotator, print. No logic."""

import os
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from annotator import __version__
from annotator.errors import AnnotateError

if TYPE_CHECKING:
    from annotator.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])


class _Group(click.Group):
    """Turns the package's errors into one line and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AnnotateError as error:
            from annotator.console import printable

            click.echo(printable(f"Error: {error}"), err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted at once. The same command goes on from here.", err=True)
            ctx.exit(130)


def _existing(create: bool) -> Callable[[click.Context, click.Parameter, Path | None], Any]:
    def resolve(_ctx: click.Context, _param: click.Parameter, named: Path | None) -> Any:
        from annotator.workspace import locate, open_workspace

        return open_workspace(locate(named, os.environ, Path.cwd()), create=create)

    return resolve


def _workspace_option(*, create: bool = False) -> Callable[[F], F]:
    return click.option(
        "--workspace",
        type=click.Path(path_type=Path),
        callback=_existing(create),
        help="Folder of database, features and models. "
        "[default: ANNOTATE_WORKSPACE, or the nearest .annotate]",
    )


def _device_name(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    if re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        return name
    raise click.BadParameter(f"{name!r} is not one of auto, cpu, mps, cuda, cuda:N")


def _passes(_ctx: click.Context, _param: click.Parameter, count: int) -> int:
    if count == 1:
        raise click.BadParameter("one pass has nothing to disagree with: expected 0, or 2 or more")
    return count


_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="annotate")
def main() -> None:
    """Annotate emotion video corpora: multi-label predictions with uncertainty.

    \b
    Examples:
      annotate run corpus/
      annotate list --uncertain-top 20
      annotate status
    """


@main.command()
@_workspace_option(create=True)
def init(workspace: "Workspace") -> None:
    """Make a workspace here, or where --workspace says.

    \b
    Example:
      annotate init
    """
    from annotator import console

    workspace.open_store().close()
    console.say(f"Workspace: {workspace.root}")


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_workspace_option(create=True)
@click.option("--model", "model_name", help="Model version. [default: the trained one]")
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
@click.option(
    "--device",
    default="auto",
    show_default=True,
    callback=_device_name,
    help="auto (a GPU where there is one), cpu, mps, cuda or cuda:N.",
)
@click.option("--workers", type=click.IntRange(1), help="Worker processes. [default: CPU cores]")
@click.option(
    "--mc-dropout",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    callback=_passes,
    help="Stochastic passes a clip for the epistemic score BALD, 2 at least; 0 is none.",
)
@_json_option
def run(
    paths: tuple[Path, ...],
    workspace: "Workspace",
    model_name: str | None,
    segment: str,
    transcripts: str,
    window: float,
    device: str,
    workers: int | None,
    mc_dropout: int,
    as_json: bool,
) -> None:
    """Annotate every clip of the given folders, files or manifests.

    Folders are searched with their subfolders. A manifest is a .csv, .jsonl or .parquet file with
    a column `path` and, if you like, start, end, transcript, speaker, split and labels. What is
    finished is never done again, so an interrupted run goes on where it stopped.

    Exit codes: 0 done, 1 some clips failed, 2 wrong use, 3 the environment's fault,
    130 interrupted.

    \b
    Examples:
      annotate run corpus/
      annotate run interview.mp4 --segment windows --window 5
      annotate run clips.csv --transcripts sidecar --json
    """
    from annotator import console, registry
    from annotator.corpus.plan import PlanSettings
    from annotator.run import RunSettings
    from annotator.run import run as run_corpus
    from annotator.types import SegmentMode, TranscriptMode

    model = registry.choose(workspace, model_name)
    console.warn_if_untrained(model)
    settings = RunSettings(
        plan=PlanSettings(SegmentMode(segment), TranscriptMode(transcripts), round(window * 1000)),
        device=device,
        workers=workers or os.cpu_count() or 1,
        mc_dropout=mc_dropout,
    )
    with console.run_display() as observer:
        summary = run_corpus(workspace, paths, model, settings, observer)
    console.print_summary(summary, model, as_json=as_json)
    raise SystemExit(summary.exit_code)


@main.command()
@_workspace_option()
@_json_option
def status(workspace: "Workspace", as_json: bool) -> None:
    """Where the workspace is, what it holds, and what failed and why.

    \b
    Example:
      annotate status --json
    """
    from annotator import console

    with workspace.open_store() as store:
        console.print_status(workspace, store.status(), as_json=as_json)


@main.command("list")
@_workspace_option()
@click.option("--model", "model_name", help="Model version. [default: as for run]")
@click.option("--uncertain-top", "top", type=click.IntRange(1), help="Only the N least certain.")
@click.option(
    "--by",
    type=click.Choice(["variance", "entropy", "margin", "bald"]),
    default="variance",
    show_default=True,
    help="The uncertainty score to order by.",
)
@click.option("--label", help="Order by the variance of this label alone.")
@click.option("--split", help="Only clips of this split.")
@click.option("--failed", is_flag=True, help="List what failed instead, with stage and reason.")
@_json_option
def list_clips(
    workspace: "Workspace",
    model_name: str | None,
    top: int | None,
    by: str,
    label: str | None,
    split: str | None,
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
        model = registry.choose(workspace, model_name)
        ranked = store.top(store.register_model(model), by=by, limit=top, label=label, split=split)
        console.print_ranked(ranked, model, by, as_json=as_json)


@main.command()
@click.argument("clip")
@_workspace_option()
@_json_option
def show(clip: str, workspace: "Workspace", as_json: bool) -> None:
    """Show one clip by its number, or all clips of one file by its path.

    \b
    Examples:
      annotate show 42
      annotate show corpus/interview.mp4 --json
    """
    from annotator import console

    with workspace.open_store() as store:
        console.print_details(store.show(clip), as_json=as_json)


@main.command()
@click.argument("what", nargs=-1)
@_workspace_option()
@_json_option
def retry(what: tuple[str, ...], workspace: "Workspace", as_json: bool) -> None:
    """Mark failed files and clips to be tried again by the next run; all, or those named.

    \b
    Examples:
      annotate retry
      annotate retry corpus/interview.mp4 42
    """
    from annotator import console

    with workspace.open_store() as store:
        console.print_retried(store.retry(what or None), as_json=as_json)


@main.group(cls=_Group)
def models() -> None:
    """Model versions: list, show, import."""


@models.command("list")
@_workspace_option()
@_json_option
def list_models(workspace: "Workspace", as_json: bool) -> None:
    """List the model versions of the workspace.

    \b
    Example:
      annotate models list
    """
    from annotator import console, registry

    console.print_models(registry.versions(workspace), as_json=as_json)


@models.command("show")
@click.argument("name")
@_workspace_option()
def show_model(name: str, workspace: "Workspace") -> None:
    """Show one model version: labels, extractors, settings, weights hash.

    \b
    Example:
      annotate models show starter
    """
    from annotator import console, registry

    console.print_json(asdict(registry.choose(workspace, name)))


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the new version.")
@click.option("--labels", help="Comma-separated label names. [default: the six of CMU-MOSEI]")
@_workspace_option(create=True)
@_json_option
def import_model(
    file: Path,
    name: str,
    labels: str | None,
    workspace: "Workspace",
    as_json: bool,
) -> None:
    """Import a checkpoint in the format of the released LDDU code (.bin, .pt or .safetensors).

    Only weights are read; a file that holds anything else is refused, never executed.

    \b
    Example:
      annotate models import pytorch_model.bin --name paper
    """
    from annotator import console, registry

    chosen = tuple(label.strip() for label in labels.split(",")) if labels else None
    console.print_models([registry.import_released(workspace, file, name, chosen)], as_json=as_json)


if __name__ == "__main__":
    main()
