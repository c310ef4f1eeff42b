"""LDDU the plain way, as the released code computes it: what our network and losses must equal.

Every step of every sequence is computed and attended to, padding too; each label's classifier runs
by itself; and the contrastive loss is the textbook's (Khosla et al., arXiv 2004.11362), with the
similarity matrix of all rows of batch and queue. The weights are those of an `LDDU`, so both can be
run side by side. Nothing here is slow on purpose, and nothing is clever.
"""

import math
from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

from lddu_model import LDDU, MODALITIES, Output
from lddu_model.calibration import released_calibration
from lddu_model.emotion_space import LabelAttention
from lddu_model.encoder import EncoderLayer, SelfAttention, UnimodalEncoder
from lddu_model.fusion import LabelLinear

MASKED = -10_000.0  # what BERT adds to the scores of padding; the released masks mark none


def forward(net: LDDU, given: Mapping[str, Tensor]) -> Output:
    """The network's answer to padded features, (B, T, dim) for each modality.

    Of a network as published: one whose σ reads answers, or whose Z keeps the label, is refused.
    """
    assert not (net.config.sigma_of_answers or net.config.label_residual)
    zs, mus, sigmas = zip(*(_modality(net, m, given[m]) for m in MODALITIES), strict=True)
    z, mu, sigma = (torch.stack(parts, dim=2) for parts in (zs, mus, sigmas))
    return Output(
        logit_direct=_classify(net.head_direct, z.flatten(2)),
        logit_mu=_by_label(net.head_mu, mu.flatten(2)),
        logit_sigma=_by_label(net.head_sigma, sigma.flatten(2)),
        mu=mu,
        sigma=sigma,
        present=torch.ones(len(z), 3, dtype=torch.bool),
    )


class Loss:
    """The released objective with its ring queue; the queue's rows are given, its classes none."""

    def __init__(
        self, queue: Tensor, *, gamma: float, beta: float, lambda_: float, temperature: float
    ) -> None:
        self.queue = Queue(queue)
        self.gamma, self.beta, self.lambda_ = gamma, beta, lambda_
        self.temperature = temperature

    def __call__(self, output: Output, target: Tensor) -> Tensor:
        """The loss of a batch with targets (B, q) of 0 and 1, which then enters the queue."""
        rows, classes = contrastive_rows(output, target)
        contrastive = supervised_contrastive(
            torch.cat([rows, self.queue.rows]),
            torch.cat([classes, self.queue.classes]),
            self.temperature,
        )
        self.queue.put(rows.detach(), classes)
        return (
            F.binary_cross_entropy(output.probability, target)
            + self.gamma * F.binary_cross_entropy(output.p_direct, target)
            + self.beta * contrastive
            + self.lambda_ * released_calibration(output.sigma, output.p_direct)
        )


