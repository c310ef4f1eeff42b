"""The media server, asked over real sockets."""

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import httpx
import pytest

from annotator.errors import EnvironmentFault, UsageError
from annotator.labelstudio.media_server import HEADERS, checked_origin, media_app, serve_media
from annotator.labelstudio.signed_urls import signed_url
from media_serving import KEY, ORIGIN, serving

NAME = "sample-0001.mp4"
DATA = bytes(range(256)) * 4_000  # several reads long
SECRET = b"nobody may read this"
LATER = int(time.time()) + 7_200
GET = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("served")
    (top / "secret-file.mp4").write_bytes(SECRET)
    inside = top / "excerpts"
    inside.mkdir()
    (inside / NAME).write_bytes(DATA)
    (inside / "empty-001.mp4").write_bytes(b"")
    (inside / "linked-01.mp4").symlink_to(top / "secret-file.mp4")
    (inside / "linked-02.mp4").symlink_to(inside / NAME)
    (inside / "folder-01.mp4").mkdir()
    (inside / "folder-01.mp4" / NAME).write_bytes(SECRET)
    (inside / ".sample-0001.mp4.draft").write_bytes(SECRET)
    os.mkfifo(inside / "a-pipe-01.mp4")
    return inside


@pytest.fixture(scope="module")
def server(folder):
    with serving(folder) as running:
        yield running


@pytest.fixture(scope="module")
def ask(server):
    """Asks for an excerpt with a good signature."""

    def ask(name=NAME, method="GET", expires_at=LATER, **headers):
        url = signed_url(server.url, name, KEY.encode(), expires_at)
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        return httpx.request(method, url, headers=headers)

    return ask


def query():
    return urlsplit(signed_url("http://h", NAME, KEY.encode(), LATER)).query.encode()


def test_the_whole_file(ask):
    answer = ask()
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, max-age=3600"
    assert "server" not in answer.headers


def test_it_is_kept_no_longer_than_its_address_holds(ask):
    limit = ask(expires_at=int(time.time()) + 100).headers["cache-control"]
    assert 90 <= int(limit.removeprefix("private, max-age=")) <= 100


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(DATA)),
        ("bytes=262100-600000", 262_100, 600_001),
        ("bytes=-10", len(DATA) - 10, len(DATA)),
        ("bytes=5-99999999999", 5, len(DATA)),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_range(ask, asked, start, stop, method):
    answer = ask(method=method, range=asked)
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(stop - start)
    assert answer.content == (DATA[start:stop] if method == "GET" else b"")


@pytest.mark.parametrize("asked", ["bytes=1024000-", "bytes=-0"])
def test_a_range_outside(ask, asked):
    answer = ask(range=asked)
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=" + "0-," * 3_000, "bytes=x", "lines=1-2", "bytes=9-1"]
)
def test_other_ranges_give_the_file_once(ask, asked):
    answer = ask(range=asked)
    assert (answer.status_code, answer.content) == (200, DATA)


def test_an_empty_file(ask):
    assert (ask("empty-001.mp4").status_code, ask("empty-001.mp4").content) == (200, b"")
    assert ask("empty-001.mp4", range="bytes=0-").status_code == 416


def test_a_changed_file_is_not_patched_together(ask):
    etag = ask().headers["etag"]
    assert ask(range="bytes=0-1", if_range=etag).status_code == 206
    assert ask(range="bytes=0-1", if_range='"other"').status_code == 200
    assert ask(if_none_match=etag).status_code == 304
    assert ask(if_none_match='"other"').status_code == 200


def test_head_says_what_get_would(ask):
    got, head = ask(), ask(method="HEAD")
    assert head.content == b""
    for name in ("content-length", "content-type", "etag", "accept-ranges"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods(ask, method):
    assert ask(method=method).status_code == 405


def test_an_expired_address(ask):
    answer = ask(expires_at=int(time.time()) - 1)
    assert (answer.status_code, answer.content) == (403, b"")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "tail",
    ["", "?", f"?expires={LATER}", f"?expires={LATER}&signature=", "?signature=a&expires=x"],
    ids=["nothing", "no query", "expiry alone", "empty signature", "no expiry"],  # not by the hour
)
@pytest.mark.parametrize("name", [NAME, "sample-9999.mp4", "no name", "linked-01.mp4"])
def test_without_a_signature_nothing_is_told(server, name, tail):
    answer = httpx.get(f"{server.url}/clips/{name}{tail}")
    assert (answer.status_code, answer.content) == (403, b"")


