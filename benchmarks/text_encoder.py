"""What a text encoder that was fine-tuned to tell emotions says more of them, as Markdown.

    python benchmarks/text_encoder.py ../shared/data

A linear model learns CMU-MOSEI's labels from the mean and maximum of the states of val.csv's
transcripts to train on, which the encoder has not learnt from; its strength is chosen by the videos
that validate. The mean average precision on videos that neither has seen is printed.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from annotator.features.text import STATES, MiniLM
from annotator.learning.dataset import TEST, TRAIN, VALID
from annotator.metrics.inputs import Array
from annotator.metrics.multilabel import average_precision
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


def precision(splits: dict[str, Split]) -> tuple[float, float, float]:
    """The mean average precision on what trains, validates and tests."""
    best = (0.0, 0.0, 0.0)
    states, targets = splits[TRAIN]
    for strength in STRENGTHS:
        models = [
            make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000)).fit(
                states, target
            )
            for target in targets.T
        ]
        train, valid, test = (
            _mean_precision(np.stack([m.decision_function(x) for m in models], axis=1), y)
            for x, y in (splits[TRAIN], splits[VALID], splits[TEST])
        )
        best = max(best, (train, valid, test), key=lambda one: one[1])
    return best


def _mean_precision(scores: Array, targets: Array) -> float:
    probability = 1 / (1 + np.exp(-scores))
    return float(np.mean(average_precision(probability, targets)))


def main() -> None:
    """Print the table."""
    data = Path(sys.argv[1])
    print("| states | train | valid | test |")
    print("| --- | --- | --- | --- |")
    for name, encoder in (("as published", MiniLM(2, None)), ("fine-tuned", MiniLM(2))):
        values = precision(read_splits(data, encoder))
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |")


if __name__ == "__main__":
    main()
