"""Options that commands share, with what checks and opens their values."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from annotator.commands.completion import complete_labels, complete_models, complete_splits

if TYPE_CHECKING:
    from annotator.acquisition.pool import Plan

F = TypeVar("F", bound=Callable[..., Any])


def _existing(
    create: bool, unless: str | None, here: bool
) -> Callable[[click.Context, click.Parameter, Path | None], Any]:
    def resolve(ctx: click.Context, _param: click.Parameter, named: Path | None) -> Any:
        if ctx.resilient_parsing:  # a shell completes the line: nothing is made or refused
            return named
        from annotator.workspace import locate, open_workspace

        make = create and not (unless and ctx.params.get(unless))
        return open_workspace(locate(named, os.environ, Path.cwd(), above=not here), create=make)

    return resolve


def workspace_option(
    *, create: bool = False, unless: str | None = None, here: bool = False
) -> Callable[[F], F]:
    """--workspace, opened; with `create` it is made where there is none.

    `unless` names an eager option that only looks: with it, nothing is made. With `here` the
    folders above are not looked into.
    """
    nearest = ".annotate in this folder" if here else "the nearest .annotate"
    return click.option(
        "--workspace",
        type=click.Path(path_type=Path),
        callback=_existing(create, unless, here),
        help="Folder of database, features and models. "
        f"[default: ANNOTATE_WORKSPACE, or {nearest}]",
    )


class CorpusPath(click.Path):
    """A path, or the URL of what lies elsewhere."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path as the rest of the tool has it."""
        from annotator.media.remote import RemotePath, media_path

        path = media_path(value) if isinstance(value, str) else value
        return path if isinstance(path, RemotePath) else super().convert(path, param, ctx)


CORPUS_PATH = CorpusPath(path_type=Path)


def _device_name(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    if re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        return name
    raise click.BadParameter(f"{name!r} is not one of auto, cpu, mps, cuda, cuda:N")


def _nearest(named: Path | None) -> Path | None:
    """The workspace named or found; None where there is none, for most corpora need none."""
    from annotator.workspace import locate

    found = locate(named, os.environ, Path.cwd())
    return found if named or found.is_dir() else None


def names(text: str | None) -> tuple[str, ...] | None:
    """The names of a comma-separated list; None where none is given.

    Raises:
        BadParameter: a name is empty, or there twice.

    >>> names("joy, anger")
    ('joy', 'anger')
    """
    if text is None:
        return None
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise click.BadParameter(f"{text!r} has an empty name: expected names, as in joy,anger")
    if len(set(found)) < len(found):
        raise click.BadParameter(f"{text!r} has a name twice: expected each once")
    return found


device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    callback=_device_name,
    help="auto (a GPU where there is one), cpu, mps, cuda or cuda:N.",
)


def _passes(_ctx: click.Context, _param: click.Parameter, count: int) -> int:
    if count == 1:
        raise click.BadParameter("one pass has nothing to disagree with: expected 0, or 2 or more")
    return count


mc_dropout_option = click.option(
    "--mc-dropout",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    callback=_passes,
    help="Stochastic passes a clip for the epistemic score BALD, 2 at least; 0 is none.",
)
labels_option = click.option(
    "--labels",
    callback=lambda _ctx, _param, text: names(text),
    help="Comma-separated labels to keep, in this order. [default: those of the data]",
)
features_option = click.option(
    "--workspace",
    "cache",
    type=click.Path(path_type=Path),
    callback=lambda _ctx, _param, named: _nearest(named),
    help="Where cached features are. [default: ANNOTATE_WORKSPACE, or the nearest .annotate]",
)
out_option = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of this work alone: its state, curves and, at the end, the model.",
)
format_option = click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "latex"]),
    default="table",
    show_default=True,
    help="For people, machines or papers.",
)
resamples_option = click.option(
    "--resamples",
    type=click.IntRange(0, 100_000),
    default=1000,
    show_default=True,
    help="Of the bootstrap over videos or speakers; 0 gives no intervals.",
)
SPLITS = click.Choice(["train", "valid", "test"])


def settings_options(command: F) -> F:
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


# The names of `annotator.acquisition.named.SCORES`, whose module is slow to import; a test holds
# the two together. The store orders by the first four itself.
SCORE_NAMES = (
    "variance",
    "entropy",
    "margin",
    "bald",
    "least-confidence",
    "ensemble",
    "disagreement",
    "cardinality",
    "random",
)
STORED_SCORES = SCORE_NAMES[:4]
NEAR = 0.95  # cosine of centred latents, of --near without a value


