"""Pull once, or again and again: when time has passed, or at a webhook's hint."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from annotator.labelstudio.failures import Missing, ServerFault
from annotator.labelstudio.pull import Pull, pull
from annotator.labelstudio.server import Server
from annotator.store.engine import Store
from annotator.store.review_records import ReviewProject, SavedAnswers

POLL_S = 0.5  # between two looks for a hint

Pulled = list[tuple[ReviewProject, Pull]]


def pulls(
    store: Store,
    server: Server,
    projects: Sequence[ReviewProject],
    hint: Path,
    every_s: float | None,
    everything: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Pulled | ServerFault]:
    """What came of each pull of the projects; without `every_s` there is just one.

    While watching, a pull that changed nothing is not told of, and where the server failed the
    fault comes in its place: it is tried again when it is time. The first must succeed.

    Args:
        store: where answers go.
        server: to ask.
        projects: on it.
        hint: a file that changes when there is something new.
        every_s: seconds between two pulls.
        everything: whether the first reads every task again.
        sleep: waits; tests need not.

    Raises:
        ServerFault: the server failed on the first pull.
        Missing: the only project is no longer on the server; one of several costs itself alone.
    """
    mark = _mark(hint)
    yield _pull_each(store, server, projects, everything)
    while every_s is not None:
        waited = 0.0
        while waited < every_s and _mark(hint) == mark:
            sleep(POLL_S)
            waited += POLL_S
        mark = _mark(hint)
        try:
            done = _pull_again(store, server, projects)
        except ServerFault as fault:
            yield fault
            continue
        if any(_news(result) for _, result in done):
            yield done


def _pull_again(store: Store, server: Server, projects: Sequence[ReviewProject]) -> Pulled:
    """Pull from where the last pull ended."""
    numbers = {project.project_id for project in projects}
    now = [p for p in store.projects(server.address) if p.project_id in numbers]
    return _pull_each(store, server, now, everything=False)


def _pull_each(
    store: Store, server: Server, projects: Sequence[ReviewProject], everything: bool
) -> Pulled:
    """Pull each; one of several that was removed from the server does not keep the others."""
    done: Pulled = []
    for project in projects:
        try:
            found = pull(store, server, project, everything=everything)
        except Missing as error:
            if len(projects) == 1:
                raise
            found = Pull(SavedAnswers(), 0, 0, (f"{error}; what was pulled from it stays",))
        done.append((project, found))
    return done


def _news(pulled: Pull) -> bool:
    answers = pulled.answers
    return bool(answers.new or answers.changed or answers.deleted or pulled.gone)


def _mark(hint: Path) -> int:
    """When the hint was given last."""
    try:
        return hint.stat().st_mtime_ns
    except OSError:
        return 0
