"""The file systems behind URLs, by fsspec: loaded when a URL is met, faults told in a line."""

from typing import Any

from annotator.errors import EnvironmentFault, StageFailure
from annotator.media.remote import RemotePath

# The package that knows a scheme, as fsspec names it; `remote` brings that of S3.
PACKAGES = {
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "gcs": "gcsfs",
    "gs": "gcsfs",
    "hdfs": "pyarrow",
    "s3": "'annotate-emotions[remote]'",
    "s3a": "'annotate-emotions[remote]'",
    "sftp": "paramiko",
    "ssh": "paramiko",
}
FETCH = "fetch"  # the stage
MAX_REASON = 200  # characters of what a library says


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL, and how it calls the file.

    Who is let in and where to ask is the business of its own settings: AWS_PROFILE,
    AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS, ~/.config/fsspec.

    Raises:
        EnvironmentFault: its package is missing, or will not have its settings.
    """
    scheme = url.split("://", 1)[0]
    package = PACKAGES.get(scheme, "fsspec")
    try:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(url)
    except ImportError as error:
        raise EnvironmentFault(
            f"{scheme}:// needs a package that is missing: pip install {package}"
        ) from error
    except Exception as error:
        raise EnvironmentFault(
            f"cannot use {scheme}:// ({said(error)}): see its settings"
        ) from error
    return found


def head_of(path: RemotePath, size: int) -> bytes:
    """The first so many bytes of a file, or all that it has.

    Raises:
        StageFailure: it cannot be read.
        EnvironmentFault: as for `filesystem`.
    """
    system, name = filesystem(str(path))
    try:
        with system.open(name, "rb", block_size=2**20) as file:
            return bytes(file.read(size))
    except Exception as error:  # each library has its own
        raise StageFailure(FETCH, f"{path.name!r} cannot be read: {said(error)}") from error


def said(error: BaseException) -> str:
    """What an error says, in a line; the libraries behind fsspec have each their own errors.

    >>> said(FileNotFoundError("bucket/a.mp4")), said(TimeoutError())
    ('not there', 'TimeoutError')
    """
    if isinstance(error, FileNotFoundError):
        return "not there"
    words = " ".join(str(error).split())[:MAX_REASON]
    if isinstance(error, PermissionError):
        return f"no permission: {words}" if words else "no permission"
    return words or type(error).__name__
