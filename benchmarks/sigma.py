"""What σ of the starter should be computed of: its last layers taught again, in several ways.

    python -m annotator.starter corpus --data ../shared/data --out build/starter/corpus
    python benchmarks/sigma.py build/starter/corpus

All else of the network stays as it is, so every row has the same answers but for traces. `trunk`
is a linear layer on the hidden layer that μ is computed of too, as published; `answers` a factor of
the logits of ŷ_dir and ŷ_μ and of which modalities there are. A row is the gain of the variance
over a random order (AUGRC, of the corpora's test splits, see benchmarks/starter.py) less that of
the entropy, with 95 % intervals.

The last two columns are of clips of two or three modalities, paired by emotion of those splits:
once with the variance as `annotate` has it, the root mean square over the modalities, and once with
their precisions added up.
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
from annotator.learning.card import open_model
from annotator.learning.dataset import Dataset
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import Unwatched
from annotator.learning.facts import thresholds_of
from annotator.learning.recalibration import recalibrate
from annotator.learning.settings import Settings, chosen
from annotator.metrics.bootstrap import Interval
from annotator.registry import SHIPPED, STARTER
from lddu_model import LDDU, Checkpoint, untrained
from lddu_model.optimisation import everywhere
from starter import CPU, ONE, PAIRED, SEVERAL, Part, gains, print_table, read_parts

TRUNK = ".log_variance.weight"
SPREAD = "answer_spread."
LESS = "variance less entropy"


@dataclass(frozen=True, slots=True)
class Way:
    """How σ's last layers are taught."""

    config: Mapping[str, Any]  # changes of the network
    rate_of: Callable[[str], float] = everywhere


WAYS = {
    "trunk": Way({"sigma_of_answers": False, "sigma_dropout": 0.0}),
    "answers": Way(
        {"sigma_of_answers": True, "sigma_dropout": 0.0},
        lambda name: float(not name.endswith(TRUNK)),
    ),
    "both": Way({"sigma_of_answers": True, "sigma_dropout": 0.0}),
    "both, 0.8 of the trunk dropped": Way({"sigma_of_answers": True, "sigma_dropout": 0.8}),
}


def taught(model: Checkpoint, way: Way, corpus: Dataset, settings: Settings) -> LDDU:
    """The model's network with a σ whose last layers were taught so, from nothing."""
    network = untrained(replace(model.network.config, **way.config), settings.train.seed)
    weights = model.network.state_dict()
    known = {name for name in network.state_dict() if not name.startswith(SPREAD)}
    network.load_state_dict({name: weights[name] for name in known}, strict=False)
    for name, parameter in network.named_parameters():
        if name.endswith(TRUNK):
            nn.init.zeros_(parameter)
    recalibrate(network, corpus, settings, CPU, Ranks(), Unwatched(), way.rate_of)
    return network


def by_precisions(part: Part, thresholds: Sequence[float], resamples: int) -> Interval:
    """Variance less entropy, if precisions of the modalities were added up."""
    sigma = part.answers.sigma_norm
    assert sigma is not None
    joint = np.nansum(sigma**-2.0, axis=2) ** -0.5
    answers = replace(part.answers, variance=joint.mean(axis=1))
    return gains(replace(part, answers=answers), thresholds, resamples)[LESS]


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
    rows = [[LESS, *SEVERAL, *ONE, PAIRED, "paired, by precisions"]]
    for title in ("as it is", *WAYS):
        way = WAYS.get(title)
        other = replace(model, network=taught(model, way, corpus, settings)) if way else model
        parts = read_parts(other, asked.corpus)
        found = [gains(part, thresholds, asked.resamples)[LESS] for part in parts.values()]
        found.append(by_precisions(parts[PAIRED], thresholds, asked.resamples))
        rows.append([title, *map(shown, found)])
    print_table(rows)


if __name__ == "__main__":
    main()
