"""An unfinished training on disk: one safetensors file, replaced as a whole after every epoch."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from annotator.errors import EnvironmentFault, UsageError

KEY = "annotate"  # of our facts in the safetensors header


def write_state(file: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Replace the file; a kill leaves the old one or the new one.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written to.
    """
    draft = file.with_name(f".{file.name}.{uuid4().hex}")
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        save_file(whole, draft, {KEY: json.dumps(dict(facts))})
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise EnvironmentFault(
            f"the training's state cannot be written to {file.parent} ({error}): "
            "make room, then run the same command again"
        ) from error


def read_state(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `write_state` wrote, None if there is no file.

    Raises:
        UsageError: the file is damaged.
    """
    if not file.exists():
        return None
    try:
        with safe_open(file, "pt") as opened:
            facts = json.loads(opened.metadata()[KEY])
            return {name: opened.get_tensor(name) for name in opened.keys()}, facts  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} is damaged ({error}): remove it to begin anew") from error


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under longer names.

    >>> list(prefixed("net", {"weight": torch.zeros(1)}))
    ['net/weight']
    """
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `prefixed` put under the prefix."""
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's memory, by place of the parameter and name."""
    state = optimiser.state_dict()["state"]
    return {
        f"{place}.{name}": value
        for place, memory in state.items()
        for name, value in memory.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimiser the memory that `optimiser_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        place, _, name = key.partition(".")
        state.setdefault(int(place), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def demand_same(found: object, mark: str, folder: Path) -> None:
    """Refuse a folder whose training has another fingerprint.

    Raises:
        UsageError: it has.
    """
    if found != mark:
        raise UsageError(
            f"{folder} holds a training with other settings or data: "
            "choose another --out, or remove the folder"
        )
