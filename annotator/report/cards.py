"""What model versions say of themselves in `model.json`, read without torch and with distrust."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.metrics.bootstrap import Interval
from annotator.metrics.thresholds import DEFAULT
from annotator.registry import ModelVersion

MAX_BYTES = 8 << 20  # of a description


@dataclass(frozen=True, slots=True)
class Card:
    """One version: where it comes from, and how good it said it was.

    `measures` are those of the split it was validated on, `clips` how many that had.
    """

    name: str
    parent: str | None
    round: int
    trained: bool
    labels: tuple[str, ...]
    weights_hash: str
    answers: int | None
    clips: int | None
    measures: Mapping[str, Interval]
    reason: str | None


def read_card(version: ModelVersion) -> Card:
    """The version's card; what its description lacks, or says in another form, is left out."""
    facts = description(version.path)
    parent = facts.get("parent", version.parent)
    validation = _table(facts, "validation")
    measured = _table(facts, "metrics") or _table(validation, "metrics")
    number = facts.get("round")
    return Card(
        name=version.name,
        parent=_text(parent.get("name") if isinstance(parent, Mapping) else parent),
        round=number if type(number) is int and number >= 0 else 0,
        trained=version.trained,
        labels=version.labels,
        weights_hash=version.weights_hash,
        answers=_whole(_table(facts, "labels_from").get("answers")),
        clips=_whole(validation.get("clips")),
        measures={str(name): found for name, value in measured.items()
                  if (found := _interval(value)) is not None},
        reason=_text(_table(facts, "promotion").get("reason")),
    )  # fmt: skip


def thresholds_of(version: ModelVersion) -> dict[str, float]:
    """From which probability on each label counts, in the order of the model's labels."""
    chosen = _table(description(version.path), "thresholds")
    return {
        label: found if (found := _finite(chosen.get(label))) is not None else DEFAULT
        for label in version.labels
    }


def description(folder: Path) -> Mapping[str, Any]:
    """The metadata of the model in a folder; empty where it cannot be read."""
    file = folder / "model.json"
    try:
        if file.stat().st_size > MAX_BYTES:
            return {}
        described = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return _table(described, "metadata") if isinstance(described, Mapping) else {}


def _table(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def _interval(value: object) -> Interval | None:
    """Of a number, or of a table with value, low and high."""
    if isinstance(value, Mapping):
        middle = _finite(value.get("value"))
        bounds = [_finite(value.get(name)) for name in ("low", "high")]
        low, high = (math.nan if bound is None else bound for bound in bounds)
        return None if middle is None else Interval(middle, low, high)
    number = _finite(value)
    return None if number is None else Interval(number, math.nan, math.nan)


def _finite(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known and math.isfinite(value) else None  # type: ignore[arg-type]


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