def test_a_signature_of_another_name_key_or_time(server):
    good = signed_url(server.url, NAME, KEY.encode(), LATER)
    others = (
        good.replace("sample-0001", "sample-0002"),
        good.replace(str(LATER), str(LATER + 1)),
        signed_url(server.url, NAME, b"x" * 64, LATER),
        good[:-2],
    )
    assert [httpx.get(url).status_code for url in others] == [403] * 4


@pytest.mark.parametrize(
    "name",
    ["sample-9999.mp4", "linked-01.mp4", "linked-02.mp4", "folder-01.mp4", "a-pipe-01.mp4"],
)
def test_what_is_no_file_of_the_folder_is_not_there(ask, name):
    answer = ask(name)
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("path", ["/", "/clips", "/clips/", "/docs", "/clips/a/b.mp4", "/health"])
def test_there_is_nothing_else(server, path):
    answer = httpx.get(server.url + path)
    assert answer.status_code == 404
    assert b"mp4" not in answer.content


@pytest.mark.parametrize(
    "target",
    [
        b"/clips/../secret-file.mp4",
        b"/clips/%2e%2e/secret-file.mp4",
        b"/clips/%2e%2e%2fsecret-file.mp4",
        b"/clips/..%2f..%2f..%2f..%2fetc%2fpasswd",
        b"/clips/%252e%252e%252fsecret-file.mp4",
        b"/clips/..%5csecret-file.mp4",
        b"/clips/folder-01.mp4%2fsample-0001.mp4",
        b"/clips/folder-01.mp4/sample-0001.mp4",
        b"/clips//etc/passwd",
        b"/clips/%2fetc%2fpasswd",
        b"//etc/passwd",
        b"/clips/sample-0001.mp4%00",
        b"/clips/sample-0001.mp4%00.mp4",
        b"/clips/sample-0001.mp4%0a",
        b"/clips/sample-0001.mp4/",
        b"/clips/.sample-0001.mp4.draft",
        b"/clips/%c0%ae%c0%ae%c0%afsecret-file.mp4",
        b"/clips/%ff%fe.mp4",
        b"/clips/SAMPLE-0001.MP4",
        b"http://elsewhere/clips/../secret-file.mp4",
        b"/./clips/./../secret-file.mp4",
    ],
)
def test_no_way_out_of_the_folder(server, target):
    for tail in (b"", b"?" + query()):
        answer = server.raw(GET % (target + tail))
        assert answer.split(b" ", 2)[1] in (b"400", b"403", b"404"), answer[:200]
        assert SECRET not in answer
        assert b"root:" not in answer
        assert b"location" not in answer.lower()


def test_malformed_requests_end_and_the_server_lives(server, ask):
    for request in (
        b"GET /clips/\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01" + b"\0" * 100,
        b"GET /clips/" + b"a" * 20_000,  # and no end of it
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000,
    ):
        answer = server.raw(request)
        assert answer.split(b" ", 2)[1] in (b"400", b"431"), answer[:100]
    assert ask().status_code == 200


def test_one_origin_may_read(ask):
    ours, theirs = ask(origin=ORIGIN), ask(origin="http://evil.example.org")
    assert ours.headers["access-control-allow-origin"] == ORIGIN
    assert "Content-Range" in ours.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in theirs.headers
    assert "access-control-allow-credentials" not in ours.headers
    assert ours.headers["vary"] == "Origin"


def test_the_question_before_a_range(ask):
    asks = {"access_control_request_method": "GET", "access_control_request_headers": "range"}
    ours = ask(method="OPTIONS", origin=ORIGIN, **asks)
    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert ask(method="OPTIONS", origin="http://evil.example.org", **asks).status_code == 400
    asks["access_control_request_method"] = "DELETE"
    assert ask(method="OPTIONS", origin=ORIGIN, **asks).status_code == 400


