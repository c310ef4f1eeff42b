"""MiniLM fine-tuned to tell emotions: CMU-MOSEI's six, and all 28 labels of GoEmotions.

Each source has a head of its own, for its own labels and the standards of its raters; the heads go
with it. It learns from extra_text.csv and from half of the comments to train on, and leaves the
others to whoever learns on its states: a network that learns on states of sentences which the
encoder has learnt is misled. It sees nothing of the splits to validate and to test on.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from annotator.features.packaged import packaged
from annotator.features.sessions import WEIGHTS
from annotator.features.text import HEADS, MODEL_SHA256, NETWORK, STATES
from annotator.learning.batches import epoch_batches
from annotator.learning.dataset import TRAIN, VALID
from annotator.learning.minilm import LAYERS, initializers, network_of, read_graph
from annotator.metrics.multilabel import average_precision
from annotator.starter.texts import (
    comments,
    first_words,
    label_names,
    mosei,
    mosei_extra,
    teaches_encoder,
)

TOKENS = 128  # read of a sentence
BATCH = 32
RATE = 7e-5  # of the uppermost layer, at its peak
LAYER_DECAY = 0.8  # of the rate from a layer to the one below
HEAD_RATE = 1e-3
WARM_UP = 0.1  # of all steps
DROPOUT = 0.1
WEIGHT_DECAY = 0.01
TERMS = (
    "GoEmotions: CC BY 4.0; CMU-MOSEI: research use; all-MiniLM-L6-v2: Apache-2.0; "
    "no text is distributed"
)

Row = tuple[str, str, NDArray[np.float32]]
"""split, text, target."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Its tokens, marks included, and the shares of its source's labels."""

    tokens: list[int]
    target: NDArray[np.float32]
    source: str


class Taught(nn.Module):
    """The network, and for each source a linear head on the mean and maximum of its states."""

    def __init__(self, network: nn.Module, labels: Mapping[str, int]) -> None:
        """How many labels each source has; the heads start at random, so seed before."""
        super().__init__()
        self.network = network
        self.dropout = nn.Dropout(DROPOUT)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(2 * STATES, count) for name, count in labels.items()}
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Token ids and mask (n, tokens) to each head's logits (n, labels)."""
        states = self.network(tokens, attention_mask=mask).last_hidden_state
        there = mask[..., None].bool()
        mean = (states * there).sum(dim=1) / there.sum(dim=1)
        largest = states.masked_fill(~there, -torch.inf).amax(dim=1)
        pooled = self.dropout(torch.cat([mean, largest], dim=1))
        return {name: head(pooled) for name, head in self.heads.items()}


