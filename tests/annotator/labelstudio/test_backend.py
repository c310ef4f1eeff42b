"""The ML backend's endpoints: what they answer, and what they do not let in."""

import asyncio
import base64
import json
import logging
import os
import socket
import threading

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from annotator.errors import EnvironmentFault, UsageError
from annotator.labelstudio import backend
from annotator.labelstudio.backend import backend_app, serve_backend
from annotator.labelstudio.guard import TOKEN, names_of
from annotator.labelstudio.interface import config, interface
from annotator.labelstudio.live import LiveAnswers
from live_world import live_world
from review_clips import LABELS

SECRET = "s3cret-" * 5
THEIRS = "token-of-a-person-0123456789abcdef"
CONFIG = config(interface(LABELS))
JSON_TYPE = {"content-type": "application/json"}
SETUP = {"project": "1.17", "schema": CONFIG, "hostname": "http://ls", "access_token": THEIRS}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with live_world(tmp_path_factory.mktemp("live")) as world:
        yield world


def asking(world, *, base_url="http://127.0.0.1:9090", token=None, **options) -> TestClient:
    names = names_of("127.0.0.1", ["annotate.example"])
    app = backend_app(
        world.answering, world.folder / "pull.hint", token=token, names=names, **options
    )
    return TestClient(app, base_url=base_url)


@pytest.fixture
def client(world):
    return asking(world)


def answers(world, tasks):
    return LiveAnswers(world.answering)(tasks, lambda: False)


@pytest.mark.parametrize("path", ["/", "/health"])
def test_health(path, client, world):
    assert client.get(path).json() == {"status": "UP", "model_version": world.version}


def test_setup_says_the_version(client, world):
    answer = client.post("/setup", json=SETUP)
    assert answer.status_code == 200
    assert answer.json() == {"model_version": world.version}


@pytest.mark.parametrize(
    ("schema", "missing"),
    [
        (config(interface(["happy", "sad"])), "anger"),
        (CONFIG.replace('name="emotions"', 'name="feelings"'), "happy, sad, anger, neutral"),
        (CONFIG.replace('toName="video"', 'toName="text"'), "happy, sad, anger, neutral"),
        ("<View/>", "happy, sad, anger, neutral"),
        ("<View>", "happy, sad, anger"),
        ('<!DOCTYPE x [<!ENTITY e "happy">]><View>&e;</View>', "happy, sad, anger"),
        ("\ud800", "happy, sad, anger"),
        (None, "happy, sad, anger"),
        ([CONFIG], "happy, sad, anger"),
    ],
)
@pytest.mark.parametrize("path", ["/setup", "/predict"])
def test_a_project_without_our_labels_is_refused_in_a_line(path, schema, missing, client, caplog):
    body = json.dumps({"schema": schema, "label_config": schema, "tasks": []})
    answer = client.post(path, content=body, headers=JSON_TYPE)
    assert answer.status_code == 400
    line = answer.json()["error"]
    assert f"does not offer {missing}: connect a project" in line
    assert "\n" not in line
    assert line in caplog.text  # in Label Studio people see no more than the status


def test_more_choices_than_ours_are_fine(client):
    more = CONFIG.replace("<Choice ", '<Choice value="bored"/><Choice ', 1)
    assert client.post("/setup", json={**SETUP, "schema": more}).status_code == 200


def test_predictions_come_one_a_task_in_order(client, world):
    good = world.tasks()
    tasks = [None, good[2], {"data": {"sample_id": "0" * 16}}, good[0], "x", good[0], good[-1]]
    answer = client.post("/predict", json={"tasks": tasks, "label_config": CONFIG, "params": {}})
    assert answer.status_code == 200
    assert answer.json() == {"results": answers(world, tasks)}
    assert [bool(said) for said in answer.json()["results"]] == [
        False, True, False, True, False, True, False,
    ]  # fmt: skip


def test_a_webhook_hints_and_its_body_says_nothing(client, world):
    hint = world.folder / "pull.hint"
    hint.unlink(missing_ok=True)
    for body in (b'{"action": "ANNOTATION_CREATED"}', b"", b"not json", b"[" * 100_000):
        before = hint.stat().st_mtime_ns if hint.exists() else 0
        answer = client.post("/webhook", content=body, headers=JSON_TYPE)
        assert answer.status_code == 204
        assert hint.read_bytes() == b""
        assert hint.stat().st_mtime_ns >= before
    before = hint.stat().st_mtime_ns - 10**9
    os.utime(hint, ns=(before, before))
    client.post("/webhook", json={})
    assert hint.stat().st_mtime_ns > before


