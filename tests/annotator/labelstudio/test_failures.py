"""Whatever is wrong with a server: one line with the remedy, in bounded time, without the token."""

import contextlib
import re
import socket
import threading
import traceback
from collections.abc import Iterator

import jwt
import pytest

from annotator.errors import AnnotateError, EnvironmentFault, UsageError
from annotator.labelstudio import client as clients
from annotator.labelstudio.client import PatientClient
from annotator.labelstudio.failures import MAX_DETAIL, Missing, ServerFault, retry_after
from annotator.labelstudio.server import Account, Server, account
from faulty_proxy import Fault, Proxy, faulty_proxy

SECRET = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2"
HOSTILE = (
    '{"detail": "no\\nsuch \\u001b[31mthing\\u0000 %s' + "x" * 5000 + '", "validation_errors": {}}'
).encode()

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def slept(monkeypatch) -> list[float]:
    """Instead of waiting, what would have been waited."""
    waits: list[float] = []
    monkeypatch.setattr(PatientClient, "sleep", staticmethod(waits.append))
    return waits


@pytest.fixture
def proxy(label_studio, slept) -> Iterator[Proxy]:
    """A proxy that fails whatever it is asked."""
    with faulty_proxy(label_studio.url) as made:
        made.wanted = lambda _method, _path: True
        yield made


def refused(*faults: Fault, **answer: object) -> list[Fault]:
    """The same failure for every try."""
    return list(faults) or [Fault(forward=False, **answer)] * clients.TRIES


def failure(address: str, *, token: str = SECRET, timeout_s: float = 5.0, write: bool = False):
    """What comes of asking; whatever it is, it is a line, and the token is nowhere."""
    with pytest.raises(AnnotateError) as caught:
        server = Server(Account(address, token), timeout_s=timeout_s)
        server.import_tasks(1, [{"data": {}}]) if write else server.project(1)
    error = caught.value
    assert re.fullmatch(r"cannot [^\n]{10,400}", str(error))
    assert str(error).isprintable()
    shown = "".join(
        traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )
    assert error.__suppress_context__
    for text in (str(error), repr(error), repr(error.__dict__), "".join(error.args), *(
        line for line in shown.splitlines() if not line.strip().startswith("token =")  # our own
    )):  # fmt: skip
        assert token not in text
    return error


def nobody_listens() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_server_that_is_down(slept):
    address = nobody_listens()
    error = failure(address)
    assert isinstance(error, ServerFault)
    assert error.certain
    assert str(error) == (
        f"cannot open project 1: no Label Studio at {address}; start it, or set LABEL_STUDIO_URL "
        "to where it is"
    )
    assert len(slept) == clients.TRIES - 1


@pytest.mark.parametrize("host", ["no-such-host.invalid", "[::1%bad]", "a" * 70 + ".invalid"])
def test_a_host_that_is_none(host, slept):
    error = failure(f"http://{host}:8080")
    assert isinstance(error, EnvironmentFault)
    assert "LABEL_STUDIO_URL" in str(error)


def test_a_wrong_token(label_studio):
    error = failure(label_studio.url)
    assert isinstance(error, ServerFault)
    assert error.certain
    assert re.search(r"does not accept the token \(.+\); set LABEL_STUDIO_API_KEY", str(error))


@pytest.mark.parametrize("claims", [{"exp": 1_000_000_000}, {}, {"exp": "soon"}])
def test_a_personal_token_that_cannot_be_used_is_told_before_anything_is_asked(claims):
    token = jwt.encode({"token_type": "refresh", **claims}, "k" * 32, algorithm="HS256")
    error = failure(nobody_listens(), token=token)
    assert str(error).startswith("cannot use the token: Label Studio at ")
    assert isinstance(error, ServerFault)


def test_an_expired_personal_token_says_so():
    token = jwt.encode({"token_type": "refresh", "exp": 1_000_000_000}, "k" * 32)
    assert "does not accept the token (API key has expired" in str(
        failure(nobody_listens(), token=token)
    )


def test_a_personal_token_that_the_server_does_not_know(label_studio):
    token = jwt.encode({"token_type": "refresh", "exp": 4_000_000_000}, "k" * 32)
    error = failure(label_studio.url, token=token)
    assert "does not accept the token" in str(error)


def test_a_project_that_is_not_there(label_studio):
    server = Server(Account(label_studio.url, label_studio.token))
    with pytest.raises(Missing, match=r"^cannot open project 999999: .* has no such thing"):
        server.project(999_999)
    with pytest.raises(Missing, match=r"^cannot send 1 tasks to project 999999: "):
        server.import_tasks(999_999, [{"data": {}}])


