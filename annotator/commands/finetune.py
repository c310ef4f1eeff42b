"""Learn from what people answered: finetune."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annotator.commands.completion import complete_models
from annotator.commands.options import (
    device_option,
    ignore_option,
    json_lines_option,
    promote_option,
    replay_option,
    settings_options,
    workspace_option,
)

if TYPE_CHECKING:
    from annotator.workspace import Workspace


@click.command()
@click.option(
    "--from",
    "source",
    help="Model version to start from. [default: the one in use]",
    shell_complete=complete_models,
)
@click.option("--name", help="Of the new version. [default: that of the parent, with its round]")
@replay_option
@promote_option
@ignore_option
@settings_options
@workspace_option()
@device_option
@json_lines_option
def finetune(
    source: str | None,
    name: str | None,
    replay: Path | None,
    promote: Any,
    ignore: tuple[str, ...],
    config: Path | None,
    assignments: tuple[str, ...],
    workspace: "Workspace",
    device: str,
    as_json: bool,
) -> None:
    """Fine-tune a model on people's answers; use it if it is better.

    Learns from the shares of people's votes, a clip counting by its voters, and from the features
    that `annotate run` has cached: no video is opened. Speakers, or videos where the speaker is
    unknown, are held out whole, the same ones in every round. The result is always a new version;
    it takes the place of the model in use if on the held-out clips its mean average precision is
    higher beyond the bootstrap interval and no label has collapsed. The same command goes on where
    one was cut off.

    \b
    Examples:
      annotate finetune
      annotate finetune --replay mosei.csv --set finetune.replay=2 --set layers.encoders=0
      annotate finetune --from starter --name ours --promote never --json
    """
    from annotator import training_console
    from annotator.datasets import open_dataset
    from annotator.finetune import Request, make_plan
    from annotator.finetune import finetune as run_finetune
    from annotator.learning.finetune_settings import FinetuneSettings
    from annotator.learning.settings import chosen
    from annotator.predict import choose_device
    from annotator.review_console import counting

    settings = chosen(FinetuneSettings(), config, assignments)
    on = choose_device(device)
    earlier = None if replay is None else open_dataset(replay, cache=workspace.root)
    request = Request(source, name, earlier, promote, ignore)
    with counting("reading features", None) as progress:
        plan = make_plan(workspace, settings, request, progress)
    with training_console.training_display(as_json=as_json) as watcher:
        done = run_finetune(workspace, plan, device=on, watcher=watcher)
    training_console.print_finetuned(done, as_json=as_json)
