"""The settings of a training, from TOML files and the command line.

[train]
epochs = 20
[loss]
beta = 0.5
[network]
hidden = 128
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from annotator.errors import UsageError
from lddu_model.config import Fusion
from lddu_model.losses import LossConfig

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Balance = Literal["none", "sqrt", "full"]
Criterion = Literal["mean_average_precision", "micro_f1", "macro_f1", "accuracy", "log_loss"]
MAX_BYTES = 1 << 20  # of a settings file


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The widths of the network; what they mean stands in `lddu_model.Config`."""

    hidden: int = 256
    feedforward: int = 256
    layers: int = 3
    heads: int = 8
    latent_hidden: tuple[int, ...] = (192, 128, 128)
    latent: int = 128
    head_hidden: int = 128
    components: int = 1
    constant_sigma: bool = False
    label_residual: bool = False
    sigma_of_answers: bool = False
    fusion: Fusion = "released"
    dropout: float = 0.3
    attention_dropout: float = 0.1
    classifier_dropout: float = 0.1
    sigma_dropout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How the network is trained; the defaults are the released settings."""

    seed: int = 0
    epochs: int = 30
    patience: int = 5  # epochs without a better validation before training ends; 0: never
    batch: int = 64
    bucketed: bool = True  # batches of clips of like length, which is faster
    accumulate: int = 1  # batches before a step of the optimiser
    learning_rate: float = 2e-4
    warmup: float = 0.1  # share of all steps, linear; a cosine to zero follows
    weight_decay: float = 0.01  # not on biases and norms
    clip: float = 1.0  # of the gradient's norm
    average: float = 0.0  # decay a step of the weights' moving average, which is kept; 0: none
    modality_dropout: float = 0.0  # chance to hide a modality; one always stays
    corruption: float = 0.0  # chance to corrupt a modality's features, for σ to learn
    recalibrate: int = 3  # epochs at the end in which σ alone learns, the errors of what is shown
    weigh_raters: bool = False  # a clip counts in the cross-entropies as often as it has raters
    balance: Balance = "none"  # weight of positives: 1, √(negatives/positives), or all of it
    criterion: Criterion = "mean_average_precision"  # of the validation split

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulate"):
            _demand(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("seed", "patience", "recalibrate", "weight_decay"):
            _demand(name, getattr(self, name), getattr(self, name) >= 0, "0 or more")
        for name in ("learning_rate", "clip"):
            _demand(name, getattr(self, name), getattr(self, name) > 0, "above 0")
        for name in ("warmup", "average", "modality_dropout", "corruption"):
            _demand(name, getattr(self, name), 0 <= getattr(self, name) < 1, "from 0 to below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them.

    >>> override(Settings(), ["train.epochs=3", "loss.calibration=released"]).train.epochs
    3
    """

    train: TrainSettings = field(default_factory=TrainSettings)
    loss: LossConfig = field(default_factory=LossConfig)
    network: NetworkSettings = field(default_factory=NetworkSettings)

    def to_json(self) -> dict[str, Any]:
        """Plain values by table, as a TOML file has them."""
        return asdict(self)


def read_settings(file: Path, defaults: T) -> T:
    """The settings of a TOML file; what it does not name keeps its default.

    Raises:
        UsageError: it cannot be read, or a name or value is wrong.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(f"{file} is larger than {MAX_BYTES >> 20} MiB: not a settings file")
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}): check the path") from error
    except ValueError as error:
        raise UsageError(f"{file} is not TOML ({error}): mend that line") from error
    return _changed(defaults, table, str(file))


def chosen(defaults: T, file: Path | None, assignments: Iterable[str]) -> T:
    """The defaults, over them a file's values, and over these single ones.

    Raises:
        UsageError: as `read_settings` and `override`.
    """
    return override(read_settings(file, defaults) if file else defaults, assignments)


def override(settings: T, assignments: Iterable[str]) -> T:
    """Settings with single values replaced: `table.name=value`, values as in TOML or bare words.

    Raises:
        UsageError: a name or value is wrong.
    """
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        table, dot, key = name.strip().partition(".")
        if not equals or not dot or table not in {f.name for f in fields(settings)}:
            raise UsageError(
                f"{assignment!r} is not a setting: expected table.name=value, "
                "such as train.epochs=20"
            )
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except ValueError:
            value = text.strip()
        after = _changed(getattr(settings, table), {key: value}, assignment)
        settings = replace(settings, **{table: after})
    return settings


def _changed(before: T, table: object, where: str) -> T:
    """Settings with the values that a table names."""
    if not isinstance(table, Mapping):
        raise UsageError(f"{where}: expected a table of settings, got {table!r:.60}")
    hints = get_type_hints(type(before))
    if unknown := sorted(map(str, table.keys() - hints.keys())):
        raise UsageError(
            f"{where}: no setting {unknown[0]!r}: expected one of {', '.join(sorted(hints))}"
        )
    values = {
        name: _changed(getattr(before, name), value, f"{where}: {name}")
        if is_dataclass(hints[name])
        else _value(hints[name], value, f"{where}: {name}")
        for name, value in table.items()
    }
    try:
        return replace(before, **values)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def _value(hint: Any, value: object, where: str) -> object:
    """The value in the type of its field; a whole number may stand for a float."""
    if get_origin(hint) is Literal:
        if value in get_args(hint):
            return value
        raise UsageError(f"{where} must be one of {', '.join(get_args(hint))}, got {value!r:.60}")
    if get_origin(hint) is tuple:
        if isinstance(value, list | tuple) and all(type(item) is int for item in value):
            return tuple(value)
        raise UsageError(f"{where} must be a list of whole numbers, got {value!r:.60}")
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        names = {int: "a whole number", float: "a number", bool: "true or false"}
        raise UsageError(f"{where} must be {names[hint]}, got {value!r:.60}")
    return value


def _demand(name: str, value: object, holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
