"""The emotion space: what a modality says of each label, found by attention."""

import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

from lddu_model.dropout import Dropout
from lddu_model.packing import Packing


class LabelAttention(nn.Module):
    """One head per modality: labels ask, steps answer.

    Q = E·W_query, K = V = H·W_memory, Z = dropout(softmax(Q·Kᵀ/√hidden)·V)·W_output (with biases).

    Nothing in Z tells the label but what it attended to. Where all steps are alike, as of a face
    held still, Z is the same for every label, and with it ŷ_dir, μ and σ: the published network
    cannot tell there which label is in doubt. With `residual` Z keeps the label: it is added, as a
    decoder layer adds its queries (Query2Label, arXiv 2107.10834).

    There are fewer labels than steps, so W_memory is applied to the labels' side: Q·Kᵀ is
    (Q·W_memoryᵀ)·Hᵀ and a constant that the softmax cancels, and A·V is (A·H)·W_memory.
    """

    def __init__(self, hidden: int, dropout: float, *, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.query = nn.Linear(hidden, hidden)
        self.memory = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, hidden)
        self.dropout = Dropout(dropout)

    def forward(self, labels: Tensor, steps: Tensor, packing: Packing) -> Tensor:
        """Label embeddings (q, hidden) and packed steps (N, hidden) to Z (n, q, hidden)."""
        query = self.query(labels) @ self.memory.weight
        memory = packing.pad(steps).unsqueeze(1)
        asked = query.expand(packing.sequences, 1, -1, -1)
        mask = packing.key_mask(memory.dtype)
        answer = F.scaled_dot_product_attention(asked, memory, memory, attn_mask=mask)
        z: Tensor = self.output(self.dropout(self.memory(answer.squeeze(1))))
        return z + labels if self.residual else z
