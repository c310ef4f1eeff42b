"""What can go wrong between us and a Label Studio server, each said in one line with a remedy."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from annotator.errors import EnvironmentFault, UsageError

URL = "LABEL_STUDIO_URL"
KEY = "LABEL_STUDIO_API_KEY"
MAX_DIGITS = 9  # of the seconds a server wants us to wait
MAX_DETAIL = 200  # characters of what a server says that are repeated


class ServerFault(EnvironmentFault):
    """The server could not be asked, or did not do it.

    `certain`: nothing came of the request. Otherwise it may have been done all the same.
    `retry_s`: the seconds after which the server wants to be asked again, None if it does not say.
    """

    def __init__(self, message: str, *, certain: bool, retry_s: float | None = None) -> None:
        super().__init__(message)
        self.certain = certain
        self.retry_s = retry_s


class Missing(UsageError):
    """There is no such thing on the server."""


@contextmanager
def translated(address: str, what: str) -> Iterator[None]:
    """Turn what the SDK raises into our errors; no message has a header or a token in it.

    Args:
        address: of the server.
        what: was tried, as in "cannot ... ".

    Raises:
        ServerFault: the server is not there, refuses, or answers nonsense.
        Missing: it has no such thing.
        UsageError: it does not accept what was sent.
    """
    import httpx
    from label_studio_sdk.core.api_error import ApiError
    from label_studio_sdk.core.parse_error import ParsingError
    from pydantic import ValidationError

    where = f"Label Studio at {address}"
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise ServerFault(
            f"cannot {what}: no {where}; start it, or set {URL} to where it is", certain=True
        ) from None
    except httpx.TimeoutException:
        raise ServerFault(
            f"cannot {what}: {where} did not answer in time; try again when it is less busy",
            certain=False,
        ) from None
    except httpx.HTTPError as error:
        raise ServerFault(
            f"cannot {what}: the connection to {where} broke ({type(error).__name__}); try again",
            certain=False,
        ) from None
    except ApiError as error:
        raise _refused(error, where, what) from None
    except (ParsingError, ValidationError, ValueError, TypeError, KeyError, AttributeError,
            RecursionError):  # fmt: skip
        raise _page(where, what) from None


# What a status means where nothing came of the request, and the remedy.
_CERTAIN = {
    401: f"does not accept the token{{detail}}; set {KEY} to a valid one (Account & Settings)",
    403: "does not allow it{detail}; use the token of a user who may",
    429: "is asked too often; wait{wait} and try again",
}


def _refused(error: Any, where: str, what: str) -> EnvironmentFault | UsageError:
    status = error.status_code or 0
    said = f"cannot {what}: {where}"
    detail = _detail(error.body)
    fault: EnvironmentFault | UsageError
    if status < 300:
        fault = _page(where, what)
    elif status < 400:
        fault = ServerFault(
            f"{said} sends us elsewhere; set {URL} to its final address", certain=True
        )
    elif status in _CERTAIN:
        wait = retry_after(error.headers or {}) if status == 429 else None
        message = _CERTAIN[status].format(
            detail=detail, wait="" if wait is None else f" {wait:.0f} s"
        )
        fault = ServerFault(f"{said} {message}", certain=True, retry_s=wait)
    elif status == 404:
        fault = Missing(f"{said} has no such thing{detail}; look there whether it was removed")
    elif status >= 500 or status == 408:
        fault = ServerFault(
            f"{said} failed with status {status}; see its log, then try again", certain=False
        )
    else:
        fault = UsageError(
            f"{said} does not accept it{detail} (status {status}); its log may say more"
        )
    return fault


def _page(where: str, what: str) -> ServerFault:
    return ServerFault(
        f"cannot {what}: {where} answered with something that is not its data; is that a proxy or "
        f"a login page? Set {URL} to the server itself",
        certain=False,
    )


def retry_after(headers: Any) -> float | None:
    """The seconds that a Retry-After header asks for; None where it gives none, or a date.

    >>> retry_after({"Retry-After": "7"}), retry_after({"retry-after": "soon"}), retry_after({})
    (7.0, None, None)
    """
    said = {str(name).lower(): value for name, value in dict(headers).items()}.get("retry-after")
    if not isinstance(said, str) or len(said) > MAX_DIGITS:
        return None
    return float(said) if said.isascii() and said.isdigit() else None


def _detail(body: object) -> str:
    """What the server says, in brackets, on one line; nothing where it says nothing readable."""
    if not isinstance(body, dict):
        return ""
    said = body.get("detail")
    errors = body.get("validation_errors")
    if isinstance(errors, dict) and errors:
        said = json.dumps(errors, ensure_ascii=True)
    if not isinstance(said, str):
        return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return f" ({line[:MAX_DETAIL]})" if line else ""
