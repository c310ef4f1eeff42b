"""The server of the tests does what tests will ask of it."""

import json
import os
import socket
import subprocess
import sys
import urllib.request

import psutil
import pytest

import label_studio_server
import media_samples
from label_studio_login import personal_token, sdk_client
from label_studio_server import Home, Server, ServerError, load, serving, start, stop

CONFIG = (
    '<View><Video name="video" value="$video"/>'
    '<Choices name="emotions" toName="video"><Choice value="happy"/></Choices></View>'
)


def _get(server: Server, path: str, **headers: str):
    headers = {"Authorization": f"Token {server.token}"} | headers
    return urllib.request.urlopen(
        urllib.request.Request(server.url + path, headers=headers), timeout=60
    )


def _email(server: Server, token: str) -> str:
    with sdk_client(server.url, token) as client:
        return client.users.whoami().email


@pytest.fixture
def project(label_studio):
    with sdk_client(label_studio.url, label_studio.token) as client:
        made = client.projects.create(title="smoke", label_config=CONFIG)
        yield made
        client.projects.delete(made.id)


def test_it_says_that_it_is_healthy(label_studio):
    with _get(label_studio, "/health") as answer:
        assert json.load(answer)["status"] == "UP"


@pytest.mark.parametrize("kind", ["token", "personal_token"])
def test_both_kinds_of_token_say_who_asks(label_studio, kind):
    assert _email(label_studio, getattr(label_studio, kind)) == label_studio.email


def test_both_kinds_of_token_stay_enabled(label_studio):
    with _get(label_studio, "/api/jwt/settings") as answer:
        settings = json.load(answer)
    assert settings == {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}


def test_a_wrong_token_is_refused(label_studio):
    with pytest.raises(urllib.error.HTTPError) as refused:
        _get(label_studio, "/api/current-user/whoami", Authorization="Token " + "0" * 40)
    assert refused.value.code == 401


def test_no_secret_is_printed_with_it(label_studio):
    shown = repr(label_studio)
    for secret in (label_studio.token, label_studio.personal_token, label_studio.password):
        assert secret not in shown


def test_a_project_is_made_and_deleted(label_studio):
    with sdk_client(label_studio.url, label_studio.personal_token) as client:
        made = client.projects.create(title="short-lived", label_config=CONFIG)
        assert made.id in {found.id for found in client.projects.list()}
        client.projects.delete(made.id)
        assert made.id not in {found.id for found in client.projects.list()}


def test_media_comes_in_ranges_once_the_project_has_a_storage(label_studio, project):
    folder = label_studio.media_root / f"smoke-{project.id}"
    folder.mkdir()
    clip = media_samples.video(folder / "clip.mp4")
    path = f"/data/local-files/?d={folder.name}/clip.mp4"
    with pytest.raises(urllib.error.HTTPError) as unknown:
        _get(label_studio, path)
    assert unknown.value.code == 404
    with sdk_client(label_studio.url, label_studio.token) as client:
        client.import_storage.local.create(project=project.id, path=str(folder), use_blob_urls=True)
    with _get(label_studio, path, Range="bytes=10-19") as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes 10-19/{clip.stat().st_size}"
        assert answer.read() == clip.read_bytes()[10:20]


def test_a_server_that_would_move_to_another_port_is_started_again(
    label_studio_home, tmp_path, monkeypatch
):
    free = label_studio_server.free_port
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = iter([taken])
        monkeypatch.setattr(label_studio_server, "free_port", lambda: next(ports, None) or free())
        before = set(psutil.Process().children(recursive=True))
        with serving(label_studio_home, tmp_path / "server") as server:
            assert not server.url.endswith(f":{taken}")
            with _get(server, "/health") as answer:
                assert json.load(answer)["status"] == "UP"
            _check_that_a_second_personal_token_replaces_the_first(server)
    assert set(psutil.Process().children(recursive=True)) == before
    with pytest.raises(OSError, match="refused"):
        _get(server, "/health")


def test_a_server_that_gives_up_is_started_again_only_where_its_port_is_to_blame(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (tmp_path / "log").write_text("Error: That port is already in use.\n")
    assert not label_studio_server._answers(process, 1, 1, tmp_path)
    (tmp_path / "log").write_text("Error: the disk is full\n")
    with pytest.raises(ServerError, match="disk is full"):
        label_studio_server._answers(process, 1, 1, tmp_path)


def _check_that_a_second_personal_token_replaces_the_first(server: Server) -> None:
    from label_studio_sdk.core.api_error import ApiError

    second = personal_token(server.url, server.email, server.password)
    assert _email(server, second) == server.email
    with pytest.raises(ApiError):
        _email(server, server.personal_token)


@pytest.fixture
def other_home(label_studio_home, tmp_path) -> Home:
    """The same installation, with a background server of its own."""
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    home.environment.symlink_to(label_studio_home.environment)
    home.template.symlink_to(label_studio_home.template)
    return home


def test_a_background_server_starts_once_and_stops(other_home):
    started = start(other_home)
    try:
        assert start(other_home) == started == load(other_home.state)
        assert other_home.state.stat().st_mode & 0o777 == 0o600
        facts = json.loads(other_home.state.read_text())
        assert os.getpgid(facts["pid"]) == facts["pid"]
    finally:
        assert stop(other_home)
    assert not stop(other_home)
    with pytest.raises(ServerError, match="no server is running"):
        load(other_home.state)


def test_the_number_of_a_process_that_is_gone_is_not_trusted(tmp_path):
    home = Home(tmp_path)
    home.state.write_text(json.dumps({"pid": os.getpid(), "created": 1.0}))
    assert not stop(home)
    assert not home.state.exists()


def test_where_nothing_is_installed_starting_says_what_to_do(tmp_path):
    with pytest.raises(ServerError, match="first `install`"):
        start(Home(tmp_path))
