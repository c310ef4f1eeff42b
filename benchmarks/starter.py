"""How good the starter is on the speakers, videos and faces it was not trained on, as Markdown.

    python -m annotator.starter corpus --data ../shared/data --out build/starter/corpus
    python benchmarks/starter.py build/starter/corpus

Prints the tables of docs/model-card.md, with bootstrap intervals over speakers, videos or faces.
Where one emotion is to be chosen, none stands for the share that the labels leave over,
1 - Σp, as the votes of FER+ leave it; the largest is chosen. An order by uncertainty is judged by
the area under the generalised risk-coverage curve (AUGRC) of 1 - Jaccard, or of choosing wrong;
what is printed is the share of the possible gain over a random order: 1 best, 0 no better than it.

`paired` are clips of two or three modalities, paired by emotion of the test splits of all others.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from annotator.datasets import open_dataset
from annotator.experiments.corruption_curves import corrupt_test
from annotator.learning.answers import answer
from annotator.learning.card import open_model
from annotator.learning.dataset import TEST, TRAIN, VALID, Dataset, Example
from annotator.learning.facts import thresholds_of
from annotator.metrics.bootstrap import Interval, bootstrap
from annotator.metrics.evaluate import Answers
from annotator.metrics.inputs import Array, counts
from annotator.metrics.multilabel import PRESENT, average_precision, count, sample_jaccard
from annotator.metrics.selective import augrc
from annotator.metrics.thresholds import f1_thresholds
from annotator.metrics.uncertainty import choice_entropy, spearman
from annotator.registry import SHIPPED, STARTER
from annotator.starter import trios
from annotator.starter.copies import is_copy
from annotator.starter.faces import RATERS
from annotator.types import MODALITIES, Modality
from lddu_model import Checkpoint

CPU = torch.device("cpu")
SEVERAL = ("mosei", "goemotions")  # corpora whose clips have several emotions or none
ONE = ("ravdess", "emodb", "ferplus")  # corpora whose clips have one or none
PAIRED = "paired"  # the name of clips that are made of those of the corpora
PAIRS, PAIRS_SEED = 1500, 7
GERMAN = "emodb"  # nobody says English sentences with these voices
UNCERTAINTIES = ("variance", "entropy")

Measures = Mapping[str, Interval]
Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Part:
    """One source of the starter's corpus and what the model says of a split of it."""

    dataset: Dataset
    answers: Answers
    chosen: Array  # (n,) the label that is largest, q for none; of emotions that the corpus has
    shown: Array  # (n,) the label that most people saw, q for none


def read_parts(model: Checkpoint, corpus: Path, split: str = TEST) -> dict[str, Part]:
    """What the model says of each source, without changed copies, and of clips paired of them."""
    datasets = {name: open_dataset(corpus / "parts" / name) for name in (*SEVERAL, *ONE)}
    datasets[PAIRED] = paired([d for n, d in datasets.items() if n != GERMAN], split)
    return {name: read_part(model, dataset, split) for name, dataset in datasets.items()}


def paired(sources: Sequence[Dataset], split: str) -> Dataset:
    """Clips of two or three modalities, made of clips that have one."""
    singles: dict[Modality, list[Example]] = {m: [] for m in MODALITIES}
    for source in sources:
        for example in originals(source, split):
            singles[next(iter(example.features))].append(example)
    clips = trios.pair(singles, PAIRS, PAIRS_SEED, split)
    dimensions = {m: d for source in sources for m, d in source.dimensions.items()}
    extractors = {m: e for source in sources for m, e in source.extractors.items()}
    return Dataset(PAIRED, sources[0].labels, dimensions, extractors, {split: clips})


def originals(dataset: Dataset, split: str) -> list[Example]:
    """The clips of a split that are no changed copies of others."""
    return [example for example in dataset.split(split) if not is_copy(example.id)]


def read_part(model: Checkpoint, dataset: Dataset, split: str = TEST) -> Part:
    """Ask the model about a corpus without changed copies."""
    examples = originals(dataset, split)
    answers = answer(model.network, examples, CPU)
    known = np.stack([e.target for e in examples]).max(axis=0) > 0
    chosen = choice(np.where(known, answers.probability, 0))
    return Part(dataset, answers, chosen, choice(answers.target))


def choice(share: Array) -> Array:
    """(n,) of (n, q): the largest share, q where what is left over is larger.

    >>> choice(np.array([[0.5, 0.2], [0.3, 0.1], [0.9, 0.8]]))
    array([0, 2, 0])
    """
    rest = 1 - share.sum(axis=1, keepdims=True)
    return np.asarray(np.concatenate([share, rest], axis=1).argmax(axis=1))


def several(part: Part, thresholds: Sequence[float], own: Array, resamples: int) -> Measures:
    """Macro-F1 at the model's thresholds and at the corpus's own, and mean average precision.

    A label is present where anybody saw it, as the literature on CMU-MOSEI counts.
    """
    target = np.where(part.answers.target > 0, 1.0, 0.0)
    probability = part.answers.probability

    def measure(weight: Array) -> dict[str, Array]:
        return {
            "macro-F1": count(probability, target, thresholds, weight).f1.mean(axis=-1),
            "macro-F1, own thresholds": count(probability, target, own, weight).f1.mean(axis=-1),
            "mean AP": average_precision(probability, target, weight).mean(axis=-1),
        }

    return bootstrap(measure, part.answers.groups, resamples=resamples)


