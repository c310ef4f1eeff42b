"""What a training starts from where that is not random weights."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from lddu_model import Checkpoint
from lddu_model.optimisation import layer_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRates:
    """The factor on the learning rate of each layer group of `LDDU`; 0 freezes it.

    What lies nearer to the answer learns faster, as in discriminative fine-tuning (Howard and Ruder
    2018, arXiv 1801.06146).

    Raises:
        ValueError: a factor is below 0, or all are 0.
    """

    encoders: float = 0.1
    emotion_space: float = 0.3
    heads: float = 1.0

    def __post_init__(self) -> None:
        factors = [getattr(self, field.name) for field in fields(self)]
        if not all(0 <= factor < float("inf") for factor in factors) or not any(factors):
            raise ValueError(f"layer rates must be 0 or more and not all 0, got {factors}")

    def of(self, parameter: str) -> float:
        """The factor of a parameter of `LDDU`.

        >>> LayerRates(encoders=0.0).of("encoder.text.norm.weight")
        0.0
        """
        factor: float = getattr(self, layer_of(parameter))
        return factor


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The model that a training goes on from, and how fast its layers move on."""

    model: Checkpoint
    rates: LayerRates

    def to_json(self) -> dict[str, Any]:
        """What the result depends on."""
        return {"weights": self.model.weights_sha256, "rates": asdict(self.rates)}