@pytest.mark.parametrize(
    "body", [b"<html>Log in</html>", b"[]", b'{"id": "x"}', b"null", b"", b"[" * 200_000]
)
def test_an_answer_that_is_none(body, proxy):
    proxy.faults += refused(status=200, body=body)
    error = failure(proxy.address)
    assert isinstance(error, ServerFault)
    assert not error.certain
    assert "is that a proxy or a login page? Set LABEL_STUDIO_URL to the server" in str(error)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect(status, proxy):
    proxy.faults += refused(status=status, headers={"Location": "http://127.0.0.1:9/"}, body=b"")
    error = failure(proxy.address)
    assert str(error).endswith("sends us elsewhere; set LABEL_STUDIO_URL to its final address")
    assert isinstance(error, ServerFault)
    assert len(proxy.asked) == 1


def test_a_user_who_may_not(proxy):
    proxy.faults += refused(status=403, body=b'{"detail": "Not yours."}')
    error = failure(proxy.address)
    assert "does not allow it (Not yours.); use the token of a user who may" in str(error)
    assert isinstance(error, ServerFault)
    assert error.certain


@pytest.mark.parametrize(
    "body",
    [HOSTILE, b'{"detail": ["a"]}', b'{"validation_errors": {"\\n": "\\u001b"}}', b"\xff\xfe",
     b'"text"'],
)  # fmt: skip
def test_a_refusal_in_hostile_words(body, proxy):
    proxy.faults += refused(status=400, body=body)
    error = failure(proxy.address, write=True)
    assert isinstance(error, UsageError)
    assert "does not accept it" in str(error)
    assert str(error).endswith("(status 400); its log may say more")
    assert len(str(error)) < MAX_DETAIL + 200


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_server_in_trouble(status, proxy, slept):
    proxy.faults += refused(status=status)
    error = failure(proxy.address)
    assert isinstance(error, ServerFault)
    assert not error.certain
    assert f"failed with status {status}; see its log, then try again" in str(error)
    assert slept == [1.0, 2.0]


def test_connections_that_break(proxy, slept):
    proxy.faults += refused(drop=True)
    error = failure(proxy.address)
    assert re.search(r"the connection to .* broke \(\w+\); try again$", str(error))
    assert isinstance(error, ServerFault)
    assert not error.certain
    assert not proxy.faults


