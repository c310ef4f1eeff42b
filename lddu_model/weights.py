"""State dicts: read from foreign files, checked, hashed, and made into a network.

Nothing here unpickles: .bin and .pt files go through torch's weights-only reader, which builds
tensors and plain containers and refuses every other object.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from torch import Tensor

from lddu_model.config import Config
from lddu_model.network import LDDU

MAX_BYTES = 4 << 30  # of a file of weights; the released network has 15 MB in float16
NESTINGS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights
PARALLEL_PREFIX = "module."  # of networks that were wrapped in DataParallel


def assemble(config: Config, weights: Mapping[str, Tensor]) -> LDDU:
    """A network with these weights, converted to float32, ready to predict (eval mode).

    Nothing of the configuration's size is allocated before the weights are known to fit it.

    Raises:
        ValueError: a weight is missing, unexpected, of the wrong shape, not a float or not finite.
    """
    with torch.device("meta"):
        network = LDDU(config)
    expected = network.state_dict()
    if missing := expected.keys() - weights.keys():
        raise ValueError(f"the weights lack {name_some(missing)}")
    if unexpected := weights.keys() - expected.keys():
        raise ValueError(f"the weights hold unexpected entries: {name_some(unexpected)}")
    for name, weight in weights.items():
        check_weight(name, weight, expected[name].shape)
    network.to_empty(device="cpu").load_state_dict(weights)
    return network.eval()


def check_weight(name: str, weight: Tensor, shape: torch.Size) -> None:
    """Check one weight before it is copied into the network.

    Raises:
        ValueError: it does not have that shape, or does not hold finite floats.
    """
    if weight.shape != shape:
        raise ValueError(f"weight {name} must be {tuple(shape)}, got {tuple(weight.shape)}")
    if not weight.is_floating_point() or weight.layout != torch.strided:
        raise ValueError(f"weight {name} must hold dense floats, got {weight.dtype}")
    if not weight.to(torch.float32).isfinite().all():
        raise ValueError(f"weight {name} holds NaN or values that float32 cannot hold")


def name_some(names: set[str]) -> str:
    """A few of the names, sorted, for a message of one line.

    >>> name_some({"b", "a", "d", "c"})
    'a, b, c and 1 more'
    """
    first = ", ".join(sorted(names)[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3} more"


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict that others wrote: .safetensors, or .bin, .pt, .pth of `torch.save`.

    A common nesting ({"state_dict": ...}) is opened and "module." prefixes are dropped.

    Raises:
        ValueError: the file cannot be read, holds anything but tensors and plain containers, or
            no state dict.
    """
    if path.suffix not in (".safetensors", ".bin", ".pt", ".pth"):
        raise ValueError(f"{path}: expected a .safetensors, .bin, .pt or .pth file of weights")
    content = _parse(path)
    for key in NESTINGS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{path} holds no weights by name")
    for name, weight in content.items():
        if not isinstance(name, str) or not isinstance(weight, Tensor) or _is_odd(weight):
            raise ValueError(f"{path} holds no weights by name: {name!r:.60} is not a plain tensor")
    return {name.removeprefix(PARALLEL_PREFIX): w.detach() for name, w in content.items()}


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """The hash of names, types, shapes and values, in hex, whatever the order or file format.

    >>> a, b = torch.zeros(1), torch.ones(2)
    >>> weights_sha256({"a": a, "b": b}) == weights_sha256({"b": b, "a": a})
    True
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        weight = weights[name].detach().cpu().contiguous()
        digest.update(f"{name!r} {weight.dtype} {tuple(weight.shape)}\n".encode())
        digest.update(weight.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _is_odd(weight: Tensor) -> bool:
    """Sparse, quantised, or claiming more numbers than the file holds (a stride of zero)."""
    if weight.layout != torch.strided or weight.is_quantized or weight.is_meta:
        return True
    return weight.numel() * weight.element_size() > weight.untyped_storage().nbytes()


def _parse(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES or _is_compressed(path):
            raise ValueError(f"{path} is compressed or larger than {MAX_BYTES >> 30} GiB")
        if path.suffix == ".safetensors":
            return parse_safetensors(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile pickle can make the reader raise anything
        raise ValueError(f"{path} is damaged or holds objects that are not weights") from error


def _is_compressed(path: Path) -> bool:
    """Whether it is an archive that could unpack to any size; torch never compresses."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
