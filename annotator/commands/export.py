"""Write annotated clips to a file: export."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands.options import Ranking, json_option, ranking_options, workspace_option

if TYPE_CHECKING:
    from annotator.workspace import Workspace


def _file_or_output(_ctx: click.Context, _param: click.Parameter, name: str) -> Path | None:
    return None if name == "-" else Path(name)


@click.command()
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
@ranking_options
@workspace_option()
@json_option
def export(
    style: str,
    out: Path | None,
    workspace: "Workspace",
    ranking: Ranking,
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
        model = registry.choose(workspace, ranking.model)
        console.warn_if_untrained(model)
        model_id = store.register_model(model)
        ranked = store.ranked(
            model_id,
            by=ranking.by,
            limit=ranking.top,
            label=ranking.label,
            split=ranking.split,
        )
        with closing(ranked) as clips:
            count = export_clips(clips, model, style, out)
    console.print_exported(count, out, model, as_json=as_json)
