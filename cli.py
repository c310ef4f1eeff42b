"""The `annotate` command: parse, call one function of annotator, print. No logic."""

import os
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from annotator import __version__
from annotator.errors import AnnotateError, EnvironmentFault

if TYPE_CHECKING:
    import torch

    from annotator.learning.dataset import Dataset
    from annotator.learning.settings import Settings
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


def _nearest(named: Path | None) -> Path | None:
    """The workspace named or found; None where there is none, for most corpora need none."""
    from annotator.workspace import locate

    found = locate(named, os.environ, Path.cwd())
    return found if named or found.is_dir() else None


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",")) if text else None


def _passes(_ctx: click.Context, _param: click.Parameter, count: int) -> int:
    if count == 1:
        raise click.BadParameter("one pass has nothing to disagree with: expected 0, or 2 or more")
    return count


_device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    callback=_device_name,
    help="auto (a GPU where there is one), cpu, mps, cuda or cuda:N.",
)
_labels_option = click.option(
    "--labels",
    callback=lambda _ctx, _param, names: _names(names),
    help="Comma-separated labels to keep, in this order. [default: those of the data]",
)
_features_option = click.option(
    "--workspace",
    "cache",
    type=click.Path(path_type=Path),
    callback=lambda _ctx, _param, named: _nearest(named),
    help="Where cached features are. [default: ANNOTATE_WORKSPACE, or the nearest .annotate]",
)
_out_option = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of this work alone: its state, curves and, at the end, the model.",
)
_format_option = click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "latex"]),
    default="table",
    show_default=True,
    help="For people, machines or papers.",
)
_resamples_option = click.option(
    "--resamples",
    type=click.IntRange(0, 100_000),
    default=1000,
    show_default=True,
    help="Of the bootstrap over videos or speakers; 0 gives no intervals.",
)
_SPLITS = click.Choice(["train", "valid", "test"])


def _settings_options(command: F) -> F:
    """--config and --set."""
    one = click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="TABLE.NAME=VALUE",
        help="One setting, over those of --config; may be given several times.",
    )
    file = click.option(
        "--config", type=click.Path(path_type=Path), help="A TOML file of settings."
    )
    return file(one(command))


def _ranking_options(command: F) -> F:
    """Which clips, and in what order."""
    options = (
        click.option("--model", "model_name", help="Model version. [default: as for run]"),
        click.option(
            "--uncertain-top", "top", type=click.IntRange(1), help="Only the N least certain."
        ),
        click.option(
            "--by",
            type=click.Choice(["variance", "entropy", "margin", "bald"]),
            default="variance",
            show_default=True,
            help="The uncertainty score to order by.",
        ),
        click.option("--label", help="Order by the variance of this label alone."),
        click.option("--split", help="Only clips of this split."),
    )
    for option in reversed(options):
        command = option(command)
    return command


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
@_device_option
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
@_ranking_options
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


def _file_or_output(_ctx: click.Context, _param: click.Parameter, name: str) -> Path | None:
    return None if name == "-" else Path(name)