def test_a_hint_that_cannot_be_left_is_told(world, caplog):
    app = backend_app(world.answering, world.folder / "no folder" / "hint", names=["*"])
    answer = TestClient(app).post("/webhook", json={})
    assert answer.status_code == 503
    assert str(world.folder) not in answer.text
    assert "cannot touch" in caplog.text


@given(JSON)
def test_any_json_is_answered(world, body):
    client = asking(world)
    content = json.dumps(body)
    asked = client.post("/predict", content=content, headers=JSON_TYPE)
    assert asked.status_code in {200, 400}
    assert client.post("/setup", content=content, headers=JSON_TYPE).status_code == 400
    tasks = body if isinstance(body, list) else [body]
    given = client.post("/predict", content=json.dumps({"tasks": tasks}), headers=JSON_TYPE)
    assert given.status_code == 200
    assert given.json() == {"results": [[]] * len(tasks)}


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(world, body):
    client = asking(world)
    for path in ("/predict", "/setup"):
        answer = client.post(path, content=body, headers=JSON_TYPE)
        assert answer.status_code == 400
        assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"tasks":' * 50_000,
        b'{"tasks": [' + b"[" * 5_000 + b"]" * 5_000 + b"]}",
        b'{"tasks": ' + b"9" * 5_000 + b"}",
        b'{"tasks": {}}',
        b'{"tasks": null}',
        b"{}",
        b"[]",
        b'"tasks"',
        b"\xff\xfe",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_bodies_that_are_no_question(body, client):
    answer = client.post("/predict", content=body, headers=JSON_TYPE)
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]


def test_more_tasks_than_bounded_are_refused(client, monkeypatch):
    monkeypatch.setattr(backend, "MAX_TASKS", 3)
    assert client.post("/predict", json={"tasks": [0] * 3}).status_code == 200
    assert client.post("/predict", json={"tasks": [0] * 4}).status_code == 400


@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_too_large_is_refused_before_it_is_read_to_its_end(path, declared, world):
    given = 0

    def body():
        nonlocal given
        for _ in range(40):
            given += 1
            yield b" " * (1 << 20)

    length = {"content-length": str(40 << 20)} if declared else {}
    answer = Streaming(asking(world)).post(path, body(), {**JSON_TYPE, **length})
    assert answer == 413
    assert given <= (0 if declared else 11)


class Streaming:
    """starlette's client reads a body to its end first; this one hands it over bit by bit."""

    def __init__(self, client: TestClient) -> None:
        self.app = client.app

    def post(self, path: str, body, headers: dict[str, str]) -> int:
        sent: list[dict[str, object]] = []

        async def receive():
            chunk = next(body, None)
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        async def send(message):
            sent.append(message)

        raw = [(b"host", b"localhost")]
        raw += [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http", "method": "POST", "path": path, "headers": raw, "query_string": b"",
            "http_version": "1.1", "scheme": "http", "server": ("localhost", 1),
        }  # fmt: skip
        asyncio.run(self.app(scope, receive, send))
        return sent[0]["status"]


def test_a_body_that_does_not_arrive_is_not_waited_for(world, monkeypatch):
    monkeypatch.setattr(backend, "BODY_S", 0.05)
    app = asking(world).app
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/predict", "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_what_a_page_of_another_site_may_send_is_refused(kind, client):
    for path in ("/predict", "/setup", "/webhook"):
        answer = client.post(path, content=b'{"tasks": []}', headers={"content-type": kind})
        assert answer.status_code == 415


def test_there_is_nothing_else(client):
    for method, path in (("GET", "/predict"), ("POST", "/train"), ("PUT", "/setup")):
        assert client.request(method, path).status_code in {404, 405}
    assert client.get("/health/", follow_redirects=False).status_code == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9090", 200),
        ("localhost:9090", 200),
        ("LOCALHOST", 200),
        ("[::1]:9090", 200),
        ("annotate.example", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1@evil.example", 400),
        ("", 400),
    ],
)
def test_only_our_names_are_answered(host, status, client):
    assert client.get("/health", headers={"host": host}).status_code == status


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"ann:{password}".encode()).decode()


