"""One number of a diagnosis, the value from which it is a failure, and what to do then."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """A measure of one of the failure signatures; NaN is unknown.

    >>> finding = Finding("modality gap", "gap", 9.0, 8.0, "above", "Far apart.", "Less β.")
    >>> finding.failed
    True
    """

    name: str  # of the signature
    measure: str  # of its measures, a stable key
    value: float
    threshold: float
    fails: Literal["above", "below"]  # on which side of the threshold; at it counts as well
    explanation: str
    remedy: str
    details: Mapping[str, float] = field(default_factory=dict)  # what the value is made of

    @property
    def failed(self) -> bool | None:
        """None if it is unknown."""
        if math.isnan(self.value):
            return None
        if self.fails == "above":
            return self.value >= self.threshold
        return self.value <= self.threshold

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        return {
            "name": self.name,
            "measure": self.measure,
            "value": plain(self.value),
            "threshold": self.threshold,
            "fails": self.fails,
            "failed": self.failed,
            "explanation": self.explanation,
            "remedy": self.remedy,
            "details": {name: plain(value) for name, value in self.details.items()},
        }


def plain(value: float) -> float | None:
    """A number as JSON has it.

    >>> plain(0.5), plain(float("nan"))
    (0.5, None)
    """
    return None if math.isnan(value) else float(value)
