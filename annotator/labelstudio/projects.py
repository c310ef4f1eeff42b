"""Which project clips go to: found, or made with all that a review needs."""

from dataclasses import dataclass

from annotator.errors import UsageError
from annotator.labelstudio.failures import Missing, ServerFault
from annotator.labelstudio.interface import Interface, config, interface
from annotator.labelstudio.server import RemoteProject, Server
from annotator.store.engine import Store
from annotator.store.review_records import ReviewProject

TAB = "Least certain first"
ORDER = "-tasks:data.uncertainty"
MAX_OVERLAP = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """The project that is asked for: its title or number, labels, and people a task."""

    named: str
    labels: tuple[str, ...]
    overlap: int | None
    shown: bool


def known_project(store: Store, server: Server, named: str) -> RemoteProject | None:
    """The project on the server that a title or number means; None where there is none.

    A project of ours is known by its number, whatever people call it by now.

    Raises:
        UsageError: it was removed from the server, or several have the title.
        ServerFault: the server cannot say.
    """
    if named.isascii() and named.isdigit():
        return server.project(int(named))
    ours = [project for project in store.projects(server.address) if project.title == named]
    if ours:
        return _still_there(server, ours[-1])
    found = server.projects(named)
    if len(found) > 1:
        numbers = ", ".join(str(project.number) for project in found)
        raise UsageError(
            f"{len(found)} projects at {server.address} are called {named!r}: name one by its "
            f"number with --project ({numbers})"
        )
    return found[0] if found else None


def ensure_project(
    store: Store, server: Server, wanted: Wanted, model_version: str
) -> ReviewProject:
    """The project, made if there is none of that title, with a tab by uncertainty.

    Raises:
        UsageError: it is not of our making, or has other labels.
        ServerFault: the server does not do it.
    """
    shape = interface(wanted.labels)
    remote = known_project(store, server, wanted.named)
    if remote is None:
        remote = _make(server, wanted, shape, model_version)
    elif not _same(remote.config, shape):
        raise UsageError(
            f"project {remote.number} {remote.title!r} at {server.address} asks other questions "
            f"than the labels {', '.join(wanted.labels)}: name another with --project"
        )
    elif wanted.overlap is not None:
        server.update_project(remote.number, **_overlap(wanted.overlap))
    server.ensure_tab(remote.number, TAB, ORDER)
    return store.save_project(server.address, remote.number, remote.title, wanted.labels)


def _make(server: Server, wanted: Wanted, shape: Interface, model_version: str) -> RemoteProject:
    """Make the project; a broken connection may hide that it was made."""
    settings: dict[str, object] = {
        "description": "Made by annotate: emotions in clips that the model is unsure of.",
        "show_skip_button": True,
        "enable_empty_annotation": False,
        "show_collab_predictions": wanted.shown,
        # In the order they were sent in, which is ours; "Uncertainty sampling" would go by the
        # predictions' confidence, whatever score was asked for, and has no order without any.
        "sampling": "Sequential sampling",
        **_overlap(wanted.overlap or 1),
    }
    if wanted.shown:
        settings["model_version"] = model_version
    try:
        return server.create_project(wanted.named, config(shape), **settings)
    except ServerFault as fault:
        made = [] if fault.certain else server.projects(wanted.named)
        if not made:
            raise
        return made[0]


def _overlap(people: int) -> dict[str, object]:
    return {"maximum_annotations": people, "overlap_cohort_percentage": 100}


def _still_there(server: Server, project: ReviewProject) -> RemoteProject:
    try:
        return server.project(project.number)
    except Missing:
        raise UsageError(
            f"project {project.number} {project.title!r} is no longer at {server.address}: what "
            "was pulled from it stays; name another with --project"
        ) from None


def _same(found: str, shape: Interface) -> bool:
    """Whether a project's interface is the one we make: the server may lay it out anew."""
    return "".join(found.split()) == "".join(config(shape).split())
