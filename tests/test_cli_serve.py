"""annotate serve, as a user runs it."""

import re
import signal
import socket
import subprocess

import httpx
import pytest

from annotator.workspace import open_workspace
from commands import annotate, kill, start

SECRET = "s3cret-" * 5
THEIRS = "token-of-a-person-0123456789abcdef"


@pytest.fixture
def workspace(tmp_path):
    made = open_workspace(tmp_path / "ws", create=True)
    made.open_store().close()
    return made.root


def address_of(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    found = re.fullmatch(r"Model starter \w{8} answers at (http://\S+); Ctrl-C stops\.\n", line)
    assert found, line
    return found[1]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_stopped(workspace, stop):
    process = start("serve", "--port", 0, "--workspace", workspace, ANNOTATE_SERVE_TOKEN=SECRET)
    try:
        address = address_of(process)
        assert httpx.get(f"{address}/health").status_code == 401
        with httpx.Client(base_url=address, auth=("ann", SECRET)) as client:
            health = client.get("/health").json()
            assert health["status"] == "UP"
            refused = client.post("/setup", json={"schema": "<View/>", "access_token": THEIRS})
            assert refused.status_code == 400
            found = client.post("/predict", json={"tasks": [{"data": {"sample_id": "0" * 16}}]})
            assert found.json() == {"results": [[]]}
            assert client.post("/webhook", json={"action": THEIRS}).status_code == 204
        assert (workspace / "pull.hint").read_bytes() == b""
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)
    except BaseException:
        kill(process)
        raise
    assert process.returncode == 0
    assert b"Traceback" not in err
    assert b"does not offer" in err
    for secret in (SECRET, THEIRS):
        assert secret.encode() not in out + err


def test_a_body_over_the_wire_is_bounded(workspace):
    process = start("serve", "--port", 0, "--workspace", workspace)
    try:
        address = address_of(process)

        def much():
            for _ in range(200):
                yield b" " * (1 << 16)

        json_type = {"content-type": "application/json"}
        with httpx.Client(base_url=address) as client:
            try:
                answer = client.post("/predict", content=much(), headers=json_type)
                assert answer.status_code == 413
            except httpx.WriteError:  # the connection was closed on what it was still sending
                pass
            assert client.get("/health").status_code == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    except BaseException:
        kill(process)
        raise
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("options", "token", "code", "line"),
    [
        (["--host", "0.0.0.0"], "", 2, "set ANNOTATE_SERVE_TOKEN to a secret"),
        ([], "short-secret", 2, "at least 32 ASCII characters"),
        (["--allow-host", "*"], "", 2, "is no host name"),
        (["--model", "none"], "", 2, "no model 'none'"),
        (["--host", "203.0.113.7"], SECRET, 3, "cannot listen at 203.0.113.7, port 9090"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(workspace, options, token, code, line):
    done = annotate("serve", "--workspace", workspace, *options, ANNOTATE_SERVE_TOKEN=token)
    assert done.code == code
    assert line in done.err
    assert len(done.err.splitlines()) == 1
    assert not token or token not in done.err


def test_a_taken_port_is_said_to_be(workspace):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = annotate("serve", "--workspace", workspace, "--port", port)
    assert done.code == 3
    assert re.fullmatch(
        rf"Error: cannot listen at 127.0.0.1, port {port}: .* in use; .*\n", done.err
    )
