"""Ask, learn, and ask again: loop."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annotator.commands.options import (
    CORPUS_PATH,
    SCORE_NAMES,
    Selecting,
    days_option,
    device_option,
    ignore_option,
    json_option,
    mc_dropout_option,
    promote_option,
    replay_option,
    selection_options,
    settings_options,
    shown_option,
    workspace_option,
)
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.labelstudio.hosting import Hosting
    from annotator.workspace import Workspace

DAY_S = 24 * 3600


def _wait_for(_ctx: click.Context, _param: click.Parameter, text: str) -> Any:
    """A share where there is a point or a per cent sign, else a count."""
    from annotator.loop.settings import Count, Share

    try:
        if text.isdecimal() and int(text) > 0:
            return Count(int(text))
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        if 0 < share <= 1:
            return Share(share)
    except ValueError:
        pass
    raise click.BadParameter(
        f"{text!r} is neither a share, as in 0.8 or 80%, nor a number of clips"
    )


@click.command()
@click.argument("paths", nargs=-1, type=CORPUS_PATH)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Of this loop in all.",
)
@click.option(
    "--budget",
    type=click.IntRange(1, 10_000_000),
    default=500,
    show_default=True,
    help="Clips to ask about in all rounds together.",
)
@click.option(
    "--batch", type=click.IntRange(1), help="Clips a round. [default: the budget in equal parts]"
)
@click.option(
    "--by",
    type=click.Choice(SCORE_NAMES),
    metavar="SCORE",
    default="entropy",
    show_default=True,
    help=f"The score to choose by: {', '.join(SCORE_NAMES)}; see export.",
)
@click.option("--split", help="Only clips of this split.")
@selection_options
@click.option(
    "--project",
    "named",
    help="Title or number of the Label Studio project; each has a loop of its own. [default: as "
    "for export]",
)
@shown_option
@click.option("--overlap", type=click.IntRange(1, 100), help="People asked about each clip.")
@click.option(
    "--wait-for",
    callback=_wait_for,
    default="1.0",
    show_default=True,
    metavar="SHARE|COUNT",
    help="Go on once so much of a batch is answered: a share, as in 0.8 or 80%, or a number.",
)
@click.option(
    "--poll",
    "every",
    type=click.FloatRange(1, 86_400),
    default=30.0,
    show_default=True,
    help="Seconds between two looks for answers.",
)
@click.option("--no-wait", is_flag=True, help="Do what can be done now, and end: for cron.")
@promote_option
@click.option(
    "--plateau",
    type=click.IntRange(1),
    help="Stop after so many rounds without a better held-out measure.",
)
@click.option(
    "--ceiling",
    is_flag=True,
    help="Stop when on the audit the model agrees with people as they do with each other; takes "
    "--overlap 2 or more.",
)
@replay_option
@ignore_option
@mc_dropout_option
@days_option
@click.option(
    "--status",
    is_flag=True,
    is_eager=True,
    help="Only show the rounds as far as they have come.",
)
@settings_options
@workspace_option(create=True, unless="status")
@device_option
@json_option
def loop(
    paths: tuple[Path, ...],
    rounds: int,
    budget: int,
    batch: int | None,
    by: str,
    split: str | None,
    selecting: Selecting,
    named: str | None,
    shown: bool,
    overlap: int | None,
    wait_for: Any,
    every: float,
    no_wait: bool,
    promote: Any,
    plateau: int | None,
    ceiling: bool,
    replay: Path | None,
    ignore: tuple[str, ...],
    mc_dropout: int,
    days: int,
    status: bool,
    config: Path | None,
    assignments: tuple[str, ...],
    workspace: "Workspace",
    device: str,
    as_json: bool,
) -> None:
    """Ask people, learn from their answers, and ask again.

    A round annotates the corpus, chooses clips, sends them to Label Studio, waits until people have
    answered, fine-tunes, promotes the new version if it is better, and has it answer about the
    corpus from cached features: only the first round opens media. A tenth of each batch is drawn at
    random: it says, without bias, how good the model in use is on clips nobody was asked about yet.
    By default entropy and k-means choose, which were best in the mean of our simulations.

    Every step is written down, so the same command goes on where it was cut off, days later too,
    and does nothing twice. It stops when rounds or budget are used up, nothing is left to ask, or
    --plateau or --ceiling says so. With more --rounds and --budget it goes on. Settings of the
    fine-tuning are those of `annotate finetune`.

    \b
    Examples:
      annotate loop corpus/ --rounds 5 --budget 500
      annotate loop corpus/ --overlap 2 --wait-for 0.8 --ceiling --plateau 2
      annotate loop --no-wait --json
      annotate loop --status
    """
    from annotator import loop_console
    from annotator.acquisition.pool import Plan
    from annotator.commands.review import connect
    from annotator.corpus.plan import PlanSettings
    from annotator.datasets import open_dataset
    from annotator.learning.finetune_settings import FinetuneSettings
    from annotator.learning.settings import chosen
    from annotator.loop import book
    from annotator.loop.loop import loop as run_loop
    from annotator.loop.settings import SELECT, Asking, Choosing, Learning, LoopSettings
    from annotator.loop.stopping import Policy
    from annotator.loop.world import World
    from annotator.run import RunSettings

    if status:
        loop_console.print_rounds(book.loops(workspace, named), as_json=as_json)
        return
    if ceiling and (overlap or 1) < 2:
        raise UsageError("--ceiling needs several people a clip: --overlap 2 or more")
    earlier = None if replay is None else open_dataset(replay, cache=workspace.root)
    settings = LoopSettings(
        policy=Policy(rounds, budget, batch, plateau, ceiling),
        asking=Asking(
            named or workspace.title, shown, overlap, wait_for, None if no_wait else every
        ),
        paths=paths,
        choosing=Choosing(by, Plan(1, **{"select": SELECT, **selecting.asked}), split),
        learning=Learning(
            chosen(FinetuneSettings(), config, assignments), earlier, promote, ignore
        ),
        run=RunSettings(PlanSettings(), device, mc_dropout=mc_dropout),
    )
    server, hosting = connect(), _hosting(workspace, days)
    with loop_console.loop_display(as_json=as_json) as display:
        outcome = run_loop(World(workspace, server, hosting, settings, display))
    loop_console.print_outcome(outcome, as_json=as_json)


def _hosting(workspace: "Workspace", days: int) -> "Hosting":
    from annotator.labelstudio.hosting import NOWHERE, hosting

    place = hosting(os.environ, workspace.excerpts, int(time.time()) + days * DAY_S)
    if place is None:
        raise UsageError(NOWHERE)
    return place