ASKED = [("GET", "/"), ("GET", "/health"), ("POST", "/setup"), ("POST", "/predict"),
         ("POST", "/webhook"), ("GET", "/nowhere")]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_with_a_token_set_everything_asks_for_it(method, path, world):
    client = asking(world, token=SECRET)
    body = {"json": {**SETUP, "tasks": []}} if method == "POST" else {}
    for wrong in ({}, {"authorization": basic("x" * 35)}, {"authorization": f"Token {SECRET}"}):
        answer = client.request(method, path, headers=wrong, **body)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
        assert SECRET not in answer.text
    for right in (basic(SECRET), f"Bearer {SECRET}"):
        answer = client.request(method, path, headers={"authorization": right}, **body)
        assert answer.status_code == (404 if path == "/nowhere" else 204 if "web" in path else 200)


def test_no_secret_and_no_body_is_logged_or_printed(world, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    client = asking(world, token=SECRET)
    right = {"authorization": basic(SECRET)}
    client.post("/setup", json=SETUP, headers=right)
    client.post("/setup", json={**SETUP, "schema": f"<View>{THEIRS}</View>"}, headers=right)
    client.post("/setup", json=SETUP)
    client.post("/predict", content=b"[" + THEIRS.encode(), headers={**right, **JSON_TYPE})
    client.post("/predict", json={"tasks": [{"data": THEIRS}]}, headers=right)
    client.post("/webhook", json={"action": THEIRS}, headers=right)
    assert "does not offer" in caplog.text
    seen = caplog.text + "".join(capfd.readouterr())
    for secret in (THEIRS, SECRET, basic(SECRET).split()[1], CONFIG):
        assert secret not in seen


def test_a_database_that_fails_is_told_here_and_not_there(world, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise EnvironmentFault("the database at /secret/place is locked")

    monkeypatch.setattr(type(world.answering.store), "clips_of_samples", fail)
    answer = asking(world).post("/predict", json={"tasks": world.tasks()})
    assert answer.status_code == 503
    assert "/secret/place" not in answer.text
    assert "is locked" in caplog.text


def test_tasks_past_the_deadline_get_nothing(world, monkeypatch):
    monkeypatch.setattr(backend, "ANSWER_S", 0.0)
    found = asking(world).post("/predict", json={"tasks": world.tasks()}).json()["results"]
    assert found == [[]] * len(world.tasks())


def test_when_it_is_to_stop_it_begins_with_no_more(world):
    client = asking(world, stopping=lambda: True)
    found = client.post("/predict", json={"tasks": world.tasks()}).json()["results"]
    assert found == [[]] * len(world.tasks())


def test_what_must_be_quick_is_answered_while_all_threads_are_busy(world, monkeypatch):
    go = threading.Event()

    def wait(*_: object) -> dict[str, int]:
        assert go.wait(60)
        return {}

    monkeypatch.setattr(type(world.answering.store), "clips_of_samples", wait)

    async def both() -> list[int]:
        transport = httpx.ASGITransport(app=asking(world).app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            body = {"tasks": world.tasks()}
            busy = [
                asyncio.create_task(client.post("/predict", json=body))
                for _ in range(backend.THREADS + 2)
            ]
            await asyncio.sleep(0.1)
            quick = [
                await client.get("/health"),
                await client.post("/setup", json=SETUP),
                await client.post("/webhook", json={}),
            ]
            assert not any(task.done() for task in busy)
            go.set()
            slow = await asyncio.gather(*busy)
            return [answer.status_code for answer in (*quick, *slow)]

    assert asyncio.run(both()) == [200, 200, 204] + [200] * (backend.THREADS + 2)


def test_it_listens_only_where_it_may(world):
    with pytest.raises(UsageError, match=TOKEN):
        serve_backend(world.answering, world.folder / "h", "0.0.0.0", 0, environ={})
    with pytest.raises(UsageError, match="is no host name"):
        serve_backend(world.answering, world.folder / "h", "::1", 0, environ={}, names=["*"])


def test_a_port_that_is_taken_is_said_to_be(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFault, match=f"port {port}: .*choose others with"):
            serve_backend(world.answering, world.folder / "h", "127.0.0.1", port, environ={})
