"""The files of a model of the Hugging Face hub, or of a folder, and what they are called exactly.

Only weights in safetensors and plain descriptions are fetched: no pickle, no code.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from annotator.errors import EnvironmentFault, UsageError
from annotator.features.extractor import from_extra

FILES = ("*.json", "*.txt", "*.model", "*.safetensors")  # beside each other, not in subfolders
_OF_HUB = re.compile(r"((?:[\w.-]+/)?[\w.-]+)(?:@([A-Za-z0-9][\w.-]*))?", re.ASCII)
_OF_FOLDER = re.compile(r"(.+?)(?:@([0-9a-f]{64}))?")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model's files, in `folder`, and its `reference`: MODEL@REVISION.

    The revision is the commit of the hub, or the SHA-256 of a folder's files.
    """

    folder: Path
    reference: str


@lru_cache(maxsize=8)
def snapshot(reference: str) -> Snapshot:
    """Find, and if need be download, the files of MODEL or MODEL@REVISION; once a process.

    MODEL is a folder if it begins with a slash, a dot or ~, and of the hub otherwise. Files of a
    pinned revision that are already there are used without a network.

    Raises:
        UsageError: the reference is malformed, or the folder is not there.
        EnvironmentFault: the files are other ones, or cannot be downloaded.
    """
    local = reference.startswith((".", "~")) or Path(reference).is_absolute()
    match = (_OF_FOLDER if local else _OF_HUB).fullmatch(reference)
    if match is None:
        raise UsageError(
            f"{reference!r} names no model: expected ORGANISATION/NAME or "
            "ORGANISATION/NAME@REVISION of the hub, or a folder as ./FOLDER or /FOLDER"
        )
    model, revision = match[1], match[2]
    return _local(model, revision) if local else _of_hub(model, revision)


def _local(model: str, revision: str | None) -> Snapshot:
    folder = Path(model).expanduser().resolve()
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}: expected one with config.json and model.safetensors")
    found = _sha256(folder)
    if revision not in (None, found):
        raise EnvironmentFault(
            f"the model in {folder} is another one than asked for (SHA-256 {found[:12]}..., "
            f"expected {revision[:12]}...): put its files back, or name it without revision"
        )
    return Snapshot(folder, f"{folder}@{found}")


def _of_hub(model: str, revision: str | None) -> Snapshot:
    hub = from_extra("huggingface_hub", "hub")
    try:
        folder = hub.snapshot_download(
            model, revision=revision, allow_patterns=FILES, ignore_patterns="*/*"
        )
    except (OSError, ValueError) as error:  # all errors of the hub are one of them
        reason = str(error).partition("\n")[0]
        raise EnvironmentFault(
            f"cannot get model {model!r} ({type(error).__name__}: {reason}): "
            "check the name, the revision and the network, or name a local folder"
        ) from error
    return Snapshot(Path(folder), f"{model}@{Path(folder).name}")


def _sha256(folder: Path) -> str:
    """Of the names and hashes of the files that count, in order of name."""
    total = hashlib.sha256()
    for path in sorted({path for pattern in FILES for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            total.update(
                f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
            )
    return total.hexdigest()
