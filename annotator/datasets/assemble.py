"""The last step of every reader: check the examples, choose the labels, make the `Dataset`."""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.dataset import FOREIGN, Dataset, Example
from annotator.types import MODALITIES, Modality

_log = logging.getLogger(__name__)


def assemble(
    name: str,
    labels: Sequence[str],
    splits: Mapping[str, Sequence[Example]],
    files: Mapping[str, str],
    *,
    asked: Sequence[str] | None = None,
    extractors: Mapping[Modality, str] | None = None,
) -> Dataset:
    """The dataset of these examples. A split without examples is left out.

    Examples without any label are left out too, and counted in a warning.

    Args:
        name: of the corpus, in messages and reports.
        labels: in the order of every example's target.
        splits: the examples.
        files: the hashes of what was read.
        asked: the labels to keep, in this order; by default all.
        extractors: what made the features; by default something foreign.

    Raises:
        UsageError: no examples, an id twice, an asked label that is not there, features of
            several dimensions or not finite, or an example without any.
    """
    if asked is not None and tuple(asked) != tuple(labels):
        order = _order(name, labels, asked)
        splits = {s: [_chosen(one, order) for one in examples] for s, examples in splits.items()}
    kept = {split: _labelled(name, split, examples) for split, examples in splits.items()}
    kept = {split: examples for split, examples in kept.items() if examples}
    every = [example for examples in kept.values() for example in examples]
    if not every:
        raise UsageError(f"{name} holds no labelled examples: expected at least one")
    _check_ids(name, every)
    _warn_of_torn_groups(name, kept)
    dimensions = _dimensions(name, every)
    made = extractors or {modality: f"{FOREIGN} {name} {modality}" for modality in MODALITIES}
    return Dataset(
        name=name,
        labels=tuple(labels if asked is None else asked),
        dimensions=dimensions,
        extractors={modality: made[modality] for modality in dimensions},
        splits=kept,
        files=dict(files),
    )


def file_hash(path: Path) -> dict[str, str]:
    """The file's name and SHA-256, as `Dataset.files` holds them.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return {path.name: hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError as error:
        raise UsageError(f"cannot read {path.name!r} ({error.strerror}): check it") from error


def _labelled(name: str, split: str, examples: Sequence[Example]) -> list[Example]:
    labelled = [example for example in examples if not np.isnan(example.target).all()]
    if lost := len(examples) - len(labelled):
        _log.warning("%s: %d examples of %s have no label and are left out", name, lost, split)
    return labelled


def _check_ids(name: str, examples: Iterable[Example]) -> None:
    seen: set[str] = set()
    for example in examples:
        if example.id in seen:
            raise UsageError(f"{name} holds the id {example.id!r} twice: expected each once")
        seen.add(example.id)


def _warn_of_torn_groups(name: str, splits: Mapping[str, Sequence[Example]]) -> None:
    groups = [{example.group for example in examples} for examples in splits.values()]
    torn = sum(map(len, groups)) - len(set().union(*groups))
    if torn:
        _log.warning(
            "%s: %d videos or speakers are in more than one split: scores will be too good",
            name,
            torn,
        )


def _dimensions(name: str, examples: Iterable[Example]) -> dict[Modality, int]:
    found: dict[Modality, int] = {}
    for example in examples:
        if not example.features:
            raise UsageError(f"{name}: example {example.id!r} has no features at all: remove it")
        for modality, values in example.features.items():
            width = values.shape[1]
            if found.setdefault(modality, width) != width:
                raise UsageError(
                    f"{name}: example {example.id!r} has {width} {modality} features a step, "
                    f"expected {found[modality]} as in those before it"
                )
            if not np.isfinite(values).all():
                raise UsageError(
                    f"{name}: the {modality} features of example {example.id!r} are not all "
                    "finite: extract them again or remove it"
                )
    return {modality: found[modality] for modality in MODALITIES if modality in found}


def _order(name: str, labels: Sequence[str], asked: Sequence[str]) -> NDArray[np.intp]:
    for label in asked:
        if label not in labels:
            raise UsageError(f"{name} has no label {label!r}: expected some of {', '.join(labels)}")
    if rest := [label for label in labels if label not in asked]:
        _log.warning("%s: labels left out, as they are not asked for: %s", name, ", ".join(rest))
    return np.array([list(labels).index(label) for label in asked], np.intp)


def _chosen(example: Example, order: NDArray[np.intp]) -> Example:
    intensity = None if example.intensity is None else example.intensity[order]
    return replace(example, target=example.target[order], intensity=intensity)
