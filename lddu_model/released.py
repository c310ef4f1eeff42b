"""Weights of the released implementation, renamed into ours."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lddu_model.config import MODALITIES, Config, InputSpec, Modality
from lddu_model.network import LDDU
from lddu_model.weights import assemble, check_weight, name_some

RELEASED_HEADS = 8  # of self-attention; the weights' shapes do not tell
MOSEI_LABELS = ("happy", "sad", "anger", "surprise", "disgust", "fear")  # the released order

# In a released checkpoint, but without a part in prediction: layers that are never called, and
# the contrastive loss's queue.
UNUSED = re.compile(
    r"(bert|visual|audio)\.pooler\.|final_classifer2\.|var_classifier2\.|queue(_label|_ptr)?$"
)
_ENCODER: dict[Modality, str] = {"visual": "visual", "audio": "audio", "text": "bert"}
_LAYER = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feedforward.0": "intermediate.dense",
    "feedforward.2": "output.dense",
    "feedforward_norm": "output.LayerNorm",
}


def from_released(weights: Mapping[str, Tensor], labels: Sequence[str] | None = None) -> LDDU:
    """The released network, ready to predict (eval mode, float32).

    Label count, dimensions, positions and widths are read off the shapes; dropout rates are the
    paper's.

    Args:
        weights: the released state dict; unused layers and the contrastive queue are ignored.
        labels: the labels' names in the order the network was trained on. None: those of
            CMU-MOSEI if there are six, else "label 1", "label 2" and so on.

    Raises:
        ValueError: an entry is missing, unexpected, of the wrong shape, not a float or not finite.
    """
    used = {name: weight for name, weight in weights.items() if not UNUSED.match(name)}
    config = _infer(used, labels)
    with torch.device("meta"):
        expected = LDDU(config).state_dict()
    modules = _modules(config)
    sources = {name: _source(name, modules) for name in expected}
    known = {name for names in sources.values() for name in _listed(names)}
    if missing := known - used.keys():
        raise ValueError(f"not a released LDDU checkpoint: it lacks {name_some(missing)}")
    if unexpected := used.keys() - known:
        raise ValueError(f"not a released LDDU checkpoint: it also has {name_some(unexpected)}")
    return assemble(config, {o: _take(used, s, expected[o].shape) for o, s in sources.items()})


def _infer(weights: Mapping[str, Tensor], labels: Sequence[str] | None) -> Config:
    """Read the configuration off the shapes."""
    count, hidden = _shape(weights, "embedding_layer.weight")
    if labels is None:
        numbered = tuple(f"label {i + 1}" for i in range(count))
        labels = MOSEI_LABELS if count == len(MOSEI_LABELS) else numbered
    if len(labels) != count:
        raise ValueError(f"the checkpoint has {count} labels, got {len(labels)} names")
    found = (re.match(r"bert\.encoder\.layer\.(\d{1,4})\.", name) for name in weights)
    trunk = ("linear.0", "linear.1", "output")
    return Config(
        labels=tuple(labels),
        visual=_input(weights, "visual"),
        audio=_input(weights, "audio"),
        text=_input(weights, "text"),
        hidden=hidden,
        feedforward=_shape(weights, "bert.encoder.layer.0.intermediate.dense.weight")[0],
        layers=1 + max((int(match[1]) for match in found if match), default=0),
        heads=RELEASED_HEADS,
        latent_hidden=tuple(_shape(weights, f"encoder.0.{name}.weight")[0] for name in trunk),
        latent=_shape(weights, "encoder.0.fc_mu.weight")[0],
        head_hidden=_shape(weights, "common_classfier.0.weight")[0],
    )


def _input(weights: Mapping[str, Tensor], modality: Modality) -> InputSpec:
    embeddings = f"{_ENCODER[modality]}.embeddings"
    return InputSpec(
        dim=_shape(weights, f"{embeddings}.word_embeddings.weight")[1],
        positions=_shape(weights, f"{embeddings}.position_embeddings.weight")[0],
    )


def _shape(weights: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    if name not in weights:
        raise ValueError(f"not a released LDDU checkpoint: it lacks {name}")
    if weights[name].ndim != 2:
        raise ValueError(f"{name} must be a matrix, got shape {tuple(weights[name].shape)}")
    rows, columns = weights[name].shape
    return rows, columns


Source = str | tuple[str, ...]  # one released name, or one per label, to be stacked


def _modules(config: Config) -> dict[str, Source]:
    """The released name of each of our modules."""
    labels = range(len(config.labels))
    modules: dict[str, Source] = {"labels": "embedding_layer"}
    for i, m in enumerate(MODALITIES):
        theirs = _ENCODER[m]
        modules |= {
            f"encoder.{m}.norm": f"{m}_norm.{m}_norm2d",
            f"encoder.{m}.projection": f"{theirs}.embeddings.word_embeddings",
            f"encoder.{m}.positions": f"{theirs}.embeddings.position_embeddings",
            f"encoder.{m}.embedding_norm": f"{theirs}.embeddings.LayerNorm",
            f"label_attention.{m}.query": f"label_wise_attention.label_projection.{i}",
            f"label_attention.{m}.memory": f"label_wise_attention.seq_projection.{i}",
            f"label_attention.{m}.output": f"label_wise_attention.out_projection.{i}",
            f"latent.{m}.trunk.0": f"encoder.{i}.linear.0",
            f"latent.{m}.trunk.2": f"encoder.{i}.linear.1",
            f"latent.{m}.trunk.4": f"encoder.{i}.output",
            f"latent.{m}.mu": f"encoder.{i}.fc_mu",
            f"latent.{m}.log_variance": f"encoder.{i}.fc_var",
        }
        for n in range(config.layers):
            for ours, layer in _LAYER.items():
                modules[f"encoder.{m}.layers.{n}.{ours}"] = f"{theirs}.encoder.layer.{n}.{layer}"
    for n in (0, 3):
        modules[f"head_direct.{n}"] = f"common_classfier.{n}"
        modules[f"head_mu.{n}"] = tuple(f"final_classifier.{label}.{n}" for label in labels)
        modules[f"head_sigma.{n}"] = tuple(f"var_classifier1.{label}.{n}" for label in labels)
    return modules


def _source(name: str, modules: Mapping[str, Source]) -> Source:
    module, _, leaf = name.rpartition(".")
    source = modules[module]
    return f"{source}.{leaf}" if isinstance(source, str) else tuple(f"{s}.{leaf}" for s in source)


def _listed(source: Source) -> tuple[str, ...]:
    return (source,) if isinstance(source, str) else source


def _take(weights: Mapping[str, Tensor], source: Source, shape: torch.Size) -> Tensor:
    """The weight of that shape, one label's after another where there is one per label."""
    single = shape if isinstance(source, str) else shape[1:]
    for name in _listed(source):
        check_weight(name, weights[name], single)
    if isinstance(source, str):
        return weights[source]
    return torch.stack([weights[name] for name in source])
