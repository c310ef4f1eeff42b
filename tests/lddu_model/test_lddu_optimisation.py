"""The optimiser's groups."""

import pytest
import torch

from lddu_model.optimisation import LAYERS, adamw, layer_of


def test_every_parameter_has_a_layer(net):
    found = {layer_of(name) for name, _ in net.named_parameters()}
    assert found == set(LAYERS)


def test_each_layer_learns_at_its_own_rate_and_frozen_ones_not_at_all(net):
    rates = {"encoders": 0.0, "emotion_space": 0.5, "heads": 1.0}
    optimiser = adamw(net, 0.01, 0.1, lambda name: rates[layer_of(name)])
    layer = {parameter: layer_of(name) for name, parameter in net.named_parameters()}
    for group in optimiser.param_groups:
        assert {rates[layer[parameter]] for parameter in group["params"]} == {group["factor"]}
        assert group["lr"] == pytest.approx(0.01 * group["factor"])
    taken = {parameter for group in optimiser.param_groups for parameter in group["params"]}
    assert all((p in taken) == p.requires_grad == (rates[layer[p]] > 0) for p in layer)


def test_rates_do_not_change_what_decays(net):
    plain = adamw(net, 0.01, 0.1)
    decays = {p: group["weight_decay"] for group in plain.param_groups for p in group["params"]}
    layered = adamw(net, 0.01, 0.1, lambda name: 0.5 if layer_of(name) == "heads" else 1.0)
    for group in layered.param_groups:
        assert {decays[parameter] for parameter in group["params"]} == {group["weight_decay"]}
    assert isinstance(layered, torch.optim.AdamW)
