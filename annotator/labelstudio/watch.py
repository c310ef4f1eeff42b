"""Pull once, or again and again: when time has passed, or at a webhook's hint."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from annotator.labelstudio.failures import Missing, ServerFault
from annotator.labelstudio.pull import Progress, Pull, pull
from annotator.labelstudio.server import Server
from annotator.store.engine import Store
from annotator.store.review_records import ReviewProject, SavedAnswers

POLL_S = 0.5  # between two looks for a hint

Pulled = list[tuple[ReviewProject, Pull]]
Reading = Callable[[ReviewProject], AbstractContextManager[Progress]]


def pulls(
    store: Store,
    server: Server,
    projects: Sequence[ReviewProject],
    hint: Path,
    every_s: float | None,
    everything: bool,
    sleep: Callable[[float], None] = time.sleep,
    reading: Reading = lambda _project: nullcontext(lambda _count, _total: None),
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
        reading: entered while a project is read; gives what `pull` tells its progress.

    Raises:
        ServerFault: the server failed on the first pull.
        Missing: the only project is no longer on the server; one of several costs itself alone.
    """
    mark = _mark(hint)
    yield _pull_each(store, server, projects, everything, reading)
    while every_s is not None:
        waited = 0.0
        while waited < every_s and _mark(hint) == mark:
            sleep(POLL_S)
            waited += POLL_S
        mark = _mark(hint)
        try:
            done = _pull_again(store, server, projects, reading)
        except ServerFault as fault:
            yield fault
            continue
        if any(_news(result) for _, result in done):
            yield done


def _pull_again(
    store: Store, server: Server, projects: Sequence[ReviewProject], reading: Reading
) -> Pulled:
    """Pull from where the last pull ended."""
    numbers = {project.project_id for project in projects}
    now = [p for p in store.projects(server.address) if p.project_id in numbers]
    return _pull_each(store, server, now, False, reading)


def _pull_each(
    store: Store,
    server: Server,
    projects: Sequence[ReviewProject],
    everything: bool,
    reading: Reading,
) -> Pulled:
    """Pull each; one of several that was removed from the server does not keep the others."""
    done: Pulled = []
    for project in projects:
        try:
            with reading(project) as progress:
                found = pull(store, server, project, everything=everything, progress=progress)
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
