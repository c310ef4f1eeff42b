"""One HTML file that shows the corpus and the model's answers: report."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands.completion import complete_models
from annotator.commands.options import json_option, workspace_option

if TYPE_CHECKING:
    from annotator.workspace import Workspace


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="File to write, in place of one of that name.",
)
@click.option(
    "--model", "named", help="Model version. [default: as for run]", shell_complete=complete_models
)
@click.option(
    "--clips",
    "each",
    type=click.IntRange(0, 100),
    default=6,
    show_default=True,
    help="How many of the least and of the most certain clips to show.",
)
@click.option("--media/--no-media", default=True, help="Show and play these clips, or name them.")
@workspace_option()
@json_option
def report(
    out: Path, named: str | None, each: int, media: bool, workspace: "Workspace", as_json: bool
) -> None:
    """Write a report of the corpus as one HTML file.

    It holds all it shows, clips included, works without a network, and stays under 20 MB: what
    fell into the corpus and what failed, labels, uncertainty, the least and most certain clips,
    calibration, people's agreement, the latent space and the model's versions. What cannot be shown
    yet is named with the command that gives it. The latent map needs the extra `experiments`.

    \b
    Examples:
      annotate report
      annotate report --out pilot.html --model starter-r2 --clips 12
      annotate report --no-media --json
    """
    from annotator import console, registry, report_console
    from annotator.export.destination import destination
    from annotator.report.build import STEPS, build
    from annotator.report.page import render
    from annotator.review_console import counting

    if str(out) == "-":
        raise click.UsageError(
            "--out is a file to open in a browser: expected its name, as in report.html"
        )
    with workspace.open_store() as store:
        model = registry.choose(workspace, named)
        console.warn_if_untrained(model)
        with destination(out) as file, counting("making the report", STEPS + 2 * each) as progress:
            made = build(workspace, store, model, each=each, with_media=media, progress=progress)
            file.write(render(made))
    report_console.print_report(made, out, as_json=as_json)