@dataclass(frozen=True, slots=True)
class Ranking:
    """Which clips, and in what order; see `Store.ranked`."""

    model: str | None
    top: int | None
    by: str
    label: str | None
    split: str | None


def ranking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which clips, and in what order: five options, which reach the command as one `ranking`."""

    @wraps(command)
    def ranked(
        *,
        model: str | None,
        top: int | None,
        by: str,
        label: str | None,
        split: str | None,
        **others: Any,
    ) -> Any:
        return command(ranking=Ranking(model, top, by, label, split), **others)

    options = (
        click.option(
            "--model",
            help="Model version. [default: as for run]",
            shell_complete=complete_models,
        ),
        click.option(
            "--uncertain-top", "top", type=click.IntRange(1), help="Only the N least certain."
        ),
        click.option(
            "--by",
            type=click.Choice(SCORE_NAMES),
            metavar="SCORE",
            default="variance",
            show_default=True,
            help=f"The score to order by: {', '.join(SCORE_NAMES)}. variance is aleatoric, noise "
            "in the clip, which more raters average out; bald (run --mc-dropout) and ensemble (all "
            "model versions) are epistemic, what the model does not know, and often better for "
            "learning.",
        ),
        click.option(
            "--label",
            help="Order by the variance of this label alone.",
            shell_complete=complete_labels,
        ),
        click.option("--split", help="Only clips of this split.", shell_complete=complete_splits),
    )
    for option in reversed(options):
        ranked = option(ranked)
    return ranked


@dataclass(frozen=True, slots=True)
class Selecting:
    """What the options ask of a selection; None is left to the plan."""

    select: Any
    audit: float | None
    balance: bool
    per_speaker: int | None
    per_video: int | None
    near: float | None
    per_second: bool
    seed: int | None

    @property
    def asked(self) -> dict[str, Any]:
        """The options that were given; empty where none asks for a selection."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: v for name, v in values.items() if v is not None and v is not False}

    def plan(self, size: int) -> "Plan | None":
        """The plan of a selection of that size; None where no option asks for one."""
        from annotator.acquisition.pool import Plan

        return Plan(size, **self.asked) if self.asked else None


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How to select clips for people: options that reach the command as one `selecting`."""
    names = [field.name for field in fields(Selecting)]

    @wraps(command)
    def selected(**values: Any) -> Any:
        given = {name: values.pop(name) for name in names}
        return command(selecting=Selecting(**given), **values)

    options = (
        click.option(
            "--select",
            type=click.Choice(["top", "power", "kcenter", "kmeans"]),
            help="How: the best by score; drawn by score (Gumbel); or spread over the latent space "
            "among the best.  [default: top, of loop kmeans]",
        ),
        click.option(
            "--audit",
            type=click.FloatRange(0, 1),
            help="Share of the clips drawn at random, to estimate accuracy without bias. "
            "[default: 0.1 of a selection]",
        ),
        click.option(
            "--balance", is_flag=True, help="Share the clips out over the most probable labels."
        ),
        click.option("--per-speaker", type=click.IntRange(1), help="At most N clips a speaker."),
        click.option("--per-video", type=click.IntRange(1), help="At most N clips a video."),
        click.option(
            "--near",
            type=click.FloatRange(0, 1, min_open=True),
            is_flag=False,
            flag_value=NEAR,
            metavar="[COSINE]",
            help=f"Leave near-duplicates out: those as alike as this.  [{NEAR} without a value]",
        ),
        click.option(
            "--per-second",
            is_flag=True,
            help="Go by score a second of work: predicted from lengths and earlier answers.",
        ),
        click.option("--seed", type=click.IntRange(0), help="Of what is drawn.  [default: 0]"),
    )
    for option in reversed(options):
        selected = option(selected)
    return selected


promote_option = click.option(
    "--promote",
    type=click.Choice(["auto", "never", "always"]),
    default="auto",
    show_default=True,
    help="Make the new version the one in use; auto: only if it is surely better.",
)
replay_option = click.option(
    "--replay",
    type=click.Path(path_type=Path),
    help="Earlier training data to learn beside, of any kind that `annotate train` reads.",
)
ignore_option = click.option(
    "--ignore",
    callback=lambda _ctx, _param, text: names(text) or (),
    help="Comma-separated labels that people gave and the model does not have.",
)
shown_option = click.option(
    "--preannotate/--blind",
    "shown",
    default=True,
    help="Show people the model's answer, or leave them to their own.  [default: preannotate]",
)
days_option = click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=90,
    show_default=True,
    help="For how long the addresses of `annotate serve-media` hold.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
json_lines_option = click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON line for every epoch, and one at the end."
)
