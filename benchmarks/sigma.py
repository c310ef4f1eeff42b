"""What σ of the starter should be computed of: its last layers taught again, in several ways.

    python -m annotator.starter corpus --data ../shared/data --out build/starter/corpus
    python benchmarks/sigma.py build/starter/corpus

All else of the network stays as it is, so every row has the same answers but for traces. `trunk` is
a linear layer on the hidden layer that μ is computed of too, as published; `answers` are the logits
that a modality alone would answer. A row is the gain of the variance over a random order (AUGRC, of
the corpora's test splits, see benchmarks/starter.py) less that of the entropy, with 95 % intervals.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from annotator.registry import SHIPPED, STARTER
from lddu_model import LDDU, Checkpoint, untrained
from lddu_model.optimisation import everywhere
from starter import CPU, ONE, SEVERAL, gains, print_table, read_part

TRUNK = ".log_variance.weight"


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
    rows = [["variance less entropy", *names]]
    for title, way in WAYS.items():
        other = replace(model, network=taught(model, way, corpus, settings))
        row = [title]
        for name in names:
            part = read_part(other, asked.corpus / "parts" / name)
            found = gains(part, thresholds, asked.resamples)["variance less entropy"]
            row.append(f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})")
        rows.append(row)
    print_table(rows)


if __name__ == "__main__":
    main()
