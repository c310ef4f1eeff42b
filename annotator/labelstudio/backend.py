"""A Label Studio ML backend: live predictions with uncertainty, and a webhook that hints to pull.

What comes in is hostile until parsed. Nothing of it is kept or logged: setting up, Label Studio
sends a user's API token. It waits 1 s for health and webhooks, 3 s for a setup and 100 s for
predictions, so health is answered while the rest waits for a thread.
"""

import json
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import uvicorn
from anyio import CapacityLimiter, fail_after, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from annotator.errors import EnvironmentFault
from annotator.interrupt import until_interrupted
from annotator.labelstudio.guard import TokenGuard, names_of, token_of
from annotator.labelstudio.interface import lacking
from annotator.labelstudio.live import Answering, LiveAnswers
from annotator.labelstudio.payload import Json

MAX_BYTES = 10 << 20  # of a body: about 8,000 tasks of ours
MAX_TASKS = 20_000  # in a body: each gets an answer, however short it was
MAX_HEADER_BYTES = 16 << 10  # of a request's head that is held while the rest is waited for
BODY_S = 20.0  # for a body to arrive
ANSWER_S = 80.0  # for predictions: Label Studio gives up after 100
THREADS = 4  # that parse and answer at once: what they hold in memory is bounded
SETUP_THREADS = 2  # of their own: a setup comes before every prediction and may not wait
MAX_SETUP = 1 << 20  # bytes; it has the labelling interface, but no tasks
CONNECTIONS = 64  # at once; more are answered 503
STOP_S = 5  # for what is under way at Ctrl-C

_log = logging.getLogger(__name__)


def backend_app(
    answering: Answering,
    hint: Path,
    *,
    token: str | None = None,
    names: Sequence[str] = ("localhost",),
    stopping: Callable[[], bool] = lambda: False,
) -> Starlette:
    """The backend as an ASGI application.

    Args:
        answering: whose predictions it gives.
        hint: the file that a webhook touches, for `annotate pull --watch`.
        token: what every request must show; None lets everyone in.
        names: the host names it may be asked for by; * is any.
        stopping: whether to begin with no more.
    """
    backend = _Backend(answering, hint, stopping)
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)]
    if token is not None:
        guards.append(Middleware(TokenGuard, token=token))
    app = Starlette(
        routes=[
            Route("/", backend.health, methods=["GET"]),
            Route("/health", backend.health, methods=["GET"]),
            Route("/setup", backend.setup, methods=["POST"]),
            Route("/predict", backend.predict, methods=["POST"]),
            Route("/webhook", backend.webhook, methods=["POST"]),
        ],
        middleware=guards,
        exception_handlers={HTTPException: _told, EnvironmentFault: _told},
    )
    app.router.redirect_slashes = False
    return app


def serve_backend(
    answering: Answering,
    hint: Path,
    host: str,
    port: int,
    *,
    environ: Mapping[str, str],
    names: Sequence[str] = (),
    ready: Callable[[str], None] = lambda _address: None,
) -> None:
    """Serve the backend until Ctrl-C.

    Args:
        answering: whose predictions it gives.
        hint: the file that a webhook touches.
        host: the address to listen at.
        port: likewise.
        environ: has the token, which `host` may demand.
        names: host names it may be asked for by, besides those of this machine.
        ready: told the address once it listens.

    Raises:
        UsageError: the token is missing or too short, or a name is none.
        EnvironmentFault: the address is taken or not of this machine.
    """
    token = token_of(environ, host)
    allowed = names_of(host, names)

    def stopping() -> bool:
        return server.should_exit

    app = backend_app(answering, hint, token=token, names=allowed, stopping=stopping)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=STOP_S,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    # running, uvicorn hears signals itself, and raises them again when it has stopped
    with _listening(host, port) as listener, until_interrupted(stop):
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{listener.getsockname()[1]}")
        server.run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        told = getattr(error, "strerror", None) or type(error).__name__
        reason = told.partition(" (while")[0]  # Python adds the address, which we say ourselves
        raise EnvironmentFault(
            f"cannot listen at {host}, port {port}: {reason}; choose others with --host and --port"
        ) from error


class _Backend:
    """The endpoints."""

    def __init__(self, answering: Answering, hint: Path, stopping: Callable[[], bool]) -> None:
        self._answering = answering
        self._answers = LiveAnswers(answering)
        self._hint = hint
        self._stopping = stopping
        self._threads = CapacityLimiter(THREADS)
        self._setup_threads = CapacityLimiter(SETUP_THREADS)

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "UP", "model_version": self._answering.version})

    async def setup(self, request: Request) -> Response:
        body = await _body(request, MAX_SETUP)
        work = partial(self._check_setup, body)
        await to_thread.run_sync(work, limiter=self._setup_threads)
        return JSONResponse({"model_version": self._answering.version})

    async def predict(self, request: Request) -> Response:
        too_late = time.monotonic() + ANSWER_S
        body = await _body(request, MAX_BYTES)
        work = partial(self._predict, body, too_late)
        return await to_thread.run_sync(work, limiter=self._threads)

    async def webhook(self, request: Request) -> Response:
        await to_thread.run_sync(self._leave_hint)
        await _body(request, MAX_BYTES)  # unread, it would break the connection
        return Response(status_code=204)

    def _check_setup(self, body: bytes) -> None:
        asked = _object(body)
        self._check_config(asked.get("schema", asked.get("label_config")))

    def _predict(self, body: bytes, too_late: float) -> Response:
        asked = _object(body)
        tasks = asked.get("tasks")
        if not isinstance(tasks, list) or len(tasks) > MAX_TASKS:
            raise HTTPException(400, f"tasks must be a list of at most {MAX_TASKS}")
        if "label_config" in asked:
            self._check_config(asked["label_config"])
        del asked

        def out_of_time() -> bool:
            return time.monotonic() >= too_late or self._stopping()

        return JSONResponse({"results": self._answers(tasks, out_of_time)})

    def _check_config(self, config: object) -> None:
        """Refuse a project in which nobody could pick what we predict."""
        try:
            if not isinstance(config, str):
                raise ValueError("none")
            missing = lacking(config, self._answering.shape)
        except ValueError:
            missing = list(self._answering.shape.labels)
        if missing:
            line = (
                f"the project's labelling interface does not offer {', '.join(missing)}: connect a "
                f"project that `annotate export` made for model {self._answering.model.name!r}"
            )
            _log.warning("A project was refused: %s", line)  # people see no more than the status
            raise HTTPException(400, line)

    def _leave_hint(self) -> None:
        try:
            self._hint.touch()
        except OSError as error:
            raise EnvironmentFault(
                f"cannot touch {self._hint} ({error.strerror}): make the folder writable; until "
                "then `annotate pull --watch` goes by its clock alone"
            ) from error


async def _body(request: Request, most: int) -> bytes:
    """A body of at most `most` bytes, if it calls itself JSON: other sites' pages may send no such.

    Raises:
        HTTPException: it is larger or something else, or does not arrive.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "the content must be application/json")
    too_large = HTTPException(413, f"the body may have {most >> 20} MB: ask about fewer tasks")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > most:
        raise too_large
    body = bytearray()
    try:
        with fail_after(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {BODY_S:.0f} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None
    return bytes(body)


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body must be JSON, not deeply nested") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return found


def _told(_request: Request, error: Exception) -> Response:
    """What became of a request in one line; our own faults are told here, and there only that."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
    _log.warning("%s", error)
    return JSONResponse({"error": "the backend cannot do it now: see its own output"}, 503)
