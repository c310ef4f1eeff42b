"""A media server in a process of its own, as `annotate` runs it, and raw requests to it."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

KEY = "k" * 64
ORIGIN = "http://labels.example.org"
PROGRAM = """
import os, sys
from pathlib import Path
from annotator.labelstudio.media_server import serve_media
from annotator.labelstudio.signed_urls import media_key
serve_media(Path(sys.argv[1]), media_key(os.environ), sys.argv[2], port=0,
            ready=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


@dataclass
class Server:
    url: str
    process: subprocess.Popen
    said: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def raw(self, request: bytes) -> bytes:
        """All that is answered to these very bytes, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(request)
            answer = b""
            while data := connection.recv(1 << 16):
                answer += data
        return answer

    def status(self, target: bytes, headers: bytes = b"") -> int:
        """The status of a GET for this very target."""
        request = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers
        return int(self.raw(request + b"\r\n").split(b" ", 2)[1])


@contextmanager
def serving(folder: Path, origin: str = ORIGIN):
    """A server of the folder; its output is kept in `said`."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), origin],
        env={**os.environ, "ANNOTATE_MEDIA_KEY": KEY, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Server(process.stdout.readline().strip(), process)
    reader = threading.Thread(target=lambda: server.said.extend(process.stdout))
    reader.start()
    try:
        assert server.url.startswith("http://127.0.0.1:"), server.url
        yield server
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
