"""What a network is made of: its labels, input shapes, widths and dropout rates."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Fusion = Literal["released", "difficulty"]
FUSIONS: tuple[Fusion, ...] = get_args(Fusion)
Modality = Literal["visual", "audio", "text"]
MODALITIES: tuple[Modality, ...] = ("visual", "audio", "text")  # the released code's order

# A configuration may come from a foreign file: these bound what it can make us allocate.
MAX_WIDTH = 16_384  # features, units or positions
MAX_LAYERS = 64
MAX_LABELS = 1_000
MAX_COMPONENTS = 64

LATER = {"sigma_of_answers", "sigma_dropout"}  # older files lack them and mean the defaults


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The shape of one modality's input."""

    dim: int  # features of a step; paper: visual 35, audio 74, text 768 (BERT) or 300 (GloVe)
    positions: int = 500  # learned positions = longest sequence; released: 60, MOSEI unaligned: 500

    def __post_init__(self) -> None:
        _check_int("dim", self.dim, MAX_WIDTH)
        _check_int("positions", self.positions, MAX_WIDTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that determines the network's shape and its behaviour in training.

    The defaults are the paper's and the released code's values.

    Raises:
        ValueError: a value has the wrong type or is out of range.

    >>> config = Config(labels=("happy", "sad"), visual=InputSpec(35), audio=InputSpec(74),
    ...                 text=InputSpec(768))
    >>> config.hidden, config.spec("text").dim
    (256, 768)
    >>> Config.from_json(config.to_json()) == config
    True
    """

    labels: tuple[str, ...]  # the emotions, in the order of every label axis; paper: 6, M3ED: 7
    visual: InputSpec
    audio: InputSpec
    text: InputSpec
    hidden: int = 256  # width of the encoders and of the emotion space
    feedforward: int = 256  # inner width of an encoder layer's feed-forward part
    layers: int = 3  # encoder layers of each modality
    heads: int = 8  # attention heads of each encoder layer
    latent_hidden: tuple[int, ...] = (192, 128, 128)  # ReLU layers before μ and log σ²
    latent: int = 128  # d, the dimension of a latent distribution
    head_hidden: int = 128  # inner width of the three kinds of classifier
    components: int = 1  # Gaussians of a latent distribution; the paper has one
    constant_sigma: bool = False  # for ablation: σ is the prior's, 1, for every sample
    label_residual: bool = False  # whether Z keeps the label, see `LabelAttention`; paper: no
    sigma_of_answers: bool = False  # whether σ reads them, see `AnswerSpread`; paper: no
    fusion: Fusion = "released"  # how the two heads' answers are weighed, see `lddu_model.fusion`
    intensity: bool = False  # whether there is a head for the strength of each emotion
    dropout: float = 0.3  # encoders: embeddings, attention probabilities, residual branches
    attention_dropout: float = 0.1  # label attention: on A·V
    classifier_dropout: float = 0.1  # classifiers: on the inner layer
    sigma_dropout: float = 0.0  # latent distributions: on what log σ² is computed of

    def __post_init__(self) -> None:
        _check_labels(self.labels)
        for modality in MODALITIES:
            if not isinstance(self.spec(modality), InputSpec):
                raise ValueError(f"{modality} must be an InputSpec, got {self.spec(modality)!r}")
        for name in ("hidden", "feedforward", "heads", "latent", "head_hidden"):
            _check_int(name, getattr(self, name), MAX_WIDTH)
        _check_int("layers", self.layers, MAX_LAYERS)
        _check_int("components", self.components, MAX_COMPONENTS)
        if self.fusion not in FUSIONS:
            raise ValueError(f"fusion must be one of {', '.join(FUSIONS)}, got {self.fusion!r:.60}")
        for name in ("constant_sigma", "label_residual", "sigma_of_answers", "intensity"):
            _check_flag(name, getattr(self, name))
        if (
            not isinstance(self.latent_hidden, tuple)
            or not 0 < len(self.latent_hidden) < MAX_LAYERS
        ):
            raise ValueError(f"latent_hidden must list widths, got {self.latent_hidden!r}")
        for width in self.latent_hidden:
            _check_int("latent_hidden", width, MAX_WIDTH)
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} must be a multiple of heads {self.heads}")
        for name in ("dropout", "attention_dropout", "classifier_dropout", "sigma_dropout"):
            _check_rate(name, getattr(self, name))

    def spec(self, modality: Modality) -> InputSpec:
        """The input shape of a modality."""
        chosen: InputSpec = getattr(self, modality)
        return chosen

    def to_json(self) -> dict[str, Any]:
        """A dict that `json` can write and `from_json` can read."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> "Config":
        """The configuration that `to_json` wrote.

        Raises:
            ValueError: a key is missing or unknown, or a value is wrong.

        >>> Config.from_json({"labels": ["happy"]})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: the configuration lacks attention_dropout, audio, ... visual
        """
        values = _exact_keys("the configuration", data, cls)
        for modality in MODALITIES:
            values[modality] = InputSpec(**_exact_keys(modality, values[modality], InputSpec))
        for name in ("labels", "latent_hidden"):
            if isinstance(values[name], list):
                values[name] = tuple(values[name])
        return cls(**values)


def _exact_keys(what: str, data: object, kind: type[Config] | type[InputSpec]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise ValueError(f"{what} must be a JSON object, got {data!r:.60}")
    names = {field.name for field in fields(kind)}
    if missing := names - data.keys() - LATER:
        raise ValueError(f"{what} lacks {', '.join(sorted(missing))}")
    if unknown := data.keys() - names:
        raise ValueError(f"{what} has unknown keys: {', '.join(sorted(map(repr, unknown))):.200}")
    return dict(data)


def _check_int(name: str, value: object, limit: int) -> None:
    if type(value) is not int or not 1 <= value <= limit:
        raise ValueError(f"{name} must be a whole number from 1 to {limit}, got {value!r:.60}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r:.60}")


def _check_rate(name: str, value: object) -> None:
    if type(value) not in (int, float) or not (math.isfinite(value) and 0 <= value < 1):  # type: ignore[arg-type, operator]
        raise ValueError(f"{name} must be a number from 0 up to but not including 1, got {value!r}")


def _check_labels(labels: object) -> None:
    if not isinstance(labels, tuple) or not 1 <= len(labels) <= MAX_LABELS:
        raise ValueError(f"labels must be 1 to {MAX_LABELS} names, got {labels!r:.60}")
    if not all(isinstance(label, str) and label.strip() for label in labels):
        raise ValueError(f"every label must be a name, got {labels!r:.200}")
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels must differ, got {labels!r:.200}")
