"""Log in to Label Studio as a browser does, to make the token its API makes for nobody else."""

import json
import urllib.parse
import urllib.request
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import Any

TIMEOUT_S = 30


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
