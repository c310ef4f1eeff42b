"""A proxy before a real server that does the harm it is told to, to the requests it is told of."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

DROPPED = {"connection", "transfer-encoding", "content-length"}


@dataclass
class Fault:
    """Harm to one request: what becomes of it and what the client gets.

    `forward`: the server gets it. `status`: the client gets this with `body` and `headers`; None
    is the server's own answer. `drop`: the client gets nothing, the connection ends. `wait_s`:
    before the server gets it, which it does even if the client has gone.
    """

    forward: bool = True
    status: int | None = None
    drop: bool = False
    wait_s: float = 0.0
    body: bytes = b"<html>a page</html>"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Proxy:
    """Where it listens, the faults that wait for imports, and the paths that were asked for."""

    address: str
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    wanted: Callable[[str, str], bool] = lambda method, path: method == "POST" and "/import" in path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self, method: str, path: str) -> Fault:
        with self.lock:
            self.asked.append(f"{method} {path.partition('?')[0]}")
            return self.faults.pop(0) if self.faults and self.wanted(method, path) else Fault()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.proxy = Proxy(f"http://127.0.0.1:{self.server_port}")


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.proxy.next_fault(self.command, self.path)
        time.sleep(fault.wait_s)
        answer = self._forward(body) if fault.forward else None
        self.close_connection = True
        if fault.drop:
            return
        if fault.status is not None or answer is None:
            self._send(fault.status or 502, fault.headers, fault.body)
        else:
            self._send(*answer)

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.target, timeout=120)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in DROPPED}
        connection.request(self.command, self.path, body, headers)
        got = connection.getresponse()
        answer = got.read()
        connection.close()
        kept = {k: v for k, v in got.getheaders() if k.lower() not in DROPPED}
        return got.status, kept, answer

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has gone

    def log_message(self, *_: object) -> None:
        pass


for _method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler._relay)


@contextmanager
def faulty_proxy(target: str) -> Iterator[Proxy]:
    """A proxy on a free port of the loopback before the server at `target`."""
    server = _Server(target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
