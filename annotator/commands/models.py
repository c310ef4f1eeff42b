"""Model versions of a workspace: the group models."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands.completion import complete_models
from annotator.commands.options import json_option, names, workspace_option

if TYPE_CHECKING:
    from annotator.workspace import Workspace


@click.group()
def models() -> None:
    """Model versions: list, compare, promote, take elsewhere."""


@models.command("list")
@workspace_option()
@json_option
def list_models(workspace: "Workspace", as_json: bool) -> None:
    """List the model versions of the workspace.

    \b
    Example:
      annotate models list
    """
    from annotator import models_console, registry

    found = registry.versions(workspace)
    models_console.print_models(found, registry.in_use(workspace), as_json=as_json)


@models.command("show")
@click.argument("name", shell_complete=complete_models)
@workspace_option()
@json_option
def show_model(name: str, workspace: "Workspace", as_json: bool) -> None:
    """Show a model version: where it comes from, labels, numbers.

    \b
    Examples:
      annotate models show starter
      annotate models show starter --json
    """
    from annotator import models_console, registry

    version = registry.choose(workspace, name)
    known = {other.name: other for other in registry.versions(workspace)}
    models_console.print_model(version, known, as_json=as_json)


@models.command("diff")
@click.argument("first", shell_complete=complete_models)
@click.argument("second", shell_complete=complete_models)
@workspace_option()
@json_option
def diff_models(first: str, second: str, workspace: "Workspace", as_json: bool) -> None:
    """Show what tells one version from another.

    \b
    Example:
      annotate models diff starter starter-r1
    """
    from annotator import models_console, registry
    from annotator.comparison import compare

    pair = (registry.choose(workspace, first), registry.choose(workspace, second))
    with workspace.open_store() as store:
        found = compare(*pair, store)
    models_console.print_differences(found, as_json=as_json)


@models.command("promote")
@click.argument("name", shell_complete=complete_models)
@click.option("--reason", default="by hand", show_default=True, help="Kept in the record.")
@workspace_option()
@json_option
def promote_model(name: str, reason: str, workspace: "Workspace", as_json: bool) -> None:
    """Use a version from now on.

    `run`, `list` and `export` take it where you name none.

    \b
    Example:
      annotate models promote starter-r1 --reason "better on our interviews"
    """
    from annotator import models_console, registry

    models_console.print_in_use(registry.promote(workspace, name, reason).name, as_json=as_json)


@models.command("rollback")
@click.option("--reason", default="by hand", show_default=True, help="Kept in the record.")
@workspace_option()
@json_option
def rollback_model(reason: str, workspace: "Workspace", as_json: bool) -> None:
    """Take the last promotion back.

    What was in use before it is in use again.

    \b
    Example:
      annotate models rollback --reason "worse on the new cameras"
    """
    from annotator import models_console, registry

    models_console.print_in_use(registry.rollback(workspace, reason).name, as_json=as_json)


@models.command("export")
@click.argument("name", shell_complete=complete_models)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to make; not one there."
)
@workspace_option()
@json_option
def export_model(name: str, out: Path, workspace: "Workspace", as_json: bool) -> None:
    """Copy a version to a folder, to import elsewhere.

    \b
    Example:
      annotate models export starter-r3 --out ours-2026
    """
    from annotator import console
    from annotator.model_files import export_version

    version = export_version(workspace, name, out)
    console.print_done(f"Model {name}: {out}", {"model": version, "out": out}, as_json=as_json)


@models.command("remove")
@click.argument("name", shell_complete=complete_models)
@click.option(
    "--force", is_flag=True, help="Also one that has annotated clips or that others come from."
)
@workspace_option()
@json_option
def remove_model(name: str, force: bool, workspace: "Workspace", as_json: bool) -> None:
    """Take a version out of the workspace.

    What it predicted stays, under its name. A promoted version that is in use cannot be removed.

    \b
    Example:
      annotate models remove starter-r2
    """
    from annotator import console
    from annotator.model_files import remove_version

    remove_version(workspace, name, force=force)
    console.print_done(f"Model {name} is removed.", {"removed": name}, as_json=as_json)


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the new version.")
@click.option("--labels", help="Comma-separated label names. [default: the six of CMU-MOSEI]")
@workspace_option(create=True)
@json_option
def import_model(
    file: Path,
    name: str,
    labels: str | None,
    workspace: "Workspace",
    as_json: bool,
) -> None:
    """Import a trained model, or one of the released LDDU code.

    FILE is a folder of a training, or a .bin, .pt or .safetensors file of which only weights are
    read: one that holds anything else is refused, never executed. `starter` is the model that
    ships, which may be newer than this workspace's copy.

    \b
    Examples:
      annotate models import trainings/mosei --name mosei
      annotate models import pytorch_model.bin --name paper
      annotate models import starter --name starter-2
    """
    from annotator import console, models_console, registry
    from annotator.model_files import demand_own_name

    workspace.open_store().close()  # its database makes the folder a workspace to every command
    if file == Path(registry.STARTER) and not file.exists():
        version = registry.import_starter(workspace, name)
    elif file.is_dir():
        version = registry.import_trained(workspace, file, name)
    else:
        version = registry.import_released(workspace, file, name, names(labels))
    demand_own_name(workspace, version)
    used = registry.in_use(workspace)
    models_console.print_models([version], used, as_json=as_json)
    if used is None and not as_json:
        console.say(
            "Several models could be in use now: `annotate models promote NAME` settles it."
        )