@pytest.mark.parametrize("write", [False, True])
def test_a_server_that_is_slow(write, proxy, monkeypatch):
    monkeypatch.setattr("annotator.labelstudio.server.IMPORT_TIMEOUT_S", 0.2)
    proxy.faults += refused(Fault(forward=False, wait_s=2.0))
    error = failure(proxy.address, timeout_s=0.2, write=write)
    assert str(error).endswith("did not answer in time; try again when it is less busy")
    assert isinstance(error, ServerFault)
    assert not error.certain
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("headers", "said", "wait"),
    [
        ({}, "wait and try again", None),
        ({"Retry-After": "60"}, "wait 60 s and try again", 60.0),
        ({"retry-after": "3600"}, "wait 3600 s and try again", 3600.0),
        ({"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, "wait and try again", None),
        ({"X-RateLimit-Reset": "4000000000"}, "wait and try again", None),
        ({"Retry-After": "9" * 400}, "wait and try again", None),
    ],
)
def test_a_server_that_is_asked_too_often(headers, said, wait, write, proxy, slept):
    proxy.faults += refused(status=429, headers=headers)
    error = failure(proxy.address, write=write)
    assert str(error).endswith(f"is asked too often; {said}")
    assert isinstance(error, ServerFault)
    assert error.certain
    assert error.retry_s == wait
    assert len(proxy.asked) == (1 if write or wait else clients.TRIES)


@pytest.mark.parametrize("seconds", ["0", "1", "5", "6", "60", "100000"])
def test_no_read_waits_longer_than_a_few_seconds(seconds, proxy, slept, label_studio):
    proxy.faults += refused(status=429, headers={"Retry-After": seconds})
    failure(proxy.address)
    assert sum(slept) <= (clients.TRIES - 1) * clients.MAX_PAUSE_S
    assert len(proxy.asked) == (clients.TRIES if float(seconds) <= clients.MAX_PAUSE_S else 1)


@pytest.mark.parametrize(
    "fault",
    [Fault(forward=False, status=503), Fault(drop=True), Fault(forward=False, status=429,
                                                               headers={"Retry-After": "2"})],
)  # fmt: skip
def test_a_read_that_fails_twice_succeeds(fault, proxy, label_studio):
    server = Server(Account(proxy.address, label_studio.token))
    proxy.faults += [fault] * (clients.TRIES - 1)
    assert server.projects("no such project") == []
    assert not proxy.faults


def test_nothing_is_written_twice(proxy, label_studio):
    server = Server(Account(proxy.address, label_studio.token))
    writes = [
        lambda: server.import_tasks(1, [{"data": {}}]),
        lambda: server.create_project("p", "<View/>"),
        lambda: server.update_project(1, title="p"),
        lambda: server.delete_task(1),
    ]
    for write in writes:
        proxy.faults[:] = refused(status=503)
        with pytest.raises(ServerFault, match="failed with status 503"):
            write()
        assert len(proxy.faults) == clients.TRIES - 1
    assert len(proxy.asked) == len(writes)


@contextlib.contextmanager
def endless(part: bytes, pause_s: float) -> Iterator[str]:
    """A server that begins an answer and never ends it."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65_536)
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
                        while not over.wait(pause_s):
                            connection.sendall(part)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            serving.join()


def test_a_server_that_drips():
    with endless(b" ", 0.05) as address:
        error = failure(address, timeout_s=0.5)
    assert "did not answer in time" in str(error)


def test_a_server_that_never_stops(monkeypatch):
    monkeypatch.setattr(clients, "MAX_BYTES", 100_000)
    with endless(b" " * 10_000, 0) as address:
        error = failure(address)
    assert isinstance(error, ServerFault)
    assert "broke (DecodingError)" in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"RETRY-AFTER": "3"}, 3.0), ({}, None), ({"Retry-After": "-3"}, None),
     ({"Retry-After": "1.5"}, None), ({"Retry-After": "٣"}, None),
     ({"Retry-After": "1" * 10}, None)],
)  # fmt: skip
def test_retry_after(headers, seconds):
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("url", "key", "named"),
    [
        ("http://ls:1", "", "LABEL_STUDIO_API_KEY"), ("", "secret", "LABEL_STUDIO_URL"),
        ("ftp://ls", "secret", "LABEL_STUDIO_URL"), ("ls:8080", "secret", "LABEL_STUDIO_URL"),
        ("http://", "secret", "LABEL_STUDIO_URL"), ("http://[", "secret", "LABEL_STUDIO_URL"),
        ("http://u:p@ls", "secret", "LABEL_STUDIO_URL"),
        ("http://ls", "secret words", "LABEL_STUDIO_API_KEY"),
        ("http://ls", "sécret", "LABEL_STUDIO_API_KEY"),
        ("http://ls", "secret\nX-Evil: 1", "LABEL_STUDIO_API_KEY"),
        ("http://ls:99999", "secret", "LABEL_STUDIO_URL"),
    ],
)  # fmt: skip
def test_an_environment_that_names_no_server(url, key, named):
    with pytest.raises(UsageError) as caught:
        account({"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": key})
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    for secret in ("secret", "sécret", "u:p@"):
        assert secret not in str(caught.value)


def test_an_environment_without_any():
    assert account({"LABEL_STUDIO_URL": " "}) is None


@pytest.fixture
def personal_token(label_studio) -> str:
    """The server's one: to make another would revoke it."""
    return str(label_studio.personal_token)


def test_both_kinds_of_token_are_let_in(personal_token, label_studio, proxy):
    for token in (label_studio.token, personal_token):
        people = Server(Account(label_studio.url, token)).people()
        assert label_studio.email in people.values()
    assert personal_token not in failure(nobody_listens(), token=personal_token).args[0]


def test_a_personal_token_is_renewed_through_trouble(personal_token, proxy):
    server = Server(Account(proxy.address, personal_token))
    proxy.faults += [Fault(drop=True)]
    assert server.projects("no such project") == []
    assert proxy.asked.count("POST /api/token/refresh/") == 2


def test_a_server_below_a_path_renews_its_tokens_there(personal_token, proxy):
    error = failure(proxy.address + "/below", token=personal_token)
    assert proxy.asked == ["POST /below/api/token/refresh/"]
    assert isinstance(error, EnvironmentFault | UsageError)


def test_the_token_is_in_no_representation(label_studio):
    made = Account("http://ls:8080", SECRET)
    assert SECRET not in repr(made) + str(made) + f"{made}" + repr(vars(Server(made)))
