"""What tests of the round trip share: a film to cut clips from, projects, and people."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import media_samples
from annotator.labelstudio.projects import Wanted, ensure_project
from annotator.labelstudio.pull import OVERLAP
from annotator.labelstudio.push import push
from annotator.labelstudio.server import Server
from review_clips import LABELS, review_world
from review_project import Review, connect, invited


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    return media_samples.video(tmp_path_factory.mktemp("film") / "film.mp4", seconds=8)


@pytest.fixture
def make_review(label_studio, tmp_path) -> Iterator[object]:
    """Makes a review of so many clips."""
    opened, projects = [], []
    server = connect(label_studio)

    def make(clips: int) -> Review:
        context = review_world(tmp_path / f"review-{len(opened)}.db", clips)
        world = context.__enter__()
        opened.append(context)
        wanted = Wanted(f"pull {time.time_ns()}", LABELS, 3, True)
        project = ensure_project(world.store, server, wanted, "m1 aaaaaaaa")
        projects.append(project.number)
        push(world.store, server, project, world.model_id, world.outgoing(), shown=True)
        tasks = [t.number for t in world.store.tasks(project.project_id)]
        return Review(world, server, project.project_id, sorted(tasks))

    yield make
    for context in opened:
        context.__exit__(None, None, None)
    for number in projects:
        try:
            server._client.projects.delete(number)
        except Exception as error:  # noqa: BLE001 - the test removed it itself
            assert "404" in str(error)


@pytest.fixture
def review(make_review) -> Review:
    """A review of four clips."""
    return make_review(4)


@pytest.fixture
def overlap(monkeypatch):
    """No overlap of pulls, so that what is read is what changed."""
    monkeypatch.setattr("annotator.labelstudio.pull.OVERLAP", OVERLAP * 0)


@pytest.fixture(scope="module")
def second(label_studio) -> tuple[str, Server]:
    """Another person, let in by an invitation: email and connection."""
    return invited(label_studio)
