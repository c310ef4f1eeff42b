"""Take in what was made elsewhere: import."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands.options import json_option, names, workspace_option
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.store.engine import Store
    from annotator.store.review_records import ReviewProject
    from annotator.workspace import Workspace

PROJECT = "imported"


@click.group(name="import")
def import_group() -> None:
    """Take in what was made elsewhere.

    \b
    Examples:
      annotate import labels answers.csv --annotator ann
    """


@import_group.command(name="labels")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--annotator", help="Whose answers they are, where the file does not say.")
@click.option(
    "--project",
    "title",
    default=PROJECT,
    show_default=True,
    help="What the answers are kept together under; agreement is told of each project.",
)
@click.option(
    "--labels",
    callback=lambda _ctx, _param, text: names(text),
    help="Comma-separated labels that were asked for, of a new project. [default: the model's]",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    help="From where a value counts as a yes. [default: only 0 and 1 are taken]",
)
@click.option(
    "--tolerance",
    type=click.IntRange(0, 10_000),
    default=100,
    show_default=True,
    help="Milliseconds by which start and end may differ from a clip's.",
)
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    help="Of an ELAN file: a tier whose annotations are names of labels; may be given several "
    "times. [default: the tiers named after labels]",
)
@workspace_option()
@json_option
def labels_command(
    files: tuple[Path, ...],
    annotator: str | None,
    title: str,
    labels: tuple[str, ...] | None,
    threshold: float | None,
    tolerance: int,
    tiers: tuple[str, ...],
    workspace: "Workspace",
    as_json: bool,
) -> None:
    """Take labels that people gave elsewhere, as answers of these people.

    From CSV and JSON Lines: `clip` (our number), or `path`, `start` and `end` as in a manifest;
    then columns named after labels, `label:NAME`, `human:NAME`, or a cell `labels`; and if you like
    `annotator`, `comment`, `unusable`. From ELAN (.eaf): tiers named after labels, or --tier. A
    label that is not named is a no; only labels of 0, or `neutral`, are none of them.

    Other columns are named, and ignored. What fits no clip is told with the reason, and the rest is
    taken. The same file again changes nothing; a changed answer becomes a newer version, and the
    older is kept. Ends with 1 if anything was left out.

    \b
    Examples:
      annotate import labels answers.csv --annotator ann
      annotate import labels elan/*.eaf --annotator bob --tier emotions
      annotate import labels votes.jsonl --labels joy,sorrow --project pilot --threshold 0.5
    """
    from annotator import review_console
    from annotator.corpus.cues import clean_text
    from annotator.imports.labels import Wanted, import_labels

    person = clean_text(annotator or "") or None
    if annotator is not None and person is None:
        raise click.UsageError("--annotator needs a name")
    wanted = Wanted(person, threshold, tolerance, tiers)
    found = []
    with workspace.open_store() as store:
        project = _project(store, workspace, title, labels)
        for file in files:
            with review_console.counting(f"importing {file.name}", None) as progress:
                found.append(import_labels(store, project, file, wanted, progress))
    review_console.print_imported(found, project, as_json=as_json)
    raise SystemExit(1 if any(one.left_out for one in found) else 0)


def _project(
    store: "Store", workspace: "Workspace", title: str, labels: tuple[str, ...] | None
) -> "ReviewProject":
    """The project, whose labels stay those it was made with.

    Raises:
        UsageError: it has other labels than those asked for, or the name is empty.
    """
    from annotator import registry
    from annotator.store.review_records import IMPORTED

    if not title.strip():
        raise UsageError("--project needs a title")
    known = next((p for p in store.projects(IMPORTED) if p.title == title), None)
    if known is None:
        asked = labels or registry.choose(workspace, None).labels
        return store.imported_project(title, asked)
    if labels is not None and set(labels) != set(known.labels):
        raise UsageError(
            f"the project {title!r} has the labels {', '.join(known.labels)}: name another with "
            "--project"
        )
    return known
