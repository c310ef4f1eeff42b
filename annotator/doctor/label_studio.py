"""The Label Studio server, if one is named: does it answer, and does it know the token."""

from collections.abc import Iterator, Mapping

from annotator.doctor.check import Check, attempt, ok
from annotator.labelstudio.failures import KEY, URL
from annotator.labelstudio.server import Account, Server, account

NAME = "Label Studio"
TIMEOUT_S = 5.0  # of an answer; what only reads is tried three times


def checks(environ: Mapping[str, str]) -> Iterator[Check]:
    """Its version, and whose token it is; the token itself is never shown."""
    found = account(environ)
    if found is None:
        yield ok(
            NAME, "no server is named", f"to have people review clips there, set {URL} and {KEY}"
        )
        return
    yield from attempt(NAME, lambda: [_server(found)])


def _server(found: Account) -> Check:
    server = Server(found, timeout_s=TIMEOUT_S)
    version = server.version()
    return ok(NAME, f"{version} at {found.address}, as {server.whoami()}")
