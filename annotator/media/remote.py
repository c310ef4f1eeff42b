"""Names of media that lie elsewhere, on S3 and the like; nothing is opened here.

A `RemotePath` is a path to whoever shows, sorts, compares or stores it, spelled as its URL. It
cannot be opened by accident: `media.local` makes the copy that can.
"""

import re
from pathlib import Path, PosixPath
from urllib.parse import unquote

from annotator.errors import UsageError

# What is read by naming a bucket, container or host that the user has a login of. Not http: there
# is nothing to list, and whoever writes addresses should not be able to have any page fetched.
SCHEMES = frozenset(("abfs", "abfss", "az", "gcs", "gs", "hdfs", "s3", "s3a", "sftp", "ssh"))
MAX_SHOWN = 200  # characters of a URL in a message
LOCAL_SCHEMES = frozenset(("file", "local"))

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PASSWORD = re.compile(r"[^/@:]*:[^/]*@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RemotePath(PosixPath):
    """A file or folder by its URL; made by `media_path`.

    >>> path = RemotePath("s3://bucket/talks/a 1.mp4")
    >>> str(path), path.name, str(path.parent), path.is_absolute()
    ('s3://bucket/talks/a 1.mp4', 'a 1.mp4', 's3://bucket/talks', True)
    """

    def __str__(self) -> str:
        """The URL. A path has lost one of its slashes, wherever it was made."""
        scheme, _, rest = super().__str__().partition(":/")
        return f"{scheme}://{rest}"

    def absolute(self) -> "RemotePath":
        """Itself."""
        return self

    def is_absolute(self) -> bool:
        """It does not depend on where we are."""
        return True

    def as_uri(self) -> str:
        """Itself."""
        return str(self)


def is_url(text: str) -> bool:
    """Whether it has the form of a URL.

    >>> is_url("s3://bucket/a.mp4"), is_url("talks/a.mp4"), is_url("C:/a.mp4")
    (True, False, False)
    """
    return _URL.match(text) is not None


def named(text: str) -> Path:
    """The path that was stored or shown as this; what it names is not looked at.

    >>> named("s3://bucket/a.mp4"), named("/a.mp4")
    (RemotePath('s3://bucket/a.mp4'), PosixPath('/a.mp4'))
    """
    return RemotePath(text) if is_url(text) else Path(text)


def media_path(text: str) -> Path:
    """The path that a user means; one of `file://` is a file here.

    Raises:
        UsageError: a URL that cannot be a corpus, or that has a password in it.

    >>> media_path("file:///data/a%201.mp4"), media_path("talks/a.mp4")
    (PosixPath('/data/a 1.mp4'), PosixPath('talks/a.mp4'))
    """
    if not is_url(text):
        return Path(text)
    scheme, rest = text.split("://", 1)
    if scheme.lower() in LOCAL_SCHEMES:
        return Path(unquote(rest))
    if _PASSWORD.match(rest):  # before any message that shows the URL
        raise UsageError(
            f"the URL of {scheme}:// has a password in it, which would be stored with every clip: "
            "give it to the file system's own settings"
        )
    if scheme not in SCHEMES or "::" in text:
        raise UsageError(
            f"{text[:MAX_SHOWN]!r} cannot be a corpus: expected a path, file:// or one of "
            f"{', '.join(sorted(SCHEMES))}"
        )
    path = RemotePath(text)
    if (flaw := name_flaw(f"{scheme}://{rest.rstrip('/')}")) is not None:
        raise UsageError(f"{text[:MAX_SHOWN]!r} cannot be a corpus: {flaw}")
    return path


def name_flaw(url: str) -> str | None:
    """Why a file of that URL cannot be kept under its name; None if it can.

    A store may call two files `a//b` and `a/b`, which as paths are one.

    >>> name_flaw("s3://bucket/a//b.mp4")
    "its name has an empty part, or '.' or '..' for one"
    >>> name_flaw("s3://bucket/a/b.mp4")
    """
    if _CONTROL.search(url):
        return "its name has control characters"
    parts = url.split("://", 1)[1].split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "its name has an empty part, or '.' or '..' for one"
    return None