def read_sentences(data: Path) -> dict[str, list[Sentence]]:
    """The sentences of both sources by split."""
    tokenizer = Tokenizer.from_file(str(WEIGHTS / "minilm_tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS)
    found: dict[str, list[Sentence]] = {}
    for source, rows in (("mosei", _segments(data)), ("goemotions", _comments(data))):
        for split, text, target in rows:
            if words := first_words(text):
                tokens = tokenizer.encode(words).ids
                found.setdefault(split, []).append(Sentence(tokens, target, source))
    return found


def _segments(data: Path) -> Iterator[Row]:
    """Those of extra_text.csv to train on; of val.csv those that do not train."""
    for _, _, split, text, target, _ in mosei(data / "mosei"):
        if split != TRAIN:
            yield split, text, target
    for _, _, split, text, target, _ in mosei_extra(data / "mosei"):
        yield split, text, target


def _comments(data: Path) -> Iterator[Row]:
    folder = data / "goemotions" / "original"
    names = label_names(folder)
    for split, comment, text, labels in comments(folder):
        if split != TRAIN or teaches_encoder(comment):
            yield split, text, np.array([name in labels for name in names], np.float32)


def train(taught: Taught, sentences: Sequence[Sentence], epochs: int, seed: int) -> Iterator[None]:
    """Learn on the cross-entropy of the shares; yields after every epoch.

    AdamW (Loshchilov and Hutter 2019) with rates that fall from layer to layer (Howard and Ruder
    2018), a linear warm-up and a linear way down. The embeddings stay as they are.
    """
    optimizer = torch.optim.AdamW(_groups(taught), weight_decay=WEIGHT_DECAY)
    steps = epochs * math.ceil(len(sentences) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda at: min((at + 1) / (WARM_UP * steps), 1.0) * (1 - at / steps)
    )
    lengths = np.array([[len(sentence.tokens)] for sentence in sentences], np.int64)
    for epoch in range(epochs):
        taught.train()
        for chosen in epoch_batches(lengths, BATCH, seed, epoch):
            batch = [sentences[at] for at in chosen]
            optimizer.zero_grad()
            _loss(taught, batch).backward()
            nn.utils.clip_grad_norm_(taught.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        yield


@torch.inference_mode()
def evaluate(taught: Taught, sentences: Sequence[Sentence]) -> dict[str, float]:
    """The mean average precision of each source's head on its sentences."""
    taught.eval()
    found = {}
    for name in taught.heads:
        ours = sorted(
            (sentence for sentence in sentences if sentence.source == name),
            key=lambda sentence: len(sentence.tokens),
        )
        logits = [
            taught(*_padded(ours[at : at + BATCH]))[name] for at in range(0, len(ours), BATCH)
        ]
        present = np.stack([sentence.target > 0 for sentence in ours])
        probability = torch.cat(logits).sigmoid().numpy()
        found[name] = float(np.nanmean(average_precision(probability, present)))
    return found


def fine_tune(data: Path, out: Path, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    """Train on DATA and write what changed to `out`, and beside it what it was trained on.

    Yields the mean average precision on what validates, after every epoch. Both files are written
    then, so that a stopped run leaves its last network.
    """
    torch.manual_seed(seed)
    sentences = read_sentences(data)
    graph = read_graph(packaged(*NETWORK, MODEL_SHA256))
    labels = {sentence.source: len(sentence.target) for sentence in sentences[TRAIN]}
    taught = Taught(network_of(graph, DROPOUT), labels)
    for epoch, _ in enumerate(train(taught, sentences[TRAIN], epochs, seed), start=1):
        measured = evaluate(taught, sentences[VALID])
        heads = {HEADS + name: value.numpy() for name, value in taught.heads.state_dict().items()}
        save_file({**initializers(taught.network, graph, range(LAYERS)), **heads}, out)
        card = {
            "data": {
                split: {
                    name: sum(sentence.source == name for sentence in sentences[split])
                    for name in labels
                }
                for split in (TRAIN, VALID)
            },
            "terms": TERMS,
            "seed": seed,
            "epochs": epoch,
            "of_epochs": epochs,
            "labels": labels,
            "valid_mean_average_precision": measured,
        }
        out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        yield measured


def _groups(taught: Taught) -> list[dict[str, object]]:
    """The heads' weights and each layer's, with their rates."""
    groups: list[dict[str, object]] = [{"params": list(taught.heads.parameters()), "lr": HEAD_RATE}]
    for parameter in taught.network.parameters():
        parameter.requires_grad = False
    for layer, module in enumerate(cast(nn.ModuleList, taught.network.encoder.layer)):  # type: ignore[union-attr]
        for parameter in module.parameters():
            parameter.requires_grad = True
        rate = RATE * LAYER_DECAY ** (LAYERS - 1 - layer)
        groups.append({"params": list(module.parameters()), "lr": rate})
    return groups


def _loss(taught: Taught, batch: Sequence[Sentence]) -> Tensor:
    """The mean over sentences of the mean over labels, each by its own source's head."""
    losses = []
    for name, logits in taught(*_padded(batch)).items():
        ours = [at for at, sentence in enumerate(batch) if sentence.source == name]
        if ours:
            targets = torch.from_numpy(np.stack([batch[at].target for at in ours]))
            loss = functional.binary_cross_entropy_with_logits(logits[ours], targets)
            losses.append(loss * len(ours) / len(batch))
    return torch.stack(losses).sum()


def _padded(batch: Sequence[Sentence]) -> tuple[Tensor, Tensor]:
    """Token ids and mask (n, tokens)."""
    rows = [torch.tensor(sentence.tokens) for sentence in batch]
    tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return tokens, mask
