"""The ML backend and its webhook, asked by a real Label Studio."""

import base64
import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from annotator.labelstudio.backend import backend_app
from annotator.labelstudio.guard import names_of
from annotator.labelstudio.live import LiveAnswers
from annotator.labelstudio.projects import Wanted, ensure_project
from annotator.labelstudio.server import Account, Server
from live_world import live_world
from review_clips import LABELS

NUMBERS = itertools.count()
SECRET = "s3cret-" * 5
WAIT_S = 30.0


@pytest.fixture
def world(tmp_path):
    with live_world(tmp_path) as world:
        yield world


@contextmanager
def served(world, token: str | None) -> Iterator[str]:
    """The address of the backend, on a free port."""
    app = backend_app(
        world.answering,
        world.folder / "pull.hint",
        token=token,
        names=names_of("127.0.0.1", []),
    )
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
    assert not thread.is_alive()


def wait_until(done) -> None:
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < WAIT_S
        time.sleep(0.02)


@pytest.fixture
def server(label_studio) -> Server:
    return Server(Account(label_studio.url, label_studio.token), timeout_s=WAIT_S)


@pytest.fixture
def project(server, world) -> int:
    title = f"backend {os.getpid()} {next(NUMBERS)} {time.time_ns()}"
    wanted = Wanted(title, LABELS, None, shown=True)
    return ensure_project(world.review.store, server, wanted, world.version).number


@pytest.mark.parametrize("token", [None, SECRET])
def test_label_studio_gets_predictions_with_our_labels(token, server, project, world, label_studio):
    world.keep(0)
    tasks = [out.payload for out in world.review.outgoing(shown=False)]
    tasks += [{"data": {**tasks[0]["data"], "sample_id": name}} for name in world.waiting]
    tasks.append({"data": {**tasks[0]["data"], "sample_id": "0" * 16}})
    numbers = server.import_tasks(project, tasks)
    expected = dict(zip(numbers, LiveAnswers(world.answering)(tasks, lambda: False), strict=True))
    login = {"auth_method": "BASIC_AUTH", "basic_auth_user": "ann", "basic_auth_pass": token}
    with served(world, token) as address:
        connected = server._client.ml.create(
            project=project, url=address, title="annotate", **(login if token else {})
        )
        assert connected.state == "CO"
        assert connected.model_version == world.version
        server._client.actions.create(
            id="retrieve_tasks_predictions",
            project=project,
            selected_items={"all": False, "included": numbers},
        )
        found = {
            raw["id"]: server._client.predictions.list(task=raw["id"])
            for raw in server.changed(project, None)
        }
    assert found.keys() == set(numbers)
    unknown = found.pop(numbers[-1])
    assert unknown == []
    assert {number for number, predictions in found.items() if not predictions} == {
        numbers[-2], numbers[-3],
    }  # fmt: skip
    for number in numbers[:-3]:
        (said,) = found[number]
        assert said.model_version == world.version
        assert said.score == pytest.approx(expected[number]["score"])
        # Kept as it is, uncertainty and all; beside `result` what is unknown is dropped.
        assert said.result == expected[number]["result"]
        assert "uncertainty" not in said.model_dump()
    picked = [found[n][0].result[0]["value"]["choices"] for n in numbers[:3]]
    assert picked == [["happy"], ["sad"], ["neutral"]]
    assert found[numbers[0]][0].result[0]["meta"]["uncertainty"]["variance"] == 6.0
    assert expected[numbers[6]]["score"] > 0.5  # from cached features


def test_a_task_without_an_answer_is_asked_about_again_when_it_is_opened(server, project, world):
    """Label Studio keeps no prediction of an empty list, but an empty one for ever."""
    data = {**world.review.outgoing(1)[0].payload["data"], "sample_id": world.waiting[0]}
    (number,) = server.import_tasks(project, [{"data": data}])
    with served(world, None) as address:
        server._client.ml.create(project=project, url=address, title="annotate")
        assert server._client.tasks.get(str(number)).predictions == []
        world.keep(0)  # `annotate run` has looked at it since
        (said,) = server._client.tasks.get(str(number)).predictions
    (expected,) = LiveAnswers(world.answering)([{"data": data}], lambda: False)
    assert said.score == pytest.approx(expected["score"])


@pytest.mark.parametrize("shown", [None, "x" * 35])
def test_label_studio_without_the_token_is_not_let_in(shown, server, project, world):
    login = {"auth_method": "BASIC_AUTH", "basic_auth_user": "ann", "basic_auth_pass": shown}
    with served(world, SECRET) as address, pytest.raises(Exception, match="400") as refused:
        server._client.ml.create(project=project, url=address, **(login if shown else {}))
    assert "authentication parameters" in str(refused.value.body)


def test_label_studio_cannot_connect_a_project_of_other_labels(server, world, caplog):
    title = f"backend {os.getpid()} {next(NUMBERS)} {time.time_ns()}"
    wanted = Wanted(title, ("calm", "bored"), None, shown=True)
    other = ensure_project(world.review.store, server, wanted, world.version).number
    with served(world, None) as address, pytest.raises(Exception, match="400"):
        server._client.ml.create(project=other, url=address)
    assert "does not offer happy, sad, anger: connect a project" in caplog.text


@pytest.mark.parametrize("token", [None, SECRET])
def test_an_annotation_in_label_studio_leaves_a_hint(token, server, project, world):
    (number, *_) = server.import_tasks(project, [world.review.outgoing(1)[0].payload])
    hint = world.folder / "pull.hint"
    shown = base64.b64encode(f"ann:{token}".encode()).decode()
    headers = {"Authorization": f"Basic {shown}"} if token else {}
    with served(world, token) as address:
        server._client.webhooks.create(
            url=f"{address}/webhook",
            project=project,
            headers=headers,
            send_payload=True,
            send_for_all_actions=False,
            actions=["ANNOTATION_CREATED"],
        )
        assert not hint.exists()
        server._client.annotations.create(number, result=[], was_cancelled=True)
        wait_until(hint.exists)
    assert hint.read_bytes() == b""
