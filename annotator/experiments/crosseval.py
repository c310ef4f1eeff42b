"""How a model does on a corpus that it was not trained on, whose labels may be others.

Nothing is tuned there: the thresholds are those that the model's own validation split gave.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annotator.acquisition import scores
from annotator.errors import UsageError
from annotator.experiments.label_names import Matched, match_labels
from annotator.learning.answers import answer
from annotator.learning.card import open_model
from annotator.learning.dataset import TRAIN, VALID, Dataset, Example, check
from annotator.learning.evaluation import demand_fit
from annotator.learning.facts import table, thresholds_of
from annotator.learning.settings import Settings, override
from annotator.learning.training import fingerprint
from annotator.metrics.bootstrap import RESAMPLES
from annotator.metrics.evaluate import Answers, Evaluation, evaluate
from annotator.types import MODALITIES, Modality
from lddu_model import Checkpoint


@dataclass(frozen=True, slots=True)
class CrossEvaluation:
    """The numbers on the shared labels, and what could not be compared."""

    dataset: str
    matched: Matched  # labels of the corpus to those of the model
    unseen: tuple[Modality, ...]  # of the corpus, hidden: the model was trained without them
    left_out: int  # clips with no known truth of a shared label, or with unseen modalities only
    verified: bool  # whether both say which files they are of, so that "not trained on" is known
    evaluation: Evaluation

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        return {
            "dataset": self.dataset,
            "labels": dict(self.matched.pairs),
            "labels_unknown_to_model": list(self.matched.unknown),
            "labels_unknown_to_corpus": list(self.matched.unasked),
            "unseen_modalities": list(self.unseen),
            "clips_left_out": self.left_out,
            "verified_not_trained_on": self.verified,
            "evaluation": self.evaluation.to_json(),
        }


def crosseval(
    model_folder: Path,
    dataset: Dataset,
    *,
    device: torch.device,
    split: str | None = None,
    named: Mapping[str, str] | None = None,
    resamples: int = RESAMPLES,
) -> CrossEvaluation:
    """Measure a model on the labels that it shares with a corpus it was not trained on.

    Where several labels of the corpus stand for one of the model the highest share counts, and
    it is unknown if one of theirs is.

    Args:
        model_folder: of the model or of its training.
        dataset: with features of the model's extractors.
        device: where the network runs.
        split: which examples; None: all, since none were trained on.
        named: labels (corpus → model) that mean the same though their names do not say so.
        resamples: of the bootstrap over groups, 0 for no intervals.

    Raises:
        UsageError: the model was trained on this corpus or on other features, no label is shared,
            or the data will not do.
    """
    model = open_model(model_folder)
    verified = _demand_foreign(model, dataset)
    labels = model.network.config.labels
    matched = match_labels(dataset.labels, labels, named)
    known = model.metadata.get("modalities", MODALITIES)
    unseen = tuple(m for m in dataset.dimensions if m not in known)
    seen = {m: size for m, size in dataset.dimensions.items() if m not in unseen}
    demand_fit(model, replace(dataset, labels=labels, dimensions=seen))

    splits = [split] if split else [name for name, found in dataset.splits.items() if found]
    check(dataset, splits)
    given = [example for name in splits for example in dataset.split(name)]
    sources = [
        [dataset.labels.index(ours) for ours, theirs in matched.pairs.items() if theirs == label]
        for label in labels
    ]
    read = (_as_the_model_has_it(example, sources, seen) for example in given)
    usable = [example for example in read if _can_be_judged(example)]
    if not usable:
        raise UsageError(
            f"{dataset.name} has no clip to measure on: expected a known truth of "
            f"{', '.join(matched.pairs)}, and features of modalities the model was trained on"
        )
    answers = _narrowed(
        answer(model.network.to(device), usable, device),
        [place for place, source in enumerate(sources) if source],
    )
    thresholds = thresholds_of(model.metadata, answers.labels)
    evaluation = evaluate(answers, thresholds=thresholds, resamples=resamples)
    left_out = len(given) - len(usable)
    return CrossEvaluation(dataset.name, matched, unseen, left_out, verified, evaluation)


def _demand_foreign(model: Checkpoint, dataset: Dataset) -> bool:
    """Refuse a corpus the model was trained on; whether both name their files.

    Raises:
        UsageError: it was.
    """
    trained_on = list(table(table(model.metadata, "data"), "files").values())
    shared = sorted(name for name, sha256 in dataset.files.items() if sha256 in trained_on)
    if shared or _is_of_same_training(model, dataset):
        raise UsageError(
            f"the model was trained on {shared[0] if shared else dataset.name}: `annotate eval` "
            "measures it on a split of its own corpus"
        )
    return bool(trained_on and dataset.files)


def _is_of_same_training(model: Checkpoint, dataset: Dataset) -> bool:
    """Whether its fingerprint tells so, which needs no files."""
    if not all(dataset.splits.get(name) for name in (TRAIN, VALID)):
        return False
    groups = table(model.metadata, "settings")
    assignments = [
        f"{group}.{name}={json.dumps(value)}"
        for group in groups
        for name, value in table(groups, group).items()
    ]
    try:
        settings = override(Settings(), assignments)
    except UsageError:  # of another version of this tool, whose fingerprints were others too
        return False
    return bool(model.metadata.get("fingerprint") == fingerprint(dataset, settings))


def _as_the_model_has_it(
    example: Example, sources: Sequence[Sequence[int]], seen: Mapping[Modality, int]
) -> Example:
    """An example in the model's labels, NaN where the corpus has none, and its modalities."""
    target = np.array(
        [example.target[source].max() if source else np.nan for source in sources], np.float32
    )
    features = {m: values for m, values in example.features.items() if m in seen}
    return replace(example, features=features, target=target, intensity=None)


def _can_be_judged(example: Example) -> bool:
    """Whether a shared label has a known truth, and a modality is left."""
    return any(map(len, example.features.values())) and not np.isnan(example.target).all()


def _narrowed(answers: Answers, places: Sequence[int]) -> Answers:
    """The answers to some labels only, with the clips' uncertainty about these."""
    sigma_norm = np.take(np.asarray(answers.sigma_norm), places, axis=1)
    probability = np.take(answers.probability, places, axis=1)
    return replace(
        answers,
        labels=tuple(answers.labels[place] for place in places),
        probability=probability,
        target=np.take(answers.target, places, axis=1),
        sigma_norm=sigma_norm,
        variance=scores.variance(sigma_norm, ~np.isnan(sigma_norm[:, 0])),
        entropy=scores.entropy(probability),
    )
