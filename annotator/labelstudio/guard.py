"""Who may ask the ML backend: from where, under which names, and with which token."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from annotator.errors import UsageError

TOKEN = "ANNOTATE_SERVE_TOKEN"  # noqa: S105  the variable's name
MIN_TOKEN = 32  # characters
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def token_of(environ: Mapping[str, str], host: str) -> str | None:
    """The token that whoever asks must show, or None where nobody need show any.

    Raises:
        UsageError: it is too short, or there is none and `host` can be reached from elsewhere.

    >>> token_of({}, "127.0.0.1"), token_of({TOKEN: "0123456789abcdef" * 2}, "0.0.0.0")
    (None, '0123456789abcdef0123456789abcdef')
    """
    token = environ.get(TOKEN, "")
    if not token:
        if not is_loopback(host):
            raise UsageError(
                f"at {host} other machines can ask too: set {TOKEN} to a secret of at least "
                f"{MIN_TOKEN} characters, or leave --host at 127.0.0.1"
            )
        return None
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"{TOKEN} must be at least {MIN_TOKEN} ASCII characters without spaces: take a random "
            'one, as `python -c "import secrets; print(secrets.token_hex(32))"` gives'
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address.

    >>> is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def names_of(host: str, given: Sequence[str]) -> list[str]:
    """The names by which the backend may be asked for; all where it is not on loopback alone.

    A page of another site can have its name point to this machine and then ask as if it were from
    here, but its requests carry that name.

    Raises:
        UsageError: what was given is no name.
    """
    for name in given:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no host name: name one without a port, as in my.host")
    if given or is_loopback(host):
        address = f"[{host}]" if ":" in host else host
        return [*LOOPBACK, address, *given]
    return ["*"]


def admitted(authorization: str, token: str) -> bool:
    """Whether a header shows the token, as the password of any user or as a bearer's.

    >>> admitted("Bearer secret", "secret"), admitted("Basic YW5uOnNlY3JldA==", "secret")
    (True, True)
    >>> admitted("", "secret"), admitted("Basic secret", "secret")
    (False, False)
    """
    scheme, _, said = authorization.partition(" ")
    shown = said.strip().encode("latin-1", "replace")
    if scheme.lower() == "basic":
        try:
            shown = base64.b64decode(shown, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(shown, token.encode())


class TokenGuard:
    """Lets no request through, nor its body be read, that does not show the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] == "http" and not admitted(
            Headers(scope=scope).get("authorization", ""), self._token
        ):
            refusal = JSONResponse(
                {"error": f"show the token: as the password of basic authentication ({TOKEN})"},
                status_code=401,
                headers={"WWW-Authenticate": 'Basic realm="annotate"'},
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
