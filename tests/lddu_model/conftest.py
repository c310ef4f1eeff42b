"""Small networks and batches for the tests of lddu_model."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lddu_model import LDDU, Config, InputSpec, untrained

Batch = dict[str, Tensor]

CONFIG = Config(
    labels=("happy", "neutral", "sad", "disgust", "anger", "fear", "surprise"),
    visual=InputSpec(dim=5, positions=40),
    audio=InputSpec(dim=6, positions=40),
    text=InputSpec(dim=7, positions=40),
    hidden=16,
    feedforward=24,
    layers=2,
    heads=4,
    latent_hidden=(12, 10, 8),
    latent=9,
    head_hidden=11,
)


def roughen(net: LDDU, seed: int) -> LDDU:
    """Move every weight well away from its initial value, so that no part is near neutral."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator))
    return net


@pytest.fixture
def config() -> Config:
    return CONFIG


@pytest.fixture
def net() -> LDDU:
    return roughen(untrained(CONFIG, seed=1), seed=2)


@pytest.fixture
def make_net() -> Callable[..., LDDU]:
    def make(**changes: object) -> LDDU:
        return roughen(untrained(replace(CONFIG, **changes), seed=1), seed=2)

    return make


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    def make(size: int, steps: int = 9, seed: int = 3, config: Config = CONFIG) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        return {
            m: torch.randn(size, steps + i, config.spec(m).dim, generator=generator)
            for i, m in enumerate(("visual", "audio", "text"))
        }

    return make
