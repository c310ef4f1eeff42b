"""What a text encoder that was fine-tuned to tell emotions says more of them, as Markdown.

    python benchmarks/text_encoder.py ../shared/data

A linear model learns CMU-MOSEI's labels from the mean and maximum of the states of val.csv's
transcripts to train on, which the encoder has not learnt from; its strength is chosen by the videos
that validate, and so are thresholds. On videos that neither has seen, mean average precision and
macro-F1 are printed; the first row is the trivial model that our goals for CMU-MOSEI start from,
on our split.
"""

import sys
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from annotator.features.text import STATES, MiniLM
from annotator.learning.dataset import TEST, TRAIN, VALID
from annotator.metrics.inputs import Array
from annotator.metrics.multilabel import average_precision, count
from annotator.metrics.thresholds import f1_thresholds
from annotator.starter.copies import is_copy
from annotator.starter.texts import first_words, mosei

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3)  # C of the logistic regression

Split = tuple[Array, Array]
"""Pooled states (n, 768) and targets (n, 6)."""


def read_splits(data: Path, encoder: MiniLM) -> dict[str, Split]:
    """The transcripts of val.csv, without changed copies."""
    found: dict[str, tuple[list[Array], list[Array]]] = {}
    for name, _, split, text, target, _ in mosei(data / "mosei"):
        words = first_words(text)
        if words and not is_copy(name):
            states = encoder.embed(words)[:, :STATES].astype(float)
            pooled, targets = found.setdefault(split, ([], []))
            pooled.append(np.concatenate([states.mean(axis=0), states.max(axis=0)]))
            targets.append((target > 0).astype(float))
    return {
        split: (np.stack(pooled), np.stack(targets)) for split, (pooled, targets) in found.items()
    }


@dataclass(frozen=True, slots=True)
class Quality:
    """Mean average precision on each split, and macro-F1 on the last by thresholds of valid."""

    train: float
    valid: float
    test: float
    macro_f1: float


def quality(splits: dict[str, Split]) -> Quality:
    """Of the linear model that is best on what validates."""
    return max((_fitted(splits, strength) for strength in STRENGTHS), key=lambda one: one.valid)


def _fitted(splits: dict[str, Split], strength: float) -> Quality:
    states, targets = splits[TRAIN]
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000)).fit(
            states, target
        )
        for target in targets.T
    ]
    probability = {
        split: np.stack([model.predict_proba(x)[:, 1] for model in models], axis=1)
        for split, (x, _) in splits.items()
    }
    found = {
        split: float(np.mean(average_precision(probability[split], splits[split][1])))
        for split in (TRAIN, VALID, TEST)
    }
    thresholds = f1_thresholds(probability[VALID], splits[VALID][1])
    f1 = count(probability[TEST], splits[TEST][1], thresholds).f1
    return Quality(found[TRAIN], found[VALID], found[TEST], float(f1.mean()))


def main() -> None:
    """Print the table."""
    data = Path(sys.argv[1])
    print("| states | mean AP: train | valid | test | macro-F1: test |")
    print("| --- | --- | --- | --- | --- |")
    for name, encoder in (("as published", MiniLM(2, None)), ("fine-tuned", MiniLM(2))):
        values = astuple(quality(read_splits(data, encoder)))
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |")


if __name__ == "__main__":
    main()
