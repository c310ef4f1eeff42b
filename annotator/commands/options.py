"""Options that commands share, with what checks and opens their values."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Generator

    from annotator.registry import ModelVersion
    from annotator.store.engine import Store
    from annotator.store.records import RankedClip

F = TypeVar("F", bound=Callable[..., Any])


def _existing(create: bool) -> Callable[[click.Context, click.Parameter, Path | None], Any]:
    def resolve(_ctx: click.Context, _param: click.Parameter, named: Path | None) -> Any:
        from annotator.workspace import locate, open_workspace

        return open_workspace(locate(named, os.environ, Path.cwd()), create=create)

    return resolve


def workspace_option(*, create: bool = False) -> Callable[[F], F]:
    """--workspace, opened; with `create` it is made where there is none."""
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


def names(text: str | None) -> tuple[str, ...] | None:
    """The names of a comma-separated list; None where none is given.

    >>> names("joy, anger")
    ('joy', 'anger')
    """
    return tuple(name.strip() for name in text.split(",")) if text else None


device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    callback=_device_name,
    help="auto (a GPU where there is one), cpu, mps, cuda or cuda:N.",
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
        click.option("--model", help="Model version. [default: as for run]"),
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
        ranked = option(ranked)
    return ranked


def ranked(
    store: "Store",
    model: "ModelVersion",
    ranking: Ranking,
    limit: int | None = None,
    *,
    answered: bool = False,
) -> "Generator[RankedClip]":
    """The clips of a ranking; see `Store.ranked`."""
    return store.ranked(
        store.register_model(model),
        by=ranking.by,
        limit=limit,
        label=ranking.label,
        split=ranking.split,
        answered=answered,
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
