"""What tells two model versions apart: settings, labels, weights, and what they say of clips."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from annotator import registry
from annotator.registry import ModelVersion
from annotator.store.engine import Store
from annotator.store.records import TwoAnswers
from lddu_model.optimisation import LAYERS, layer_of

DECIDED = 0.5  # both versions decide at it, so that only their probabilities tell them apart


@dataclass(frozen=True, slots=True)
class AnswersCompared:
    """How alike two versions' predictions of the same clips are; None where there are no clips.

    `jaccard` is the mean over clips of |A ∩ B| / |A ∪ B| of the labels with a probability of a half
    or more, 1 where neither has any; `apart` is the mean difference of a label's probabilities.
    """

    clips: int
    jaccard: float | None
    apart: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Differences:
    """Of the second version from the first.

    `settings`, `extractors` and `validation` have what differs, by name, in both; `weights` is the
    norm of a layer group's change over that of the first version's weights, None if the shapes
    differ.
    """

    first: str
    second: str
    labels_added: tuple[str, ...]
    labels_removed: tuple[str, ...]
    settings: Mapping[str, tuple[Any, Any]]
    extractors: Mapping[str, tuple[Any, Any]]
    validation: Mapping[str, tuple[Any, Any]]
    weights: Mapping[str, float] | None
    answers: AnswersCompared


def compare(first: ModelVersion, second: ModelVersion, store: Store) -> Differences:
    """All differences of two versions.

    Raises:
        UsageError: the files of one are damaged.
    """
    shared = [label for label in first.labels if label in second.labels]
    return Differences(
        first=first.name,
        second=second.name,
        labels_added=tuple(label for label in second.labels if label not in first.labels),
        labels_removed=tuple(label for label in first.labels if label not in second.labels),
        settings=_differing(first.config, second.config),
        extractors=_differing(_by_name(first), _by_name(second)),
        validation=_differing(_numbers(first), _numbers(second)),
        weights=_weights(first, second),
        answers=compare_answers(store.two_answers(first.name, second.name), shared),
    )


def compare_answers(answers: Iterable[TwoAnswers], labels: Iterable[str]) -> AnswersCompared:
    """Compare clip by clip, each in memory by itself.

    >>> one = TwoAnswers({"sad": 1.0, "fear": 0.25}, {"sad": 0.75, "fear": 0.5})
    >>> compare_answers([one], ["sad", "fear"])
    AnswersCompared(clips=1, jaccard=0.5, apart={'sad': 0.25, 'fear': 0.25})
    """
    clips, jaccard = 0, 0.0
    sums = dict.fromkeys(labels, 0.0)
    for one in answers:
        clips += 1
        chosen = [{n for n in sums if p.get(n, 0.0) >= DECIDED} for p in (one.first, one.second)]
        union = chosen[0] | chosen[1]
        jaccard += len(chosen[0] & chosen[1]) / len(union) if union else 1.0
        for label in sums:
            sums[label] += abs(one.second[label] - one.first[label])
    if not clips:
        return AnswersCompared(0, None, {})
    apart = {label: total / clips for label, total in sums.items()}
    return AnswersCompared(clips, jaccard / clips, apart)


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys((*first, *second))
    pairs = {name: (first.get(name), second.get(name)) for name in names if name != "labels"}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _numbers(version: ModelVersion) -> dict[str, float]:
    return {name: found.value for name, found in version.ancestry.validation.items()}


def _by_name(version: ModelVersion) -> dict[str, str]:
    return {str(modality): name for modality, name in version.extractors.items()}


def _weights(first: ModelVersion, second: ModelVersion) -> dict[str, float] | None:
    ours, theirs = (registry.load_network(one).state_dict() for one in (first, second))
    if {name: x.shape for name, x in ours.items()} != {name: x.shape for name, x in theirs.items()}:
        return None
    norms = {layer: [0.0, 0.0] for layer in LAYERS}
    for name, before in ours.items():
        norm = norms[layer_of(name)]
        norm[0] += float((theirs[name] - before).double().square().sum())
        norm[1] += float(before.double().square().sum())
    return {layer: sqrt(change / size) for layer, (change, size) in norms.items() if size}
