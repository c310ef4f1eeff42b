"""Bring people's answers back, and see how far they agree: pull, agreement."""

import os
from typing import TYPE_CHECKING

import click

from annotator.commands.options import json_option, workspace_option
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.labelstudio.server import Server
    from annotator.store.engine import Store
    from annotator.store.review_records import ReviewProject
    from annotator.workspace import Workspace

NO_SERVER = (
    "no Label Studio is configured: set LABEL_STUDIO_URL to its address, as in "
    "http://localhost:8080, and LABEL_STUDIO_API_KEY to your token (Account & Settings there)"
)

project_option = click.option(
    "--project", "named", help="Title or number of one project. [default: all of the workspace's]"
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
    """Fetch what people answered in Label Studio since the last pull.

    Every answer of every person is kept, with its changes. Skipped tasks and empty answers are
    kept as such and are no labels; unusable is a state of its own. What is not ours, or not a label
    of the project, is reported and left alone.

    \b
    Examples:
      annotate pull
      annotate pull --watch --every 10
    """
    from annotator import review_console
    from annotator.labelstudio.watch import pulls

    with workspace.open_store() as store:
        server = connect()
        projects = chosen_projects(store, server.address, named)
        hint = workspace.pull_hint
        for pulled in pulls(store, server, projects, hint, every if watch else None, everything):
            review_console.print_pulled(pulled, as_json=as_json)


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
    known = store.projects(server)
    found = [p for p in known if named is None or named in {p.title, str(p.number)}]
    if found:
        return found
    names = ", ".join(f"{project.number} {project.title!r}" for project in known)
    if named is None or not known:
        raise UsageError(
            "no clips were sent from this workspace yet: `annotate export --uncertain-top 100` "
            "sends some"
        )
    raise UsageError(f"no project {named!r} of this workspace: expected one of {names}")