@main.command()
@click.option(
    "--format",
    "style",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="CSV (RFC 4180, UTF-8), or JSON Lines with the same columns.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(allow_dash=True),
    callback=_file_or_output,
    help="File to write, in place of one of that name; - is standard output.",
)
@_ranking_options
@_workspace_option()
@_json_option
def export(
    style: str,
    out: Path | None,
    workspace: "Workspace",
    model_name: str | None,
    top: int | None,
    by: str,
    label: str | None,
    split: str | None,
    as_json: bool,
) -> None:
    """Write clips, least certain first, with probabilities, uncertainties and provenance.

    A row a clip that the model has annotated: path, start and end in seconds, a column a label
    with its probability, variance, entropy, margin and bald; then model, hash of its weights,
    extractors, tool version, speaker, split and transcript. A file of the same name is replaced
    once the new one is complete. In CSV, text stays as it is even where it begins with =, +, -
    or @: import the columns as text into a spreadsheet, which would take it for a formula.

    \b
    Examples:
      annotate export --out corpus.csv
      annotate export --uncertain-top 500 --format jsonl --out - | head
    """
    from contextlib import closing

    from annotator import console, registry
    from annotator.export.export import export_clips

    if out is None and as_json:
        raise click.UsageError("--json reports where the rows go: name a file with --out")
    with workspace.open_store() as store:
        model = registry.choose(workspace, model_name)
        console.warn_if_untrained(model)
        model_id = store.register_model(model)
        ranked = store.ranked(model_id, by=by, limit=top, label=label, split=split)
        with closing(ranked) as clips:
            count = export_clips(clips, model, style, out)
    console.print_exported(count, out, model, as_json=as_json)


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


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@_out_option
@_settings_options
@_labels_option
@_features_option
@_device_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for every epoch.")
def train(
    data: Path,
    out: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Train LDDU on a labelled corpus.

    DATA is an MMSA or CARAT pickle, a CSV of CMU-MOSEI labels, a manifest with features that
    `annotate run` has cached, or a Hugging Face datasets folder. The validation split alone
    decides when to stop and where the thresholds lie. The same command goes on where a training
    was cut off. For several processes start it with torchrun.

    \b
    Examples:
      annotate train mosei_unaligned.pkl --out trainings/mosei
      annotate train clips.csv --out trainings/ours --config ours.toml --set train.epochs=10
    """
    from annotator import training_console
    from annotator.learning.card import open_model
    from annotator.learning.distributed import join
    from annotator.learning.training import train as train_model

    dataset, settings, chosen = _to_train(data, config, assignments, labels, cache, device)
    ranks = join(chosen)
    with training_console.training_display(as_json=as_json, silent=not ranks.first) as watcher:
        folder = train_model(dataset, settings, out, device=chosen, watcher=watcher, ranks=ranks)
    if ranks.first:
        validation = open_model(folder).metadata["validation"]
        training_console.print_trained(folder, validation, as_json=as_json)


@main.command("eval")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--split", type=_SPLITS, default="test", show_default=True, help="Of the clips.")
@_format_option
@_resamples_option
@_labels_option
@_features_option
@_device_option
def evaluate(
    data: Path,
    models: tuple[Path, ...],
    split: str,
    style: str,
    resamples: int,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Measure trained models: decisions, calibration, selection, and what σ is worth.

    MODELS are folders that `annotate train` wrote. Thresholds are those that the training chose
    on its validation split. With several models, such as seeds, mean and deviation are added.

    \b
    Examples:
      annotate eval mosei_unaligned.pkl trainings/mosei
      annotate eval mosei_unaligned.pkl trainings/seed-* --format latex
    """
    from annotator import training_console
    from annotator.datasets import open_dataset
    from annotator.learning.card import open_model
    from annotator.learning.evaluation import evaluate_model
    from annotator.predict import choose_device

    opened = {str(folder): open_model(folder) for folder in models}
    chosen = choose_device(device)
    dataset = open_dataset(data, labels=labels, cache=cache)
    evaluations = {
        name: evaluate_model(model, dataset, split, device=chosen, resamples=resamples)
        for name, model in opened.items()
    }
    training_console.print_evaluations(evaluations, style)


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@_out_option
@_settings_options
@click.option("--seeds", default="0,1,2", show_default=True, help="Comma-separated seeds.")
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    default="valid",
    show_default=True,
    help="The split to measure on; thresholds always come from valid.",
)
@_format_option
@_labels_option
@_features_option
@_device_option
def ablate(
    data: Path,
    out: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    seeds: str,
    split: str,
    style: str,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Train LDDU without each of its parts, and show what each is worth.

    Every row is trained with every seed; finished trainings are not done again.

    \b
    Example:
      annotate ablate mosei.pkl --out ablation --seeds 0,1,2,3,4 --format latex
    """
    from annotator import training_console
    from annotator.experiments.ablation import ablate as run_ablation

    numbers = _whole_numbers(seeds)
    dataset, settings, chosen = _to_train(data, config, assignments, labels, cache, device)
    with training_console.training_display(as_json=False) as watcher:
        found = run_ablation(
            dataset, settings, out, seeds=numbers, device=chosen, watcher=watcher, split=split
        )
    tables = (found.table(), found.differences())
    training_console.print_tables(tables, found.to_json(), style)


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@_out_option
@_settings_options
@click.option("--trials", type=click.IntRange(1), help="Points of the grid to try. [default: 27]")
@_format_option
@_labels_option
@_features_option
@_device_option
def sweep(
    data: Path,
    out: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    trials: int | None,
    style: str,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Search the paper's grid of λ, β and γ, by the validation split only.

    The same command goes on where it was cut off; more --trials add to those done.

    \b
    Example:
      annotate sweep mosei.pkl --out sweep --trials 9
    """
    from annotator import training_console

    try:
        from annotator.experiments.sweep import sweep as run_sweep
    except ImportError as error:
        raise EnvironmentFault(
            f"{error.name} is missing: pip install 'annotate-emotions[experiments]'"
        ) from error
    dataset, settings, chosen = _to_train(data, config, assignments, labels, cache, device)
    with training_console.training_display(as_json=False) as watcher:
        found = run_sweep(dataset, settings, out, device=chosen, watcher=watcher, trials=trials)
    training_console.print_tables((found.table(),), found.to_json(), style)


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--split", type=_SPLITS, help="Only this split. [default: all]")
@click.option(
    "--map",
    "named",
    multiple=True,
    metavar="CORPUS=MODEL",
    help="A label of the corpus that means one of the model's; may be given several times.",
)
@_resamples_option
@_format_option
@_features_option
@_device_option
def crosseval(
    data: Path,
    model: Path,
    split: str | None,
    named: tuple[str, ...],
    resamples: int,
    style: str,
    cache: Path | None,
    device: str,
) -> None:
    """Measure a model on a corpus it was not trained on, on the labels both have.

    Names such as joy and happy are known to mean the same; --map tells of others.

    \b
    Example:
      annotate crosseval meld.csv trainings/mosei --map content=happy
    """
    from annotator import training_console
    from annotator.datasets import open_dataset
    from annotator.experiments.crosseval import crosseval as run_crosseval
    from annotator.predict import choose_device

    meant = _pairs(named)
    found = run_crosseval(
        model,
        open_dataset(data, cache=cache),
        device=choose_device(device),
        split=split,
        named=meant,
        resamples=resamples,
    )
    training_console.print_crosseval(found, style)


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@_settings_options
@click.option("--split", type=_SPLITS, default="valid", show_default=True, help="Of the clips.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Where to draw the latent distributions, as .png and .svg.",
)
@_json_option
@_labels_option
@_features_option
@_device_option
def diagnose(
    data: Path,
    model: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    split: str,
    picture: Path | None,
    as_json: bool,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Look for LDDU's failure signatures: each with a number, a threshold and the remedy.

    Of an unfinished training name the folder, and its settings as for `annotate train`.

    \b
    Example:
      annotate diagnose mosei.pkl trainings/mosei --picture latents
    """
    from annotator import training_console
    from annotator.experiments.diagnosis import diagnose as run_diagnosis
    from annotator.experiments.diagnosis_training import best_so_far, open_training
    from annotator.learning.card import open_model

    dataset, settings, chosen = _to_train(data, config, assignments, labels, cache, device)
    training = open_training(model, dataset, settings, chosen)
    opened = best_so_far(training, dataset) if training else open_model(model)
    found = run_diagnosis(opened, dataset, split, device=chosen, picture=picture)
    training_console.print_diagnosis(found, as_json=as_json)


@main.command("corrupt-test")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--split", type=_SPLITS, default="valid", show_default=True, help="Of the clips.")
@click.option(
    "--picture", type=click.Path(path_type=Path), help="Where to draw curves, as .png and .svg."
)
@_resamples_option
@_json_option
@_labels_option
@_features_option
@_device_option
def corrupt_test(
    data: Path,
    model: Path,
    split: str,
    picture: Path | None,
    resamples: int,
    as_json: bool,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Spoil the features at rising strength: uncertainty must rise, quality fall gracefully.

    Where the corpus has the words that its text features were made from, words are deleted and
    substituted, too, and their features made anew. Sound and pictures are never spoilt themselves.

    \b
    Example:
      annotate corrupt-test mosei.pkl trainings/mosei --picture curves
    """
    from annotator import training_console
    from annotator.datasets import open_dataset
    from annotator.experiments.corruption_curves import corrupt_test as run_corrupt_test
    from annotator.experiments.corruption_picture import draw_curves
    from annotator.learning.card import open_model
    from annotator.predict import choose_device

    opened, chosen = open_model(model), choose_device(device)
    dataset = open_dataset(data, labels=labels, cache=cache)
    found = run_corrupt_test(opened, dataset, split, device=chosen, resamples=resamples)
    if picture:
        draw_curves(found, picture)
    training_console.print_corruption(found, as_json=as_json)


def _to_train(
    data: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> "tuple[Dataset, Settings, torch.device]":
    """What every training starts from; settings are read first, for they are quick to refuse."""
    from annotator.datasets import open_dataset
    from annotator.learning.settings import Settings, override, read_settings
    from annotator.predict import choose_device

    settings = override(read_settings(config) if config else Settings(), assignments)
    chosen = choose_device(device)
    return open_dataset(data, labels=labels, cache=cache), settings, chosen


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of whole numbers, as in 0,1,2") from None


def _pairs(assignments: tuple[str, ...]) -> dict[str, str]:
    pairs = [assignment.partition("=") for assignment in assignments]
    if any(not (left.strip() and right.strip()) for left, _, right in pairs):
        raise click.BadParameter("--map takes CORPUS=MODEL, as in content=happy")
    return {left.strip(): right.strip() for left, _, right in pairs}


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
    """Import a model that `annotate train` wrote, or a checkpoint of the released LDDU code.

    FILE is a folder of a training, or a .bin, .pt or .safetensors file of which only weights are
    read: one that holds anything else is refused, never executed.

    \b
    Examples:
      annotate models import trainings/mosei --name mosei
      annotate models import pytorch_model.bin --name paper
    """
    from annotator import console, registry

    workspace.open_store().close()  # its database makes the folder a workspace to every command
    if file.is_dir():
        version = registry.import_trained(workspace, file, name)
    else:
        version = registry.import_released(workspace, file, name, _names(labels))
    console.print_models([version], as_json=as_json)


if __name__ == "__main__":
    main()
