"""What a model version came from, as its description says; `annotator.lineage` writes it.

It is read without torch, for every listing of models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any

from annotator.metrics.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class Ancestry:
    """A version that was not fine-tuned has no parent and round 0.

    Attributes:
        parent: name of the version it was fine-tuned from.
        parent_weights: the hash of that one's weights, for a name may go to another version.
        round: fine-tunings since a version that was none.
        labels_from: how many answers, people and clips it has learnt from.
        reason: of its promotion, or why it stayed a candidate.
        validation: numbers on the split that chose its weights, by metric.
        clips: how many clips that split has.
    """

    parent: str | None = None
    parent_weights: str | None = None
    round: int = 0
    labels_from: Mapping[str, int] = field(default_factory=dict)
    reason: str | None = None
    validation: Mapping[str, Interval] = field(default_factory=dict)
    clips: int | None = None


FIRST = Ancestry()


def ancestry_of(metadata: Mapping[str, Any]) -> Ancestry:
    """Read it off a version's description; what is not there is unknown.

    Raises:
        ValueError: a part is not what it should be.

    >>> ancestry_of({"parent": {"name": "starter", "weights_sha256": "ab"}, "round": 1}).parent
    'starter'
    """
    parent = _part(metadata, "parent")
    promotion = _part(metadata, "promotion")
    validation = _part(metadata, "validation")
    metrics, clips = _part(validation, "metrics"), validation.get("clips")
    counts = _part(metadata, "labels_from")
    number = metadata.get("round", 0)
    if type(number) is not int or number < 0:
        raise ValueError(f"round must be a whole number, got {number!r:.40}")
    return Ancestry(
        _text(parent, "name"),
        _text(parent, "weights_sha256"),
        number,
        {str(name): value for name, value in counts.items() if type(value) is int},
        _text(promotion, "reason"),
        {
            str(name): Interval(*(_number(found.get(part)) for part in ("value", "low", "high")))
            for name, found in metrics.items()
            if isinstance(found, Mapping) and isfinite(_number(found.get("value")))
        },
        clips if type(clips) is int else None,
    )


def _part(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = facts.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{name} must be an object, got {found!r:.40}")
    return found


def _text(facts: Mapping[str, Any], name: str) -> str | None:
    found = facts.get(name)
    if found is not None and not isinstance(found, str):
        raise ValueError(f"{name} must be a text, got {found!r:.40}")
    return found


def _number(value: object) -> float:
    """NaN of what is none."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known and isfinite(value) else nan  # type: ignore[arg-type]
