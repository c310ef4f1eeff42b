"""Networks on disk: a folder with the weights (safetensors) and what is known of them (JSON)."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from safetensors.torch import save as serialised

from lddu_model.config import Config
from lddu_model.network import LDDU
from lddu_model.weights import assemble, read_weights, weights_sha256

WEIGHTS_FILE = "model.safetensors"
JSON_FILE = "model.json"
FORMAT = 1
MAX_JSON_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A network that was read from disk."""

    network: LDDU
    metadata: dict[str, Any]
    weights_sha256: str


def save(
    network: LDDU, folder: Path, metadata: Mapping[str, Any], dtype: torch.dtype = torch.float32
) -> str:
    """Write a network into a new folder; a kill leaves the whole folder or none of that name.

    Args:
        network: the network; its training mode and device are not kept.
        folder: must not exist yet: a saved model is never overwritten.
        metadata: anything JSON can hold: name, trained, extractors, data and so on.
        dtype: of the weights on disk; float16 halves them. A network that is loaded is float32.

    Returns:
        The weights' hash (see `weights_sha256`).

    Raises:
        ValueError: the folder exists, or the metadata is not JSON.
    """
    if folder.exists():
        raise ValueError(
            f"{folder} exists already: choose another name, models are not overwritten"
        )
    weights = {
        name: weight.detach().to("cpu", dtype).contiguous()
        for name, weight in network.state_dict().items()
    }
    digest = weights_sha256(weights)
    text = _to_json(
        {
            "format": FORMAT,
            "config": network.config.to_json(),
            "weights_sha256": digest,
            "metadata": dict(metadata),
        }
    )
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}")
    draft.mkdir(parents=True)
    try:
        # Not `save_file`, whose file only its owner may read.
        (draft / WEIGHTS_FILE).write_bytes(serialised(weights))
        (draft / JSON_FILE).write_text(text, encoding="utf-8")
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft)
        raise
    return digest


def load(folder: Path) -> Checkpoint:
    """Read a network that `save` wrote, in eval mode, on the CPU, as float32.

    Raises:
        ValueError: a file is missing, damaged, or does not belong to the other.
    """
    described = _read_json(folder / JSON_FILE)
    if described.keys() != {"format", "config", "weights_sha256", "metadata"}:
        raise ValueError(f"{folder / JSON_FILE} is not the description of a model")
    if described["format"] != FORMAT:
        raise ValueError(f"{folder} has format {described['format']!r:.20}, expected {FORMAT}")
    if not isinstance(described["metadata"], dict):
        raise ValueError(f"{folder / JSON_FILE}: metadata must be a JSON object")
    weights = read_weights(folder / WEIGHTS_FILE)
    digest = weights_sha256(weights)
    if digest != described["weights_sha256"]:
        raise ValueError(f"{folder}: {WEIGHTS_FILE} is not the file that {JSON_FILE} describes")
    try:
        network = assemble(Config.from_json(described["config"]), weights)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    return Checkpoint(network, described["metadata"], digest)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_JSON_BYTES:
        raise ValueError(f"{path} is larger than {MAX_JSON_BYTES} bytes")
    try:
        described = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(described, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return described


def _to_json(content: Mapping[str, Any]) -> str:
    try:
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"the metadata is not JSON: {error}") from error
