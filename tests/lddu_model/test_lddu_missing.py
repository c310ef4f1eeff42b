"""Samples that lack a modality."""

import math

import pytest
import torch

from lddu_model import MODALITIES


@pytest.mark.parametrize("absent", MODALITIES)
def test_none_equals_length_zero(net, make_batch, absent):
    batch = make_batch(3)
    none = {m: x for m, x in batch.items() if m != absent}
    zero = batch | {absent: torch.full_like(batch[absent], math.nan)}
    by_none = net(**none)
    by_zero = net(**zero, **{f"{absent}_length": torch.zeros(3, dtype=torch.int32)})
    torch.testing.assert_close(by_none.probability, by_zero.probability)
    assert torch.equal(by_none.present, by_zero.present)


def test_an_absent_modality_is_the_prior_and_recognisable(net, make_batch):
    out = net(**make_batch(2), audio_length=torch.tensor([0, 10]))
    assert out.present.tolist() == [[True, False, True], [True, True, True]]
    assert (out.mu[0, :, 1] == 0).all()
    assert (out.sigma[0, :, 1] == 1).all()
    assert (out.sigma_norm[0, :, 1] == 0).all()
    assert (out.sigma_norm[0, :, [0, 2]] > 0).all()
    assert (out.sigma_norm[1] > 0).all()


@pytest.mark.parametrize("kept", MODALITIES)
def test_one_modality_is_enough(net, make_batch, kept):
    net.train()
    out = net(**{kept: make_batch(3)[kept]})
    loss = out.probability.sum() + out.mu.square().sum() + out.sigma_norm.sum()
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    assert net.encoder[kept].projection.weight.grad.abs().sum() > 0


def test_a_missing_modality_changes_the_answer(net, make_batch):
    batch = make_batch(1)
    without = {m: x for m, x in batch.items() if m != "text"}
    assert (net(**batch).probability - net(**without).probability).abs().max() > 1e-4


def test_a_sample_without_any_modality(net, make_batch):
    nothing = {f"{m}_length": torch.tensor([3, 0]) for m in MODALITIES}
    with pytest.raises(ValueError, match="sample 1 has no modality"):
        net(**make_batch(2), **nothing)


def test_an_empty_batch(net, make_batch):
    with pytest.raises(ValueError, match="batch is empty"):
        net()
    with pytest.raises(ValueError, match="batch is empty"):
        net(**make_batch(0))


def test_batches_of_different_size(net, make_batch):
    with pytest.raises(ValueError, match=r"one batch size, got \[2, 3\]"):
        net(text=make_batch(2)["text"], audio=make_batch(3)["audio"])


@pytest.mark.parametrize("shape", [(2, 4, 8), (2, 7), (2, 1, 4, 7)])
def test_wrong_feature_shape(net, shape):
    with pytest.raises(ValueError, match=r"text must be \(B, steps, 7\)"):
        net(text=torch.zeros(shape))
