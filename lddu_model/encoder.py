"""The unimodal extractor: a small post-norm transformer over one modality's steps."""

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

from lddu_model.attention import self_attention
from lddu_model.config import Config, InputSpec
from lddu_model.dropout import Dropout
from lddu_model.packing import Packing

NORM_EPS = 1e-12  # of every LayerNorm, as in BERT
INIT_STD = 0.02  # of every weight in the encoder, as in BERT


class SelfAttention(nn.Module):
    """Multi-head self-attention within each sequence; padding is never a key."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, packing: Packing, key_mask: Tensor | None) -> Tensor:
        """(N, hidden) packed steps to (N, hidden)."""
        parts = (self.query, self.key, self.value)
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts])
        qkv = packing.pad(F.linear(x, weight, bias))
        mixed = self_attention(qkv, self.heads, key_mask, self.dropout if self.training else 0.0)
        output: Tensor = self.output(packing.pack(mixed))
        return output


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each with dropout, residual and then LayerNorm."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention = SelfAttention(config.hidden, config.heads, config.dropout)
        self.attention_norm = nn.LayerNorm(config.hidden, eps=NORM_EPS)
        self.feedforward = nn.Sequential(
            nn.Linear(config.hidden, config.feedforward),
            nn.GELU(),  # the exact one
            nn.Linear(config.feedforward, config.hidden),
        )
        self.feedforward_norm = nn.LayerNorm(config.hidden, eps=NORM_EPS)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, packing: Packing, key_mask: Tensor | None) -> Tensor:
        """(N, hidden) packed steps to (N, hidden)."""
        x = self.attention_norm(x + self.dropout(self.attention(x, packing, key_mask)))
        normed: Tensor = self.feedforward_norm(x + self.dropout(self.feedforward(x)))
        return normed


class UnimodalEncoder(nn.Module):
    """Input LayerNorm, projection, learned positions and the transformer layers."""

    def __init__(self, config: Config, spec: InputSpec) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(spec.dim, eps=NORM_EPS)
        self.projection = nn.Linear(spec.dim, config.hidden)
        self.positions = nn.Embedding(spec.positions, config.hidden)
        self.embedding_norm = nn.LayerNorm(config.hidden, eps=NORM_EPS)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.apply(_initialise)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """(N, dim) packed features to (N, hidden)."""
        x = self._project(x) + self.positions(packing.position)
        x = self.dropout(self.embedding_norm(x))
        key_mask = packing.key_mask(x.dtype)
        for layer in self.layers:
            x = layer(x, packing, key_mask)
        return x

    def _project(self, x: Tensor) -> Tensor:
        """projection(norm(x)), the norm's factors taken into the weights.

        So nothing of the features' width needs a gradient.
        """
        normed = F.layer_norm(x, self.norm.normalized_shape, eps=NORM_EPS)
        weight, bias = self.projection.weight, self.projection.bias
        return F.linear(normed, weight * self.norm.weight, bias + weight @ self.norm.bias)


def _initialise(module: nn.Module) -> None:
    """BERT's initialisation, which the released code uses for its encoders."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INIT_STD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
