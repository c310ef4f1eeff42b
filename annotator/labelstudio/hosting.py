"""Where a browser gets the excerpts from: Label Studio itself, or `annotate serve-media`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import UsageError

ROOT = "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"  # Label Studio's own name for it
MEDIA_URL = "ANNOTATE_MEDIA_URL"
FOLDER = "annotate"  # below the document root: Label Studio serves strict subfolders alone
NOWHERE = (
    f"a browser must get the clips from somewhere: set {ROOT} as for a Label Studio on this "
    f"machine, or {MEDIA_URL} to where `annotate serve-media` runs, as in http://localhost:8081"
)


@dataclass(frozen=True, slots=True)
class Hosting:
    """The folder for excerpts, the address of one, and the folder that a project must be told of.

    `storage` is None where Label Studio does not serve the excerpts itself.
    """

    folder: Path
    address: Callable[[str], str]
    storage: Path | None


def local_files(root: Path, name: str = FOLDER) -> Hosting:
    """Excerpts that a Label Studio on this machine serves, from a folder below its document root.

    Raises:
        UsageError: there is no such root.

    >>> local_files(Path("/")).address("x.mp4")
    '/data/local-files/?d=annotate/x.mp4'
    """
    if not root.is_dir():
        raise UsageError(f"{ROOT} is {root}, which is no folder: set it as for Label Studio")
    folder = root.resolve() / name
    return Hosting(folder, lambda file: f"/data/local-files/?d={name}/{file}", folder)


def served(folder: Path, url: str, key: bytes, expires_at: int) -> Hosting:
    """Excerpts that `annotate serve-media` serves at an address that runs out."""
    from annotator.labelstudio.signed_urls import signed_url

    return Hosting(folder, lambda name: signed_url(url, name, key, expires_at), None)


def hosting(environ: Mapping[str, str], folder: Path, expires_at: int) -> Hosting | None:
    """What the environment asks for; None where it asks for nothing.

    Args:
        environ: with the document root, or the address and key of `annotate serve-media`.
        folder: for excerpts that we serve ourselves.
        expires_at: when their addresses run out, seconds since 1970.

    Raises:
        UsageError: the root is none, or the key is unfit.
    """
    if environ.get(ROOT):
        return local_files(Path(environ[ROOT]))
    if environ.get(MEDIA_URL):
        from annotator.labelstudio.signed_urls import media_key

        return served(folder, environ[MEDIA_URL], media_key(environ), expires_at)
    return None
