"""AdamW with the released schedule: linear warm-up, then a cosine to zero."""

import math
from collections.abc import Callable

import torch
from torch import nn

LAYERS = {  # the parts of `LDDU`, from the features to the answer
    "encoders": ("encoder",),
    "emotion_space": ("labels", "label_attention", "latent"),
    "heads": ("head_direct", "head_mu", "head_sigma", "head_intensity", "answer_spread"),
}
SIGMA_PARTS = ("log_variance", "head_sigma")


def layer_of(parameter: str) -> str:
    """The key in LAYERS of a parameter of `LDDU`.

    >>> layer_of("latent.text.mu.weight"), layer_of("labels.weight")
    ('emotion_space', 'emotion_space')
    """
    part = parameter.partition(".")[0]
    return next(layer for layer, parts in LAYERS.items() if part in parts)


def of_sigma(parameter: str) -> bool:
    """Whether a parameter of `LDDU` serves σ and the answer from it alone.

    >>> of_sigma("latent.text.log_variance.weight"), of_sigma("latent.text.mu.weight")
    (True, False)
    """
    return any(part in SIGMA_PARTS for part in parameter.split("."))


def everywhere(parameter: str) -> float:  # noqa: ARG001 the name decides nothing
    """The factor on the learning rate where all parameters learn alike."""
    return 1.0


def adamw(
    network: nn.Module,
    learning_rate: float,
    weight_decay: float,
    rate_of: Callable[[str], float] = everywhere,
) -> torch.optim.AdamW:
    """The optimiser; biases and the weights of norms do not decay.

    `rate_of` a parameter's name is the factor on its learning rate, which its group keeps as
    "factor"; at 0 the parameter is frozen.

    >>> groups = adamw(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), 1e-3, 0.01).param_groups
    >>> [(len(group["params"]), group["weight_decay"]) for group in groups]
    [(1, 0.01), (3, 0.0)]
    """
    grouped: dict[tuple[float, float], list[nn.Parameter]] = {}
    for prefix, module in network.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            factor = rate_of(f"{prefix}.{name}")
            if factor == 0:
                parameter.requires_grad_(requires_grad=False)
                continue
            spared = name == "bias" or isinstance(module, nn.LayerNorm)
            grouped.setdefault((factor, 0.0 if spared else weight_decay), []).append(parameter)
    groups = [
        {"params": members, "weight_decay": decay, "factor": factor, "lr": learning_rate * factor}
        for (factor, decay), members in grouped.items()
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
