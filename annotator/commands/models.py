"""Model versions of a workspace: the group models."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands.completion import complete_models
from annotator.commands.options import json_option, names, workspace_option

if TYPE_CHECKING:
    from annotator.workspace import Workspace


@click.group()
def models() -> None:
    """Model versions: list, show, import."""


@models.command("list")
@workspace_option()
@json_option
def list_models(workspace: "Workspace", as_json: bool) -> None:
    """List the model versions of the workspace.

    \b
    Example:
      annotate models list
    """
    from annotator import console, registry

    console.print_models(registry.versions(workspace), as_json=as_json)


@models.command("show")
@click.argument("name", shell_complete=complete_models)
@workspace_option()
def show_model(name: str, workspace: "Workspace") -> None:
    """Show a model version: labels, extractors, settings, hash.

    \b
    Example:
      annotate models show starter
    """
    from annotator import console, registry

    console.print_json(asdict(registry.choose(workspace, name)))


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
    read: one that holds anything else is refused, never executed.

    \b
    Examples:
      annotate models import trainings/mosei --name mosei
      annotate models import pytorch_model.bin --name paper
    """
    from annotator import console, registry

    workspace.open_store().close()  # its database makes the folder a workspace to every command
    if file.is_dir():
        version = registry.import_trained(workspace, file, name)
    else:
        version = registry.import_released(workspace, file, name, names(labels))
    console.print_models([version], as_json=as_json)
