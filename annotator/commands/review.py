"""Bring people's answers back, and see how far they agree: pull, agreement."""

import os
from typing import TYPE_CHECKING, Any

import click

from annotator.commands.completion import complete_models, complete_projects
from annotator.commands.options import json_option, resamples_option, workspace_option
from annotator.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from annotator.labelstudio.server import Server
    from annotator.store.engine import Store
    from annotator.store.review_records import ReviewProject
    from annotator.workspace import Workspace

NO_SERVER = (
    "no Label Studio is configured: set LABEL_STUDIO_URL to its address, as in "
    "http://localhost:8080, and LABEL_STUDIO_API_KEY to your token (Account & Settings there)"
)

project_option = click.option(
    "--project",
    "named",
    help="Title or number of one project. [default: all of the workspace's]",
    shell_complete=complete_projects,
)


@click.command()
@project_option
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C: pull whenever time has passed.")
@click.option(
    "--every",
    type=click.FloatRange(1, 86_400),
    default=30.0,
    show_default=True,
    help="Seconds between two pulls of --watch; a hint of `annotate serve` comes sooner.",
)
@click.option("--all", "everything", is_flag=True, help="Read every task again, not only changes.")
@workspace_option()
@json_option
def pull(
    named: str | None,
    watch: bool,
    every: float,
    everything: bool,
    workspace: "Workspace",
    as_json: bool,
) -> None:
    """Fetch what people answered since the last pull.

    Every answer of every person is kept, with its changes. Skipped tasks and empty answers are
    kept as such and are no labels; unusable is a state of its own. What is not ours, or not a label
    of the project, is reported and left alone.

    \b
    Examples:
      annotate pull
      annotate pull --watch --every 10
    """
    from annotator import review_console
    from annotator.labelstudio.failures import ServerFault
    from annotator.labelstudio.watch import pulls

    with workspace.open_store() as store:
        server = connect()
        projects = chosen_projects(store, server.address, named)
        hint, every_s = workspace.pull_hint, every if watch else None

        def reading(project: "ReviewProject") -> "AbstractContextManager[review_console.Advance]":
            return review_console.counting(f"reading project {project.number}", None)

        for pulled in pulls(store, server, projects, hint, every_s, everything, reading=reading):
            if isinstance(pulled, ServerFault):
                review_console.print_problems([str(pulled)])
            else:
                review_console.print_pulled(pulled, as_json=as_json)


def _need(_ctx: click.Context, _param: click.Parameter, text: str) -> Any:
    if text in {"majority", "any", "all"}:
        return text
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not majority, any, all or a share, as in 0.6"
        ) from None


@click.command()
@project_option
@click.option(
    "--rule",
    "need",
    default="majority",
    show_default=True,
    callback=_need,
    help="When a label counts: majority (more than half), any, all, or a share as in 0.6.",
)
@click.option(
    "--voters",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Usable answers a clip needs to be decided.",
)
@resamples_option
@workspace_option()
@json_option
def agreement(
    named: str | None,
    need: Any,
    voters: int,
    resamples: int,
    workspace: "Workspace",
    as_json: bool,
) -> None:
    """Show how far people agree, in all and two by two.

    Of all answers that were pulled or imported: Krippendorff's alpha of each label, Cohen's kappa
    of each pair, and of each person the agreement with the others, the time an answer takes, and
    the share of pre-annotations left as they were. With --json also each clip's votes, soft and
    hard labels.

    \b
    Examples:
      annotate agreement
      annotate agreement --rule 0.6 --voters 2 --json
    """
    from annotator import review_console
    from annotator.labels.agreement import agreement as measure
    from annotator.labels.consensus import Rule, consensuses
    from annotator.labels.stored import votes_of

    try:
        rule = Rule(need, voters)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    found = []
    with workspace.open_store() as store:
        for project in chosen_projects(store, None, named):
            votes = votes_of(store.answers(project.project_id))
            agreed = measure(votes, project.labels, resamples=resamples)
            found.append((project, agreed, consensuses(votes, project.labels, rule)))
    review_console.print_agreements(found, as_json=as_json)


@click.command()
@click.option(
    "--model", help="Model version. [default: as for run]", shell_complete=complete_models
)
@click.option(
    "--top",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Clips of each kind.",
)
@workspace_option()
@json_option
def suggest(model: str | None, top: int, workspace: "Workspace", as_json: bool) -> None:
    """Say which clips need another rater, which a first one.

    Another: people differ, or one has answered and the clip is noisy (high variance, which is
    aleatoric: more raters average it out). A first: nobody has answered and the model does not
    know (epistemic: bald of run --mc-dropout, or the spread of several model versions, for which
    one answer is enough). Where there is no epistemic score it goes by entropy, and says so.

    \b
    Examples:
      annotate suggest
      annotate suggest --top 100 --json
    """
    from annotator import registry, review_console
    from annotator.acquisition.suggest import suggest as suggestions

    with workspace.open_store() as store:
        model_id = store.register_model(registry.choose(workspace, model))
        found = suggestions(store, model_id, top)
    review_console.print_suggestions(found, as_json=as_json)


def connect() -> "Server":
    """The server that the environment names.

    Raises:
        UsageError: it names none.
    """
    from annotator.labelstudio.server import Server, account

    found = account(os.environ)
    if found is None:
        raise UsageError(NO_SERVER)
    return Server(found)


def chosen_projects(store: "Store", server: str | None, named: str | None) -> "list[ReviewProject]":
    """The workspace's projects on a server, or that of a title or number.

    Raises:
        UsageError: there is none.
    """
    from annotator.store.review_records import IMPORTED

    known = store.projects(server)
    found = [p for p in known if named is None or named in {p.title, str(p.number)}]
    if found:
        return found
    elsewhere = sorted({project.server for project in store.projects(None)} - {IMPORTED})
    if not known and elsewhere:
        raise UsageError(
            f"no clips were sent from this workspace to {server}: set LABEL_STUDIO_URL to "
            f"{' or '.join(elsewhere)}, where they went"
        )
    names = ", ".join(f"{project.number} {project.title!r}" for project in known)
    if named is None or not known:
        raise UsageError(
            "no clips were sent from this workspace yet: `annotate export --uncertain-top 100` "
            "sends some; `annotate import labels` takes answers from files"
        )
    raise UsageError(f"no project {named!r} of this workspace: expected one of {names}")
