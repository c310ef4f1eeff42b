"""A sample's result depends on the sample alone."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lddu_model import MODALITIES, InputSpec, untrained
from lddu_model.packing import Packing

TOLERANCE = {"atol": 1e-5, "rtol": 1e-6}


def sample(net, lengths, seed):
    """One sample's features, (length, dim) per modality."""
    g = torch.Generator().manual_seed(seed)
    dims = [net.config.spec(m).dim for m in MODALITIES]
    return [torch.randn(n, d, generator=g) for n, d in zip(lengths, dims, strict=True)]


def predict(net, samples, extra=0, filling=0.0):
    """Pad the samples into one batch, `extra` steps longer than need be."""
    batch = {}
    for i, m in enumerate(MODALITIES):
        lengths = torch.tensor([len(s[i]) for s in samples])
        padded = torch.full(
            (len(samples), int(lengths.max()) + extra, net.config.spec(m).dim), filling
        )
        for row, s in enumerate(samples):
            padded[row, : len(s[i])] = s[i]
        batch |= {m: padded, f"{m}_length": lengths}
    with torch.no_grad():
        return net(**batch)


def assert_same(out, row, alone):
    for name in ("probability", "mu", "sigma", "sigma_norm", "p_direct", "p_mu", "p_sigma"):
        torch.testing.assert_close(getattr(out, name)[row], getattr(alone, name)[0], **TOLERANCE)
    assert out.present[row].tolist() == alone.present[0].tolist()


LENGTHS = st.tuples(*[st.integers(0, 12)] * 3).filter(any)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(LENGTHS, min_size=1, max_size=3),
    extra=st.integers(0, 60),
    filling=st.sampled_from([0.0, 1e30, math.nan, math.inf, -math.inf]),
)
def test_a_sample_is_predicted_as_if_alone(net, lengths, extra, filling):
    samples = [sample(net, n, seed) for seed, n in enumerate(lengths)]
    together = predict(net, samples, extra, filling)
    for row, s in enumerate(samples):
        assert_same(together, row, predict(net, [s]))


@pytest.mark.parametrize("filling", [math.nan, math.inf, 1e30])
def test_gradients_ignore_padding(net, make_batch, filling):
    def gradients(value):
        batch = make_batch(3)
        for m in MODALITIES:
            batch[m][1, 2:] = value
            batch[f"{m}_length"] = torch.tensor([batch[m].shape[1], 2, 4])
        net.zero_grad()
        out = net(**batch)
        (out.probability.sum() + out.mu.square().sum() + out.sigma_norm.sum()).backward()
        return [p.grad.clone() for p in net.parameters()]

    for poisoned, clean in zip(gradients(filling), gradients(0.0), strict=True):
        torch.testing.assert_close(poisoned, clean, rtol=1e-5, atol=1e-5)


def test_no_padding_equals_explicit_full_lengths(net, make_batch):
    batch = make_batch(4)
    full = {f"{m}_length": torch.full((4,), x.shape[1]) for m, x in batch.items()}
    torch.testing.assert_close(net(**batch).probability, net(**batch, **full).probability)


def test_every_real_step_matters(net, make_batch):
    batch = make_batch(1)
    before = net(**batch).probability
    for m in MODALITIES:
        changed = batch | {m: batch[m].clone()}
        changed[m][0, -1] += 3 * torch.randn(batch[m].shape[2])
        assert (net(**changed).probability - before).abs().max() > 1e-5


def test_order_matters_because_of_positions(net, make_batch):
    batch = make_batch(1)
    turned = {m: x.flip(1) for m, x in batch.items()}
    assert (net(**turned).probability - net(**batch).probability).abs().max() > 1e-4


def test_five_hundred_steps(config):
    long = InputSpec(dim=6)
    net = untrained(replace(config, visual=long, audio=long), seed=0)
    with torch.no_grad():
        out = net(visual=torch.randn(2, 500, 6), audio=torch.randn(2, 500, 6))
    assert out.probability.isfinite().all()


@pytest.mark.parametrize("modality", MODALITIES)
def test_longer_than_the_positions_names_both_numbers(net, make_batch, modality):
    batch = make_batch(2, steps=50)
    batch = {m: x if m == modality else x[:, :5] for m, x in batch.items()}
    steps = batch[modality].shape[1]
    with pytest.raises(ValueError, match=rf"{modality} .*{steps} steps.* 40 positions"):
        net(**batch)


def test_padding_beyond_the_positions_is_no_error(net, make_batch):
    batch = make_batch(2, steps=50)
    lengths = {f"{m}_length": torch.tensor([40, 3]) for m in MODALITIES}
    assert net(**batch, **lengths).probability.isfinite().all()


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (torch.tensor([1.0, 2.0]), "integers"),
        (torch.tensor([True, False]), "integers"),
        (torch.tensor([1]), r"\(2,\)"),
        (torch.tensor([[1], [2]]), r"\(2,\)"),
        (torch.tensor([-1, 3]), "0 to 9"),
        (torch.tensor([10, 3]), "0 to 9"),
    ],
)
def test_wrong_lengths(net, make_batch, length, message):
    with pytest.raises(ValueError, match=message):
        net(**make_batch(2), visual_length=length)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_real_steps_must_be_finite(net, make_batch, value):
    batch = make_batch(4)
    batch["audio"][2, 1, 0] = value
    with pytest.raises(ValueError, match="audio of sample 2"):
        net(**batch)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_pack_undoes_pad(lengths):
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    packing = Packing.from_mask(mask)
    packed = torch.randn(sum(lengths), 3)
    padded = packing.pad(packed)
    assert torch.equal(packing.pack(padded), packed)
    assert not padded[~mask].any()
    assert packing.position.tolist() == [t for n in lengths for t in range(n)]


def test_large_values_whose_sum_overflows_are_finite(net, make_batch):
    batch = make_batch(2)
    batch["text"] = torch.full_like(batch["text"], 3e38)
    assert net(**batch).present.all()
    batch["text"][1, 2, 0] = -torch.inf
    with pytest.raises(ValueError, match="text of sample 1 holds NaN or infinity"):
        net(**batch)
