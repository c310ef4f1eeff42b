"""Measure a trained model on a split of a labelled corpus."""

import torch

from annotator.errors import UsageError
from annotator.learning.answers import answer
from annotator.learning.dataset import FOREIGN, Dataset, check
from annotator.learning.facts import table, thresholds_of
from annotator.metrics.evaluate import Evaluation, evaluate
from lddu_model import Checkpoint


def evaluate_model(
    model: Checkpoint,
    dataset: Dataset,
    split: str,
    *,
    device: torch.device,
    resamples: int,
    seed: int = 0,
) -> Evaluation:
    """All metrics of a model, at the thresholds that its training chose on its validation split.

    Args:
        model: with the labels of the corpus; a released one without thresholds decides at 0.5.
        dataset: with features like those the model was trained on.
        split: which examples.
        device: where the network runs.
        resamples: of the bootstrap over groups, 0 for no intervals.
        seed: of the bootstrap.

    Raises:
        UsageError: the split is empty, or labels or features are not the model's.
    """
    check(dataset, [split])
    examples = dataset.split(split)
    demand_fit(model, dataset)
    thresholds = thresholds_of(model.metadata, dataset.labels)
    answers = answer(model.network.to(device), examples, device)
    return evaluate(answers, thresholds=thresholds, resamples=resamples, seed=seed)


def demand_fit(model: Checkpoint, dataset: Dataset) -> None:
    """Refuse a corpus with other labels or features than the model was trained on.

    Raises:
        UsageError: they differ.
    """
    config = model.network.config
    if config.labels != dataset.labels:
        raise UsageError(
            f"the model knows {', '.join(config.labels)} and {dataset.name} has "
            f"{', '.join(dataset.labels)}: use `annotate crosseval` for a corpus with other labels"
        )
    demand_features(model, dataset)


def demand_features(model: Checkpoint, dataset: Dataset) -> None:
    """Refuse a corpus with other features than the model was trained on.

    Raises:
        UsageError: they differ.
    """
    config = model.network.config
    trained_on = table(model.metadata, "extractors")
    for modality, dimension in dataset.dimensions.items():
        expected = config.spec(modality).dim
        made_by, known = dataset.extractors.get(modality), trained_on.get(modality)
        if dimension != expected or not _compatible(made_by, known):
            raise UsageError(
                f"the model takes {modality} features of {known or 'unknown origin'} with "
                f"{expected} values a step, {dataset.name} has {made_by or 'unknown ones'} with "
                f"{dimension}: take the features the model was trained on"
            )


def _compatible(made_by: str | None, known: object) -> bool:
    """Whether features can be of one kind; of those that are not ours only the width is known."""
    if made_by is None or known is None or made_by == known:
        return True
    return made_by.startswith(FOREIGN) and str(known).startswith(FOREIGN)
