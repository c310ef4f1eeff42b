"""The stale queue: rows of earlier batches that the network would make otherwise by now.

The queue is gone once a training ends, so its drift is measured after every epoch and stays in the
model's description (`annotator.learning.queue_drift`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from annotator.errors import UsageError
from annotator.experiments.diagnosis_finding import Finding

NAME = "stale queue"
# By definition: the similarity of a row to itself is off by τ, its weight in the softmax by e.
DRIFT = 1.0
REMEDY = "take fewer slots (loss.queue), larger batches, or a lower train.learning_rate"
UNKNOWN = "Unknown: the model's description tells of no queue."


def stale_queue(facts: Mapping[str, Any]) -> Finding:
    """The largest drift after any epoch; unknown of a model that tells of none.

    Args:
        facts: the model's description, in which `queue_drift` has a number an epoch.

    Raises:
        UsageError: the description is damaged.

    >>> stale_queue({"queue_drift": [0.5, 1.25, 0.75]}).value, stale_queue({}).failed
    (1.25, None)
    """
    drifts = _drifts(facts.get("queue_drift", []))
    if not drifts:
        return Finding(NAME, "drift", float("nan"), DRIFT, "above", UNKNOWN, REMEDY)
    worst = int(np.argmax(drifts))
    explanation = (
        f"After epoch {worst + 1} a queued row had lost {drifts[worst]:.2f} of its similarity to "
        f"what the network made of its clip then, in units of τ; in the end {drifts[-1]:.2f}."
    )
    details = {"epoch": float(worst + 1), "last": drifts[-1]}
    return Finding(NAME, "drift", drifts[worst], DRIFT, "above", explanation, REMEDY, details)


def _drifts(found: object) -> Sequence[float]:
    if not isinstance(found, list) or not all(isinstance(d, int | float) for d in found):
        raise UsageError(
            "the model's description is damaged: queue_drift must list numbers; train it again"
        )
    return found
