"""Parts of what a model's description tells, read without torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from annotator.errors import UsageError
from annotator.metrics.thresholds import DEFAULT


def table(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a model's description, empty if there is none.

    Raises:
        UsageError: it is something else.
    """
    found = facts.get(name, {})
    if not isinstance(found, Mapping):
        raise UsageError(
            f"the model's description is damaged: {name} must be an object; train it again"
        )
    return found


def thresholds_of(facts: Mapping[str, Any], labels: Sequence[str]) -> list[float]:
    """Those the training chose on its validation split; a model without any decides at 0.5.

    Raises:
        UsageError: the description is damaged.
    """
    chosen = table(facts, "thresholds")
    found = [chosen.get(label, DEFAULT) for label in labels]
    if not all(isinstance(value, int | float) for value in found):
        raise UsageError(
            "the model's description is damaged: thresholds must be numbers; train it again"
        )
    return [float(value) for value in found]
