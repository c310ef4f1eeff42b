"""MiniLM as a network that can be trained: out of the packaged graph, and what it learnt back.

The package carries all-MiniLM-L6-v2 as an ONNX graph whose matrices are stored as int8 with a scale
a column. What training changed goes beside it as tensors with the names of the graph's own, which
`annotator.features.text` loads in their place.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LAYERS = 6
MATRICES = (  # of a layer, in the order in which the graph holds them
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
EMBEDDINGS = ("word_embeddings", "position_embeddings")
_ROOT = "inner."  # before the names that the graph kept of the network
_CODE, _SCALE = "_q", "_scale"
_STEPS = 127  # of int8 on either side of zero

Arrays = dict[str, NDArray[Any]]


def read_graph(path: Path) -> Arrays:
    """The initializers of an ONNX graph by name."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def network_of(graph: Mapping[str, NDArray[Any]], dropout: float = 0.0) -> nn.Module:
    """The encoder of Hugging Face transformers with a graph's weights.

    Its forward takes token ids and a mask, both (n, tokens) int64; `last_hidden_state` of what it
    gives is (n, tokens, 384).
    """
    from transformers import BertConfig, BertModel

    names = _codes(graph)
    words = graph[f"{_ROOT}embeddings.word_embeddings.weight{_CODE}"]
    config = BertConfig(
        vocab_size=words.shape[0],
        hidden_size=words.shape[1],
        num_hidden_layers=LAYERS,
        num_attention_heads=12,
        intermediate_size=1536,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    network = BertModel(config, add_pooling_layer=False)
    weights = {
        name.removeprefix(_ROOT): graph[name]
        for name in graph
        if name.startswith(_ROOT) and name.endswith(("weight", "bias"))
    }
    for name in EMBEDDINGS:
        key = f"embeddings.{name}.weight"
        weights[key] = _decoded(graph, _ROOT + key)
    for layer in range(LAYERS):
        for place, name in enumerate(MATRICES):
            weights[f"encoder.layer.{layer}.{name}.weight"] = _decoded(
                graph, names[layer * len(MATRICES) + place]
            ).T
    network.load_state_dict(
        {name: torch.tensor(values, dtype=torch.float32) for name, values in weights.items()}
    )
    return network


def initializers(
    network: nn.Module, graph: Mapping[str, NDArray[Any]], layers: Iterable[int]
) -> Arrays:
    """What some layers of a network hold, under the names and in the types of the graph."""
    weights = network.state_dict()
    names = _codes(graph)
    found: Arrays = {}
    for layer in layers:
        for place, name in enumerate(MATRICES):
            there = names[layer * len(MATRICES) + place]
            matrix = weights[f"encoder.layer.{layer}.{name}.weight"].T.contiguous().numpy()
            found[there + _CODE], found[there + _SCALE] = encoded(matrix)
        for name, values in _vectors(weights, layer):
            found[_ROOT + name] = values.numpy().astype(np.float32)
    return found


def encoded(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A matrix (rows, columns) in int8 and its scale (1, columns).

    >>> code, scale = encoded(np.array([[1.0, 0.0], [-0.5, 0.0]], np.float32))
    >>> code.tolist(), (code * scale).round(2).tolist()
    ([[127, 0], [-64, 0]], [[1.0, 0.0], [-0.5, 0.0]])
    """
    largest = np.abs(matrix).max(axis=0, keepdims=True)
    scale = (np.where(largest > 0, largest, 1) / _STEPS).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale


def _vectors(weights: Mapping[str, Tensor], layer: int) -> Iterator[tuple[str, Tensor]]:
    """A layer's biases and norms."""
    root = f"encoder.layer.{layer}."
    for name, values in weights.items():
        if name.startswith(root) and values.ndim == 1:
            yield name, values


def _codes(graph: Mapping[str, NDArray[Any]]) -> list[str]:
    """The names of the layers' matrices, without what tells code from scale, in their order."""
    return [
        name.removesuffix(_CODE)
        for name in graph
        if name.endswith(_CODE) and not name.startswith(_ROOT)
    ]


def _decoded(graph: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    values: NDArray[np.float32] = graph[name + _CODE] * graph[name + _SCALE]
    return values
