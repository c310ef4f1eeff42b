"""AdamW with the released schedule: linear warm-up, then a cosine to zero."""

import math

import torch
from torch import nn


def adamw(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """The optimiser; biases and the weights of norms do not decay.

    >>> groups = adamw(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), 1e-3, 0.01).param_groups
    >>> [(len(group["params"]), group["weight_decay"]) for group in groups]
    [(1, 0.01), (3, 0.0)]
    """
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            spared = name == "bias" or isinstance(module, nn.LayerNorm)
            (others if spared else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def warmup_cosine(step: int, steps: int, warmup: float) -> float:
    """The share of the learning rate for a step out of `steps`, the first `warmup` of which rise.

    >>> [round(warmup_cosine(step, steps=10, warmup=0.2), 3) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = round(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))