class Queue:
    """A ring of rows (K, 2d), filled one by one, and their classes, at first -1."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows.clone()
        self.classes = torch.full((len(rows),), -1)
        self._next = 0

    def put(self, rows: Tensor, classes: Tensor) -> None:
        """Put each row in place of the oldest."""
        if not len(self.rows):
            return
        for row, label in zip(rows, classes, strict=True):
            self.rows[self._next] = row
            self.classes[self._next] = label
            self._next = (self._next + 1) % len(self.rows)


def contrastive_rows(output: Output, target: Tensor) -> tuple[Tensor, Tensor]:
    """A row (2d) and a class for every sample, label and modality, all of them present."""
    q = target.shape[1]
    mu = output.mu / output.mu.norm(dim=3, keepdim=True)
    sigma = output.sigma / output.sigma.norm(dim=3, keepdim=True)
    label = torch.arange(q) + q * (target == 0)
    classes = label[:, :, None] + 2 * q * torch.arange(3)
    return torch.cat([mu, sigma], dim=3).flatten(0, 2), classes.flatten()


def supervised_contrastive(rows: Tensor, classes: Tensor, temperature: float) -> Tensor:
    """The mean over all rows of minus the mean log-probability of a row's positives.

    Args:
        rows: (N, 2d), twice unit vectors.
        classes: (N,), -1 for rows that are nobody's positive.
        temperature: τ.

    >>> rows = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    >>> supervised_contrastive(rows, torch.tensor([0, 0, 1]), temperature=1.0)
    tensor(0.2088)
    """
    others = 1 - torch.eye(len(rows))
    same = (classes[:, None] == classes[None, :]) & (classes >= 0)[:, None]
    positive = same.to(rows.dtype) * others
    logits = torch.div(rows @ rows.T / 2, temperature)
    logits = logits - logits.max(dim=1, keepdim=True).values.detach()
    exponentials = torch.exp(logits) * others
    log_probability = logits - exponentials.sum(1, keepdim=True).log()
    means = (positive * log_probability).sum(1) / positive.sum(1).clamp(min=1)
    return -means.mean()


def _modality(net: LDDU, modality: str, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, T, dim) to Z (B, q, hidden), μ and σ (B, q, d)."""
    mask = (1 - torch.ones(x.shape[:2]))[:, None, None, :] * MASKED
    encoded = _encode(cast(UnimodalEncoder, net.encoder[modality]), x, mask)
    attention = cast(LabelAttention, net.label_attention[modality])
    z = _look_up(attention, net.labels.weight, encoded)
    mu, sigma = net.latent[modality](z)
    return z, mu, sigma


def _encode(encoder: UnimodalEncoder, x: Tensor, mask: Tensor) -> Tensor:
    places = torch.arange(x.shape[1]).expand(x.shape[:2])
    x = encoder.projection(encoder.norm(x)) + encoder.positions(places)
    x = _drop(encoder.dropout, encoder.embedding_norm(x))
    for layer in encoder.layers:
        x = _layer(cast(EncoderLayer, layer), x, mask)
    return x


def _layer(layer: EncoderLayer, x: Tensor, mask: Tensor) -> Tensor:
    x = layer.attention_norm(_drop(layer.dropout, _attend(layer.attention, x, mask)) + x)
    normed: Tensor = layer.feedforward_norm(_drop(layer.dropout, layer.feedforward(x)) + x)
    return normed


def _attend(attention: SelfAttention, x: Tensor, mask: Tensor) -> Tensor:
    def heads(projected: Tensor) -> Tensor:
        split: Tensor = projected.unflatten(2, (attention.heads, -1)).transpose(1, 2)
        return split

    query, key, value = (
        heads(part(x)) for part in (attention.query, attention.key, attention.value)
    )
    scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
    weights = F.dropout((scores + mask).softmax(3), attention.dropout, attention.training)
    output: Tensor = attention.output((weights @ value).transpose(1, 2).flatten(2))
    return output


def _look_up(attention: LabelAttention, labels: Tensor, encoded: Tensor) -> Tensor:
    query, memory = attention.query(labels), attention.memory(encoded)
    weights = (query @ memory.transpose(1, 2) / math.sqrt(memory.shape[2])).softmax(2)
    z: Tensor = attention.output(_drop(attention.dropout, weights @ memory))
    return z


def _classify(head: nn.Sequential, x: Tensor) -> Tensor:
    """(B, q, in) to (B, q), one classifier for all labels."""
    first, dropout, relu, last = head
    logits: Tensor = last(relu(_drop(dropout, first(x)))).squeeze(2)
    return logits


def _by_label(head: nn.Sequential, x: Tensor) -> Tensor:
    """(B, q, in) to (B, q), each label's classifier by itself."""
    first, dropout, relu, last = head
    assert isinstance(first, LabelLinear)
    assert isinstance(last, LabelLinear)
    logits = []
    for label in range(x.shape[1]):
        inner = F.linear(x[:, label], first.weight[label], first.bias[label])
        inner = relu(_drop(dropout, inner))
        logits.append(F.linear(inner, last.weight[label], last.bias[label]))
    return torch.cat(logits, dim=1)


def _drop(dropout: nn.Module, x: Tensor) -> Tensor:
    """By torch's own function, not ours."""
    assert isinstance(dropout, nn.Dropout)
    return F.dropout(x, dropout.p, dropout.training)