def one(part: Part, resamples: int) -> Measures:
    """Unweighted average recall and accuracy of choosing one emotion or none."""
    hit = (part.chosen == part.shown).astype(float)
    classes = np.unique(part.shown)

    def measure(weight: Array) -> dict[str, Array]:
        w = counts(weight, len(hit))
        of = [w * (part.shown == each) for each in classes]
        recalls = [(own * hit).sum(axis=-1) / own.sum(axis=-1) for own in of]
        return {
            "UAR": np.stack(recalls, axis=-1).mean(axis=-1),
            "accuracy": (w * hit).sum(axis=-1) / w.sum(axis=-1),
        }

    with np.errstate(invalid="ignore"):  # a resample may lack a class
        return bootstrap(measure, part.answers.groups, resamples=resamples)


def gains(part: Part, thresholds: Sequence[float], resamples: int) -> Measures:
    """What an order by each uncertainty gains over a random one, and variance over entropy."""
    answers = part.answers
    if part.dataset.name in ONE:
        loss = (part.chosen != part.shown).astype(float)
    else:
        mean_of_parts = part.dataset.name == PAIRED
        present = answers.target >= PRESENT if mean_of_parts else answers.target > 0
        target = np.where(present, 1.0, 0.0)
        loss = 1 - sample_jaccard(answers.probability, target, thresholds, empty=1.0)

    def measure(weight: Array) -> dict[str, Array]:
        found = {by: augrc(getattr(answers, by), loss, weight).gain for by in UNCERTAINTIES}
        return {**found, "variance less entropy": found["variance"] - found["entropy"]}

    return bootstrap(measure, answers.groups, resamples=resamples)


def votes(part: Part, resamples: int) -> Measures:
    """Spearman of each uncertainty with the entropy of FER+'s votes, those for none together."""
    rest = 1 - part.answers.target.sum(axis=1, keepdims=True)
    shares = np.concatenate([part.answers.target, rest.clip(0)], axis=1)
    disagreement = choice_entropy(shares * RATERS)
    return bootstrap(
        lambda weight: {
            by: spearman(getattr(part.answers, by), disagreement, weight) for by in UNCERTAINTIES
        },
        part.answers.groups,
        resamples=resamples,
    )


def rises(model: Checkpoint, part: Part, resamples: int) -> dict[str, str]:
    """By uncertainty, which corruptions of the test split raise it beyond chance, and which not."""
    curves = corrupt_test(model, part.dataset, TEST, device=CPU, resamples=resamples).curves
    found = {}
    for by in UNCERTAINTIES:
        not_so = [curve.name for curve in curves if not curve.rises[by].rises]
        found[by] = f"{len(curves) - len(not_so)} of {len(curves)}" + (
            f" (not {', '.join(not_so)})" if not_so else ""
        )
    return found


def text(interval: Interval) -> str:
    """A value with its interval."""
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def print_table(rows: Rows) -> None:
    """In Markdown, the head first."""
    head, *rest = rows
    for row in (head, ["---"] * len(head), *rest):
        print(f"| {' | '.join(row)} |")
    print()


def several_rows(
    parts: Mapping[str, Part], model: Checkpoint, corpus: Path, resamples: int
) -> Rows:
    """Of the corpora with several emotions a clip."""
    rows = [["several emotions", "clips", "macro-F1", "at thresholds of its own", "mean AP"]]
    thresholds = thresholds_of(model.metadata, model.network.config.labels)
    for name in SEVERAL:
        valid = read_part(model, open_dataset(corpus / "parts" / name), VALID).answers
        own = f1_thresholds(valid.probability, np.where(valid.target > 0, 1.0, 0.0))
        found = several(parts[name], thresholds, own, resamples)
        rows.append([name, str(len(parts[name].shown)), *map(text, found.values())])
    return rows


def one_rows(parts: Mapping[str, Part], resamples: int) -> Rows:
    """Of the corpora with one emotion a clip or none."""
    rows = [["one emotion or none", "clips", "classes", "UAR", "accuracy"]]
    for name in ONE:
        shown, found = parts[name].shown, one(parts[name], resamples)
        counted = [str(len(shown)), str(len(np.unique(shown)))]
        rows.append([name, *counted, *map(text, found.values())])
    return rows


def gain_rows(parts: Mapping[str, Part], model: Checkpoint, resamples: int) -> Rows:
    """What the uncertainties are worth on each corpus."""
    rows = [["AUGRC, gain over random", *UNCERTAINTIES, "variance less entropy"]]
    thresholds = thresholds_of(model.metadata, model.network.config.labels)
    for name, part in parts.items():
        rows.append([name, *map(text, gains(part, thresholds, resamples).values())])
    return rows


def main() -> None:
    """Measure the model on every part and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED / STARTER)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--no-corruptions", action="store_true")
    parser.add_argument("--learnt", action="store_true", help="only AUGRC, of what it learnt from")
    asked = parser.parse_args()
    model = open_model(asked.model)
    if asked.learnt:
        parts = read_parts(model, asked.corpus, TRAIN)
        print_table(gain_rows(parts, model, asked.resamples))
        return
    parts = read_parts(model, asked.corpus)
    print_table(several_rows(parts, model, asked.corpus, asked.resamples))
    print_table(one_rows(parts, asked.resamples))
    print_table(gain_rows(parts, model, asked.resamples))
    of_votes = votes(parts["ferplus"], asked.resamples)
    print_table([["Spearman with", *UNCERTAINTIES], ["FER+ votes", *map(text, of_votes.values())]])
    if not asked.no_corruptions:
        rows = [["corruptions that raise", *UNCERTAINTIES]]
        rows += [[n, *rises(model, p, asked.resamples).values()] for n, p in parts.items()]
        print_table(rows)


if __name__ == "__main__":
    main()
