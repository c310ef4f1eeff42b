"""What the tasks of a model version share, as Label Studio is told of them."""

from annotator.labelstudio.interface import interface
from annotator.labelstudio.payload import Sent
from annotator.learning.card import open_model, thresholds_of
from annotator.registry import ModelVersion


def shared(model: ModelVersion, by: str, *, shown: bool) -> Sent:
    """That of tasks ranked by a score, with the thresholds that the model's training chose.

    Raises:
        UsageError: the model's files are damaged.
    """
    chosen = thresholds_of(open_model(model.path), model.labels)
    thresholds = dict(zip(model.labels, chosen, strict=True))
    return Sent(interface(model.labels), model, thresholds, by, shown)
