"""Serves the excerpts to the reviewers' browsers, and nothing else.

An address is signed and expires. A browser sends no header of ours with a video, so the address is
all there is to show; therefore it is in no log. Only regular files directly in the folder are
opened, and only by names of the one pattern.
"""

import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotator.errors import EnvironmentFault, UsageError
from annotator.interrupt import until_interrupted
from annotator.labelstudio.ranges import Unsatisfiable, asked_range
from annotator.labelstudio.signed_urls import good_for

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8081
READ_BYTES = 1 << 18
CACHE_S = 3600  # at most: an excerpt may be made anew under the same name
MAX_HEADER_BYTES = 16 << 10  # of a request's head that is held while the rest is waited for
MAX_CONNECTIONS = 128  # at once; more are told to come back
IDLE_S = 15  # before an idle connection is closed
STOP_S = 5  # that running answers have when the server stops
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",  # the player's page is of another origin
    "Content-Security-Policy": "default-src 'none'; media-src 'self'",
    "Referrer-Policy": "no-referrer",  # an address is a permission
}


def media_app(
    folder: Path, key: bytes, origin: str, *, now: Callable[[], float] = time.time
) -> Starlette:
    """The application that serves the excerpts of a folder.

    A wrong or expired signature is answered with 403 whatever it names; 404 is for those who may
    ask.

    Args:
        folder: of an `ExcerptCache`.
        key: of `signed_urls.media_key`.
        origin: the one whose pages may read the clips, as `https://labels.example.org`.
        now: seconds since 1970.

    Raises:
        UsageError: the origin is none.
    """
    cors = Middleware(
        CORSMiddleware,
        allow_origins=[checked_origin(origin)],
        allow_methods=["GET", "HEAD"],
        allow_headers=["Range"],
        expose_headers=["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
    )

    async def clip(request: Request) -> Response:
        name, query = request.path_params["name"], request.query_params
        expires, signature = query.get("expires", ""), query.get("signature", "")
        seconds = good_for(name, expires, signature, key, now())
        if not seconds:
            return _refusal(403)
        file = await anyio.to_thread.run_sync(_opened, folder, name)
        return _answer(request, file, seconds) if file else _refusal(404)

    app = Starlette(
        routes=[Route("/clips/{name}", clip, methods=["GET"])],  # HEAD comes with it
        middleware=[Middleware(_SecurityHeaders), cors],
    )
    app.router.redirect_slashes = False  # it would hand the signature on in a Location
    return app


def serve_media(
    folder: Path,
    key: bytes,
    origin: str,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; running answers are given `STOP_S` to end.

    Args:
        folder: of an `ExcerptCache`.
        key: of `signed_urls.media_key`.
        origin: the one whose pages may read the clips.
        host: the address to listen at.
        port: 0 takes a free one.
        ready: told the address once it is listened at.

    Raises:
        UsageError: the origin is none, or the folder is not there.
        EnvironmentFault: the address cannot be listened at.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder of excerpts {folder}: `annotate export` makes it")
    config = uvicorn.Config(
        media_app(folder, key, origin),
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,  # it would hold the signatures
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    # running, uvicorn hears signals itself, and raises them again when it has stopped
    with _listening(host, port) as listener, until_interrupted(stop):
        bound = listener.getsockname()[1]
        ready(f"http://{f'[{host}]' if ':' in host else host}:{bound}")
        server.run(sockets=[listener])


def checked_origin(origin: str) -> str:
    """The origin as a browser spells it.

    >>> checked_origin("HTTP://Localhost:8080/")
    'http://localhost:8080'

    Raises:
        UsageError: it is more or less than scheme, host and port.
    """
    parts = urlsplit(origin.strip().rstrip("/"))
    try:
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(
            f"not an origin: {origin!r}; expected one such as https://labels.example.org, the "
            "address of Label Studio without a path"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


@dataclass(frozen=True, slots=True)
class _OpenFile:
    descriptor: int
    size: int
    etag: str


def _opened(folder: Path, name: str) -> _OpenFile | None:
    """A regular file directly in the folder; None is anything else.

    The name is of the pattern: no other has a signature.
    """
    try:
        descriptor = os.open(folder / name, OPEN_FLAGS)
    except OSError:
        return None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        return None
    return _OpenFile(descriptor, found.st_size, f'"{found.st_mtime_ns:x}-{found.st_size:x}"')


def _refusal(status: int, headers: dict[str, str] | None = None) -> Response:
    """An answer without a word of why."""
    return Response(status_code=status, headers={"Cache-Control": "no-store"} | (headers or {}))


def _answer(request: Request, file: _OpenFile, seconds: int) -> Response:
    """All of the file or the part asked for; the answer closes it."""
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, max-age={min(seconds, CACHE_S)}",
        "ETag": file.etag,
    }
    asked = request.headers
    if asked.get("if-none-match") == file.etag:
        os.close(file.descriptor)
        return Response(status_code=304, headers=headers)
    current = asked.get("if-range", file.etag) == file.etag
    try:
        part = asked_range(asked.get("range"), file.size) if current else None
    except Unsatisfiable:
        os.close(file.descriptor)
        return _refusal(416, {"Content-Range": f"bytes */{file.size}"})
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    status, part = (200, range(file.size)) if part is None else (206, part)
    headers["Content-Length"] = str(len(part))
    if request.method == "HEAD":
        os.close(file.descriptor)
        return Response(status_code=status, headers=headers, media_type="video/mp4")
    return _FilePart(file.descriptor, part, status, headers)


class _FilePart(StreamingResponse):
    """Bytes of an open file: what was opened is sent, even if the name means another by now."""

    def __init__(self, descriptor: int, part: range, status: int, headers: dict[str, str]) -> None:
        self._descriptor = descriptor
        super().__init__(self._read(part), status, headers, media_type="video/mp4")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            os.close(self._descriptor)

    async def _read(self, part: range) -> AsyncIterator[bytes]:
        for start in range(part.start, part.stop, READ_BYTES):
            count = min(READ_BYTES, part.stop - start)
            yield await anyio.to_thread.run_sync(os.pread, self._descriptor, count, start)


class _SecurityHeaders:
    """Adds `HEADERS` to every answer, refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, partial(self._send, send))

    @staticmethod
    async def _send(send: Send, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise EnvironmentFault(
            f"cannot listen at {host}:{port} ({getattr(error, 'strerror', None) or error}): "
            "name another --host or --port"
        ) from error
