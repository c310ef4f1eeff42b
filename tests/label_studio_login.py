"""Ways into Label Studio: its own SDK, and as a browser, for the token its API makes for nobody."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import Any

TIMEOUT_S = 30


@contextmanager
def sdk_client(url: str, token: str) -> Iterator[Any]:
    """The server's own SDK; its connections are closed at the end."""
    import httpx
    from label_studio_sdk import LabelStudio

    with httpx.Client(timeout=60, follow_redirects=True) as connections:
        yield LabelStudio(base_url=url, api_key=token, httpx_client=connections)


class _Session:
    """A logged-in session: cookies, and the CSRF token in every request."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self._url = url
        self._cookies = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._cookies), urllib.request.ProxyHandler({})
        )
        self._open("/user/login/").close()
        form = {"email": email, "password": password, "csrfmiddlewaretoken": self._csrf()}
        with self._open("/user/login/", urllib.parse.urlencode(form).encode()) as answer:
            if "/user/login" in answer.url:
                raise PermissionError(f"{url} refused the login of {email}")

    def _csrf(self) -> str:
        return next(str(cookie.value) for cookie in self._cookies if cookie.name == "csrftoken")

    def _open(self, path: str, body: bytes | None = None, **headers: str) -> HTTPResponse:
        request = urllib.request.Request(self._url + path, body, headers)
        return self._opener.open(request, timeout=TIMEOUT_S)

    def get(self, path: str) -> Any:
        with self._open(path) as answer:
            return json.load(answer)

    def post(self, path: str, body: object) -> Any:
        headers = {"Content-Type": "application/json", "X-CSRFToken": self._csrf()}
        with self._open(path, json.dumps(body).encode(), **headers) as answer:
            return json.loads(answer.read() or b"null")


def personal_token(url: str, email: str, password: str) -> str:
    """A new personal access token of a user.

    A user has one at a time: one that exists is revoked.
    """
    session = _Session(url, email, password)
    for old in session.get("/api/token/"):
        session.post("/api/token/blacklist/", {"refresh": old["token"]})
    return str(session.post("/api/token/", {})["token"])
