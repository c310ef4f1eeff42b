"""The emotion space: what a modality says of each label, found by attention."""

import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

from lddu_model.packing import Packing


class LabelAttention(nn.Module):
    """One head per modality: labels ask, steps answer.

    Q = E·W_query, K = V = H·W_memory, Z = dropout(softmax(Q·Kᵀ/√hidden)·V)·W_output (with biases).
    """

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, hidden)
        self.memory = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, labels: Tensor, steps: Tensor, packing: Packing) -> Tensor:
        """Label embeddings (q, hidden) and packed steps (N, hidden) to Z (n, q, hidden)."""
        query = self.query(labels).expand(packing.sequences, 1, -1, -1)
        memory = packing.pad(self.memory(steps)).unsqueeze(1)
        answer = F.scaled_dot_product_attention(query, memory, memory, attn_mask=packing.key_mask())
        z: Tensor = self.output(self.dropout(answer.squeeze(1)))
        return z
