"""What σ of the starter should be computed of: its last layers taught again, in several ways.

    python -m annotator.starter corpus --data ../shared/data --out build/starter/corpus
    python benchmarks/sigma.py build/starter/corpus

All else of the network stays as it is, so every row has the same answers but for traces. `trunk`
is a linear layer on the hidden layer that μ is computed of too, as published; `answers` are the
logits of ŷ_dir and ŷ_μ. A row is the gain of the variance over a random order (AUGRC, of the
corpora's test splits, see benchmarks/starter.py) less that of the entropy, with 95 % intervals.

The last two columns are of clips of two or three modalities, paired by emotion of those splits:
once with the variance as `annotate` has it, which adds up precisions, and once with the root mean
square over the modalities, as the calibration in training has it.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from annotator.datasets import open_dataset
from annotator.learning.answers import answer
from annotator.learning.card import open_model
from annotator.learning.dataset import TEST, Dataset, Example
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import Unwatched
from annotator.learning.facts import thresholds_of
from annotator.learning.recalibration import recalibrate
from annotator.learning.settings import Settings, chosen
from annotator.metrics.bootstrap import Interval, bootstrap
from annotator.metrics.inputs import Array
from annotator.metrics.multilabel import PRESENT, sample_jaccard
from annotator.metrics.selective import augrc
from annotator.registry import SHIPPED, STARTER
from annotator.starter import trios
from annotator.starter.copies import is_copy
from annotator.types import MODALITIES, Modality
from lddu_model import LDDU, Checkpoint, untrained
from lddu_model.optimisation import everywhere
from starter import CPU, ONE, SEVERAL, gains, print_table, read_part

TRUNK = ".log_variance.weight"
PAIRS, PAIRS_SEED = 1500, 7


@dataclass(frozen=True, slots=True)
class Way:
    """How σ's last layers are taught."""

    config: Mapping[str, Any]  # changes of the network
    rate_of: Callable[[str], float] = everywhere


WAYS = {
    "trunk": Way({"sigma_of_answers": False, "sigma_dropout": 0.0}),
    "answers": Way({"sigma_of_answers": True}, lambda name: float(not name.endswith(TRUNK))),
    "both": Way({"sigma_of_answers": True, "sigma_dropout": 0.0}),
    "both, 0.8 of the trunk dropped": Way({"sigma_of_answers": True, "sigma_dropout": 0.8}),
}


def taught(model: Checkpoint, way: Way, corpus: Dataset, settings: Settings) -> LDDU:
    """The model's network with a σ that was taught so, from nothing."""
    network = untrained(replace(model.network.config, **way.config), settings.train.seed)
    weights = model.network.state_dict()
    known = network.state_dict().keys() & weights.keys()
    network.load_state_dict({name: weights[name] for name in known}, strict=False)
    for name, parameter in network.named_parameters():
        if name.endswith((TRUNK, ".of_answers.2.weight", ".of_answers.2.bias")):
            nn.init.zeros_(parameter)
    recalibrate(network, corpus, settings, CPU, Ranks(), Unwatched(), way.rate_of)
    return network


def paired(corpus: Path) -> list[Example]:
    """Clips of several modalities, of what no network was trained on."""
    sources: dict[Modality, list[Example]] = {m: [] for m in MODALITIES}
    for name in (*SEVERAL, *ONE):
        if name == "emodb":
            continue  # German: nobody says English sentences with these voices
        for example in open_dataset(corpus / "parts" / name).split(TEST):
            if not is_copy(example.id):
                sources[next(iter(example.features))].append(example)
    return trios.pair(sources, PAIRS, PAIRS_SEED, TEST)


def of_several(
    model: Checkpoint, examples: Sequence[Example], thresholds: Sequence[float], resamples: int
) -> list[Interval]:
    """Variance less entropy, by precisions and by the root mean square."""
    found = answer(model.network, examples, CPU)
    target = np.where(found.target >= PRESENT, 1.0, 0.0)
    loss = 1 - sample_jaccard(found.probability, target, thresholds, empty=1.0)
    assert found.sigma_norm is not None
    squares = np.sqrt(np.nanmean(found.sigma_norm**2, axis=2)).mean(axis=1)

    def measure(weight: Array) -> dict[str, Array]:
        entropy = augrc(found.entropy, loss, weight).gain
        orders = {"precisions": found.variance, "squares": squares}
        return {name: augrc(by, loss, weight).gain - entropy for name, by in orders.items()}

    return list(bootstrap(measure, found.groups, resamples=resamples).values())


def shown(interval: Interval) -> str:
    """A difference with its interval."""
    return f"{interval.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED / STARTER)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("starter.toml"))
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--resamples", type=int, default=1000)
    asked = parser.parse_args()
    torch.set_num_threads(2)
    model, corpus = open_model(asked.model), open_dataset(asked.corpus)
    settings = chosen(Settings(), asked.config, asked.assignments)
    thresholds = thresholds_of(model.metadata, model.network.config.labels)
    names = (*SEVERAL, *ONE)
    several = paired(asked.corpus)
    rows = [["variance less entropy", *names, "several modalities", "by squares"]]
    for title in ("as it is", *WAYS):
        way = WAYS.get(title)
        other = replace(model, network=taught(model, way, corpus, settings)) if way else model
        row = [title]
        for name in names:
            part = read_part(other, asked.corpus / "parts" / name)
            found = gains(part, thresholds, asked.resamples)["variance less entropy"]
            row.append(shown(found))
        row += map(shown, of_several(other, several, thresholds, asked.resamples))
        rows.append(row)
    print_table(rows)


if __name__ == "__main__":
    main()
