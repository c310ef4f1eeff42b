"""The HTTP client the SDK is given: reads are tried again, and nothing takes without end.

The SDK's own repeating is off. It repeats imports, too, and sleeps for minutes where a server asks
for that.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx

from annotator.labelstudio.failures import retry_after

TRIES = 3
PAUSE_S = 1.0  # after the first try, and twice that after the second
MAX_PAUSE_S = 5.0  # a server that asks for more gets it from whoever runs the command again
MAX_BYTES = 64 * 2**20  # of an answer, unpacked; a page of a hundred tasks has about one of these
_BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError)
_UNWRAPPED = {"content-encoding", "content-length", "transfer-encoding"}


class PatientClient(httpx.Client):
    """A client that repeats what only reads, and reads whole answers within the timeout."""

    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request, again if it may be.

        Raises:
            httpx.TransportError: no try got an answer.
        """
        tries = TRIES if _repeatable(request) else 1
        for attempt in range(1, tries):
            pause = PAUSE_S * attempt
            try:
                response = self._once(request, options)
            except _BROKEN:
                pass
            else:
                if response.status_code not in {408, 429} and response.status_code < 500:
                    return response
                pause = max(retry_after(response.headers) or 0.0, pause)
                if pause > MAX_PAUSE_S:
                    return response
            self.sleep(pause)
        return self._once(request, options)

    def _once(self, request: httpx.Request, options: dict[str, Any]) -> httpx.Response:
        """Send it and read all of the answer: a server that drips would hold us for ever."""
        response = super().send(request, **{**options, "stream": True})
        limit = request.extensions.get("timeout", {}).get("read")
        end = None if limit is None else time.monotonic() + limit
        body = bytearray()
        try:
            for part in response.iter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise httpx.DecodingError("the answer is too long", request=request)
                if end is not None and time.monotonic() > end:
                    raise httpx.ReadTimeout("the answer drips", request=request)
        finally:
            response.close()
        kept = [item for item in response.headers.multi_items() if item[0] not in _UNWRAPPED]
        return httpx.Response(
            response.status_code, headers=kept, content=bytes(body), request=request
        )


def _repeatable(request: httpx.Request) -> bool:
    """Whether it changes nothing; a personal token's exchange is a POST, but does not either."""
    return request.method == "GET" or request.url.path.endswith("/api/token/refresh/")
