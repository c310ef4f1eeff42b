"""One spelling for the addresses of a server, as far as they can be known to be one."""

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = {"127.0.0.1", "::1"}


def canonical(address: str) -> str:
    """The address in small letters up to its path, without what goes without saying.

    This machine is called localhost. Which other names mean one server only its owner knows.

    >>> canonical("HTTP://LS.example:80/a/"), canonical("http://[::1]:8080")
    ('http://ls.example/a', 'http://localhost:8080')
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").rstrip(".")
    if host in _LOOPBACK:
        host = "localhost"
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{shown}{port}{parts.path.rstrip('/')}"