def test_every_answer_has_the_headers(server, ask):
    answers = [ask(), ask(range="bytes=0-1"), ask("sample-9999.mp4"), ask(method="POST")]
    answers += [httpx.get(server.url), ask(expires_at=1), ask(range="bytes=9999999-")]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, answer


def test_a_file_made_anew_while_it_is_sent_comes_whole(server, folder, ask):
    """What was opened is sent; half of one and half of another would not play."""
    big, path = os.urandom(8 << 20), folder / "replaced-1.mp4"
    path.write_bytes(big)
    url = urlsplit(signed_url(server.url, path.name, KEY.encode(), LATER))
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(GET % f"{url.path}?{url.query}".encode())
        answer = connection.recv(1 << 16)
        other = folder / ".other"
        other.write_bytes(b"x" * 100)
        other.replace(path)
        while data := connection.recv(1 << 20):
            answer += data
    assert answer.partition(b"\r\n\r\n")[2] == big
    assert ask(path.name).content == b"x" * 100


def test_readers_that_leave_do_no_harm(server, folder, ask):
    import psutil

    path = folder / "big-file-1.mp4"
    path.write_bytes(bytes(16 << 20))
    url = urlsplit(signed_url(server.url, path.name, KEY.encode(), LATER))
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(GET % f"{url.path}?{url.query}".encode())
            connection.recv(100)
    assert ask().content == DATA
    process = psutil.Process(server.process.pid)
    until = time.monotonic() + 20
    while any(path.name in file.path for file in process.open_files()):
        assert time.monotonic() < until, "files stay open"
        time.sleep(0.05)


def test_it_stops_at_ctrl_c_and_has_said_no_secret(folder):
    with serving(folder) as running:
        url = signed_url(running.url, NAME, KEY.encode(), LATER)
        assert httpx.get(url).status_code == 200
        assert httpx.get(url.replace("sample-0001", "sample-0002")).status_code == 403
        running.raw(b"GET /clips/x?signature=mysignature\r\n\r\n")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(30) == 0
    said = "".join(running.said)
    assert said.endswith("stopped\n")
    assert "signature" not in said
    assert KEY not in said
    assert "Traceback" not in said


def test_sigterm_stops_it_as_well(folder):
    with serving(folder) as running:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0


SIGNALLED_AT_ONCE = """
import os, signal, sys
from pathlib import Path
from annotator.labelstudio.media_server import serve_media
serve_media(Path(sys.argv[1]), b"k" * 64, "http://h", port=0,
            ready=lambda url: os.kill(os.getpid(), signal.SIGTERM))
"""


def test_a_signal_before_anything_is_served_stops_it_too(folder):
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED_AT_ONCE, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=20,
        check=False,
    )
    assert done.returncode == 0


def test_a_port_that_is_taken(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFault, match=rf"cannot listen at 127\.0\.0\.1:{port} \(Addr"):
            serve_media(folder, KEY.encode(), ORIGIN, port=port)


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be(folder, host, port):
    with pytest.raises(EnvironmentFault, match="name another --host or --port"):
        serve_media(folder, KEY.encode(), ORIGIN, host=host, port=port)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="`annotate export` makes it"):
        serve_media(tmp_path / "none", KEY.encode(), ORIGIN)


@pytest.mark.parametrize(
    "origin",
    ["*", "", "null", "labels.example.org", "http://", "http://h/path", "http://u:p@h", "http://h:x",
     "http://h?x", "ftp://h", "http://h:99999"],
)  # fmt: skip
def test_what_is_no_origin(tmp_path, origin):
    with pytest.raises(UsageError, match="not an origin"):
        media_app(tmp_path, KEY.encode(), origin)


def test_origins():
    assert checked_origin("https://Labels.Example.org") == "https://labels.example.org"
    assert checked_origin("http://[::1]:8080/") == "http://[::1]:8080"
