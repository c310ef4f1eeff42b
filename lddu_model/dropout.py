"""Dropout whose mask costs a tenth of torch's on a processor, where it was a sixth of a step.

torch draws one random number after another for each element. Here a 64-bit draw decides four of
them, by 16 bits each: the rate is met to 2⁻¹⁷, and what is kept is scaled by the exact share kept.
"""

import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

DRAWS = 2**16  # what 16 bits can tell apart


class Dropout(nn.Dropout):
    """As nn.Dropout, from the same generator, though with other draws."""

    def forward(self, x: Tensor) -> Tensor:
        """The values, some of them zero, in training."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        return x * kept(x, self.p)


def kept(x: Tensor, rate: float) -> Tensor:
    """What to multiply values on the CPU by: 0 for a share `rate`, else what keeps the mean.

    >>> sorted(set(kept(torch.ones(1000), 0.5).tolist()))
    [0.0, 2.0]
    """
    count = max(1, round((1 - rate) * DRAWS))
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    lots = draws.view(torch.int16)[: x.numel()].view(x.shape)
    # written as floats at once: comparing to bools and then multiplying by them costs ten times it
    scale = torch.le(lots, count - 1 - DRAWS // 2, out=torch.empty_like(lots, dtype=x.dtype))
    return scale.mul_(DRAWS / count)
