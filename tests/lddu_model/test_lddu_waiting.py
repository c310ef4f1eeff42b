"""A training step never makes the CPU wait for a GPU: it reads no value of the device's tensors.

The device here is torch's meta device, whose tensors have no values: whoever asks for one fails.
"""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from lddu_model import MODALITIES, untrained
from lddu_model.losses import LossConfig, Objective

META = torch.device("meta")


def test_reading_a_value_of_the_device_fails():
    with pytest.raises(RuntimeError, match="meta"):
        torch.ones(2, device=META).sum().item()
    with pytest.raises(NotImplementedError, match="meta"):
        torch.ones(2, device=META).nonzero()


@pytest.mark.parametrize("calibration", ["error", "released"])
@pytest.mark.parametrize("shortest", [0, 9])
@pytest.mark.parametrize("corruption", [False, True])
def test_a_training_step_waits_for_nothing(
    config, make_batch, calibration, shortest, corruption, monkeypatch
):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta knows none
    config = replace(config, intensity=True)
    net = untrained(config, seed=0).train().to(META)
    losses = LossConfig(queue=100, calibration=calibration, intensity=0.1)
    objective = Objective(config, losses, samples=4).to(META)
    batch = {m: x.to(META) for m, x in make_batch(4).items()}
    for m in MODALITIES:
        batch[f"{m}_length"] = torch.tensor([9, shortest, 9, 9])
    batch["text_length"][1] = 9
    target, index = torch.zeros(4, 7, device=META), torch.arange(4, device=META)
    corrupted = torch.eye(4, 3, dtype=torch.bool) if corruption else None
    for _ in range(3):
        objective(net(**batch), target, index, target, corrupted).total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
