"""Model versions as folders to take elsewhere or to throw away."""

import shutil
from pathlib import Path
from uuid import uuid4

from annotator import promotions, registry
from annotator.errors import EnvironmentFault, UsageError
from annotator.lineage import kept_names, name_is_kept
from annotator.registry import ModelVersion
from annotator.workspace import Workspace


def export_version(workspace: Workspace, name: str, out: Path) -> ModelVersion:
    """Copy a version to a folder of its own, which `registry.import_trained` takes again.

    Raises:
        UsageError: there is no such version, its files are damaged, or `out` is there already.
        EnvironmentFault: it cannot be written.
    """
    version = registry.choose(workspace, name)
    registry.load_network(version)  # which checks the weights' hash
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} is there already: choose another --out, nothing is overwritten")
    draft = out.with_name(f".{out.name}.{uuid4().hex}")
    try:
        shutil.copytree(version.path, draft)
        draft.rename(out)
    except OSError as error:
        raise EnvironmentFault(f"{out} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return version


def remove_version(workspace: Workspace, name: str, *, force: bool) -> None:
    """Take a version out of the workspace; what it predicted stays in the store, with its name.

    Raises:
        UsageError: there is no such version, it is in use, or without `force` something else in
            the workspace came of it.
        EnvironmentFault: it cannot be removed.
    """
    folder = workspace.models / name
    if name not in {found.name for found in registry.own_versions(workspace)}:
        raise UsageError(f"no model {name!r} in this workspace: `annotate models list` shows them")
    held = promotions.holding(promotions.history(workspace.models))
    if held and held[-1].name == name:
        raise UsageError(
            f"model {name!r} is in use: promote another, or roll back, before it is removed"
        )
    if not force and (reasons := _came_of_it(workspace, name)):
        raise UsageError(f"model {name!r} {' and '.join(reasons)}: --force removes it all the same")
    removed = folder.with_name(f".{name}.{uuid4().hex}")
    try:
        folder.rename(removed)  # from here on no command sees it, whatever comes between
    except OSError as error:
        raise EnvironmentFault(f"{folder} cannot be removed: {error.strerror}") from error
    shutil.rmtree(removed, ignore_errors=True)


def demand_own_name(workspace: Workspace, version: ModelVersion) -> None:
    """Take a version back out of the workspace if it has the name of one that was removed.

    Raises:
        UsageError: it has, and other weights than that had.
    """
    known = kept_names(workspace)
    if known.get(version.name, version.weights_hash) != version.weights_hash:
        shutil.rmtree(version.path, ignore_errors=True)
        raise name_is_kept(version.name)


def _came_of_it(workspace: Workspace, name: str) -> list[str]:
    reasons = ["is in use"] if registry.in_use(workspace) == name else []
    children = [v.name for v in registry.own_versions(workspace) if v.parent == name]
    with workspace.open_store() as store:
        predicted = store.status().predictions.get(name, 0)
    if children:
        reasons.append(f"is the parent of {', '.join(children)}")
    if predicted:
        reasons.append(f"has annotated {predicted} clips")
    return reasons
