"""What the validation split decides: the thresholds, and whether an epoch is better."""

import math

from annotator.errors import UsageError
from annotator.learning.settings import Criterion
from annotator.metrics.evaluate import Answers, Evaluation, evaluate
from annotator.metrics.thresholds import f1_thresholds


def validate(answers: Answers, resamples: int = 0) -> Evaluation:
    """Measure answers to the validation split at the thresholds that serve it best."""
    thresholds = f1_thresholds(answers.probability, answers.target)
    return evaluate(answers, thresholds=thresholds, resamples=resamples)


def score(validation: Evaluation, criterion: Criterion) -> float:
    """The criterion's value, turned so that higher is better.

    Raises:
        UsageError: the split cannot measure it, such as precision where no label is present.
    """
    value = validation.metrics[criterion].value
    if math.isnan(value):
        raise UsageError(
            f"the validation split cannot measure {criterion}: it needs clips with and without "
            "each label, or another train.criterion"
        )
    return -value if criterion == "log_loss" else value
