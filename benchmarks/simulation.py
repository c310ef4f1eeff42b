"""What ways to choose clips save on real corpora and on one of planted truth, as Markdown.

    python -m annotator.starter corpus --data ../shared/data --out build/starter/corpus
    python benchmarks/simulation.py build/starter/corpus --data ../shared/data --out simulation

The pools are those the starter learns from, without the changed copies; nothing here starts from
the starter's weights. Finished runs stay in --out, so the command may be cut off.

- FER+: a face a clip; three raters are drawn from the shares of its ten.
- MOSEI: transcripts, read by MiniLM as published, for the run's text encoder has learnt from their
  labels; a label's chance to be named is the mean of its raters.
- RAVDESS: acted speech without surprise, which CREMA-D lacks; people err as CREMA-D's did.
- planted: `annotator.learning.synthetic`, noise known for each clip; people do not err.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from annotator.datasets import open_dataset
from annotator.features.text import STATES, MiniLM
from annotator.learning.dataset import FOREIGN, Dataset, Example
from annotator.learning.synthetic import World, plant
from annotator.metrics.bootstrap import Interval
from annotator.simulation.annotators import Annotators
from annotator.simulation.confusion import measured
from annotator.simulation.picture import draw_curves
from annotator.simulation.rounds import Setup
from annotator.simulation.simulation import Simulation, simulate
from annotator.simulation.strategy import strategy
from annotator.starter.__main__ import corpus
from annotator.starter.copies import is_copy
from annotator.starter.texts import first_words, mosei, mosei_extra

STRATEGIES = (
    "variance",
    "entropy",
    "bald",
    "disagreement",
    "entropy:power",
    "entropy:kmeans",
    "random:kmeans",
    "random+balance",
)
RATERS = 3
SURPRISE = "surprise"


@dataclass(frozen=True, slots=True)
class Case:
    """A corpus, how people err on it, and how large the rounds are."""

    open: Callable[[Path, Path], Dataset]  # of the starter's corpus and of the data
    batch: int
    rounds: int
    errors: str | None = None


def main() -> None:
    """Run what is left to run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=sorted(CASES), action="append")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--recalibrate", type=int, help="epochs of σ alone, as a training has")
    options = parser.parse_args()
    wanted = options.strategies.split(",")
    for name in options.only or CASES:
        found = run(name, CASES[name], wanted, options)
        draw_curves(found, options.out / name / "curves")
        print("\n".join(table(name, found)), flush=True)


def run(name: str, case: Case, wanted: Sequence[str], options: argparse.Namespace) -> Simulation:
    """All runs of one corpus."""
    dataset = case.open(options.corpus / "parts", options.data)
    confusion = None if case.errors is None else measured(case.errors).matrix(dataset.labels)
    setup = Setup(
        first=case.batch, batch=case.batch, budget=case.batch * case.rounds, raters=RATERS
    )
    if options.recalibrate is not None:
        train = replace(setup.settings.train, recalibrate=options.recalibrate)
        setup = replace(setup, settings=replace(setup.settings, train=train))
    return simulate(
        dataset,
        Annotators(RATERS, confusion),
        [strategy(text) for text in wanted],
        range(options.seeds),
        setup,
        options.out / name,
        workers=options.workers,
    )


def table(name: str, found: Simulation) -> Iterator[str]:
    """The rows of one corpus, the best first."""
    pool = found.rows[0].curves.labelled
    yield (
        f"\n{name}: {len(found.seeds)} seeds, {pool[0]:.0f} to {pool[-1]:.0f} clips; "
        f"95 % of all labels' macro-F1 is {found.target:.3f}\n"
    )
    yield "| strategy | labels needed | saved | macro-F1 over random |"
    yield "| --- | --- | --- | --- |"
    for row in sorted(found.rows, key=lambda row: row.labels):
        needed = f"{row.labels:.0f}" if math.isfinite(row.labels) else f"over {pool[-1]:.0f}"
        yield f"| {row.name} | {needed} | {_text(row.saved, '.0%')} | {_text(row.gained, '+.3f')} |"


def _text(interval: Interval, form: str) -> str:
    if not math.isfinite(interval.value):
        return "unknown"
    bounds = (
        "" if math.isnan(interval.low) else f" ({interval.low:{form}} to {interval.high:{form}})"
    )
    return f"{interval.value:{form}}{bounds}"


def _part(name: str) -> Callable[[Path, Path], Dataset]:
    """A source of the starter's corpus, without the changed copies."""

    def read(parts: Path, _data: Path) -> Dataset:
        return _filtered(open_dataset(parts / name), lambda example: not is_copy(example.id))

    return read


def _mosei(_parts: Path, data: Path) -> Dataset:
    """With features that know nothing of the labels."""
    published = MiniLM(layers=None)
    splits: dict[str, list[Example]] = {}
    for name, group, split, text, target, raters in chain(
        mosei(data / "mosei"), mosei_extra(data / "mosei")
    ):
        if not is_copy(name) and (words := first_words(text)):
            states = published.embed(words)
            example = Example(name, group, {"text": states}, target, raters)
            splits.setdefault(split, []).append(example)
    return replace(
        corpus("mosei", splits),
        dimensions={"text": STATES},
        extractors={"text": f"{FOREIGN} published MiniLM"},
    )


def _ravdess(parts: Path, data: Path) -> Dataset:
    dataset = _part("ravdess")(parts, data)
    place = dataset.labels.index(SURPRISE)
    kept = [at for at in range(len(dataset.labels)) if at != place]
    without = _filtered(dataset, lambda example: not example.target[place])
    splits = {
        name: [replace(example, target=example.target[kept]) for example in examples]
        for name, examples in without.splits.items()
    }
    return replace(without, labels=tuple(dataset.labels[at] for at in kept), splits=splits)


def _filtered(dataset: Dataset, wanted: Callable[[Example], bool]) -> Dataset:
    splits = {name: list(filter(wanted, examples)) for name, examples in dataset.splits.items()}
    return replace(dataset, splits=splits)


def _planted(_parts: Path, _data: Path) -> Dataset:
    return plant(World(labels=5, log_odds=-1.5), train=2000, valid=300, test=1000).dataset


CASES: Mapping[str, Case] = {
    "ferplus": Case(_part("ferplus"), batch=50, rounds=10),
    "mosei": Case(_mosei, batch=120, rounds=10),
    "ravdess": Case(_ravdess, batch=50, rounds=10, errors="crema-d-both"),
    "planted": Case(_planted, batch=50, rounds=10),
}

if __name__ == "__main__":
    main()
