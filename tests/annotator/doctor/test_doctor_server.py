"""A Label Studio that is not there, refuses, or answers with a page; the token is nowhere."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from annotator.doctor import label_studio as checked
from annotator.doctor.check import attempt
from annotator.labelstudio.client import PatientClient

SECRET = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(PatientClient, "sleep", staticmethod(lambda _: None))


@contextmanager
def pretended(answers):
    """A server that answers paths with a status and a body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers.get(self.path.rstrip("/"), (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def look(address, token=SECRET):
    environ = {"LABEL_STUDIO_URL": address, "LABEL_STUDIO_API_KEY": token}
    (check,) = attempt(checked.NAME, lambda: checked.checks(environ))
    assert SECRET not in repr(check)
    assert "\n" not in check.found + check.remedy
    return check


VERSION = {"/api/version": (200, b'{"release": "1.2.3"}')}


def test_one_that_answers():
    who = json.dumps({"id": 1, "email": "ann@example.org"}).encode()
    with pretended(VERSION | {"/api/current-user/whoami": (200, who)}) as address:
        check = look(address)
    assert check.state == "ok"
    assert check.found == f"1.2.3 at {address}, as ann@example.org"


def test_a_token_that_is_not_accepted():
    refused = (401, b'{"detail": "Invalid token."}')
    with pretended(VERSION | {"/api/current-user/whoami": refused}) as address:
        check = look(address)
    assert check.state == "failed"
    assert "set LABEL_STUDIO_API_KEY to a valid one" in check.remedy


def test_one_that_is_down():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        check = look(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert check.state == "failed"
    assert "start it, or set LABEL_STUDIO_URL" in check.remedy


def test_one_that_never_answers(monkeypatch):
    monkeypatch.setattr(checked, "TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        check = look(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert (check.state, "did not answer in time" in check.remedy) == ("failed", True)


def test_a_login_page_in_its_place():
    with pretended({"/api/version": (200, b"<html>log in</html>")}) as address:
        assert "login page" in look(address).remedy


def test_half_a_configuration():
    (check,) = attempt(checked.NAME, lambda: checked.checks({"LABEL_STUDIO_API_KEY": SECRET}))
    assert (check.state, SECRET in repr(check)) == ("failed", False)
    assert "LABEL_STUDIO_URL is not" in check.remedy


def test_none_is_no_fault_and_says_how_to_name_one():
    (check,) = checked.checks({})
    assert check.state == "ok"
    assert "LABEL_STUDIO_URL" in check.remedy


def test_a_real_one(label_studio):
    check = look(label_studio.url, label_studio.token)
    assert (check.state, check.found.endswith(f"as {label_studio.email}")) == ("ok", True)


def test_a_real_one_with_a_wrong_token(label_studio):
    assert "set LABEL_STUDIO_API_KEY to a valid one" in look(label_studio.url, SECRET).remedy
