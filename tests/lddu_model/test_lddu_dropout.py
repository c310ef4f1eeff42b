"""Our dropout and the attention that has it, against what torch does."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lddu_model.attention import SHORT, self_attention
from lddu_model.dropout import Dropout, kept


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.9])
def test_the_rate_and_the_mean_are_kept(rate):
    torch.manual_seed(0)
    factors = kept(torch.empty(1_000_001), rate)
    deviation = (rate * (1 - rate) / len(factors)) ** 0.5
    assert (factors == 0).float().mean().item() == pytest.approx(rate, abs=5 * deviation)
    assert factors.mean().item() == pytest.approx(1, abs=5 * deviation / (1 - rate))
    assert len(factors.unique()) == 2


@pytest.mark.parametrize("rate", [1e-9, 1 - 1e-9])
def test_rates_near_the_ends(rate):
    assert kept(torch.empty(100), rate).isfinite().all()


def test_neighbours_are_independent():
    torch.manual_seed(0)
    dropped = kept(torch.empty(400_000), 0.3).view(-1, 4) == 0  # four from each draw
    assert (dropped.float().T.corrcoef() - torch.eye(4)).abs().max() < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_follows_the_seed_and_keeps_the_type(dtype):
    module, x = Dropout(0.5), torch.ones(3, 7, dtype=dtype)
    torch.manual_seed(1)
    first = module(x)
    second = module(x)
    torch.manual_seed(1)
    assert torch.equal(module(x), first)
    assert not torch.equal(first, second)
    assert first.dtype == dtype


def test_nothing_is_dropped_in_prediction():
    x = torch.randn(5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def plain(qkv: Tensor, heads: int, mask: Tensor | None, rate: float) -> Tensor:
    """Step by step, with the factors that `kept` gives."""
    n, steps, width = qkv.shape
    query, key, value = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
    weights = (scores if mask is None else scores + mask).softmax(3)
    factors = kept(weights.flatten(0, 1), rate).view_as(weights)
    return (weights * factors @ value).transpose(1, 2).reshape(n, steps, width // 3)


@pytest.mark.parametrize("shape", [(2, 5, 3, 4), (1, 4, 1, 2), (3, 1, 2, 2), (0, 0, 2, 3)])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_with_dropout_equals_its_steps_in_value_and_gradient(shape, masked):
    n, steps, heads, width = shape
    qkv = torch.randn(n, steps, 3 * heads * width, dtype=torch.float64, requires_grad=True)
    mask = None
    if masked:
        mask = torch.zeros(n, 1, 1, steps, dtype=torch.float64)
        mask[..., 1:] = -torch.inf
    before, results = qkv.detach().clone(), []
    for attention in (self_attention, plain):
        torch.manual_seed(0)
        mixed = attention(qkv, heads, mask, 0.4)
        (gradient,) = torch.autograd.grad(mixed.sin().sum(), qkv)
        results.append((mixed, gradient))
    torch.testing.assert_close(*results)
    assert torch.equal(qkv, before)


@pytest.mark.parametrize("steps", [6, SHORT, SHORT + 1])
def test_attention_without_dropout_is_torchs(steps):
    qkv = torch.randn(2, steps, 3 * 8)
    query, key, value = qkv.view(2, steps, 3, 4, 2).permute(2, 0, 3, 1, 4)
    mask = torch.zeros(2, 1, 1, steps)
    mask[1, ..., 4:] = -torch.inf
    expected = F.scaled_dot_product_attention(query, key, value, mask).transpose(1, 2).flatten(2)
    torch.testing.assert_close(self_attention(qkv, 4, mask, 0.0), expected)


def test_a_training_step_in_half_precision(net, make_batch):
    net.train()
    with torch.autocast("cpu", torch.bfloat16):
        output = net(**make_batch(3), text_length=torch.tensor([11, 4, 0]))
    (output.probability.sum() + output.mu.square().sum()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    assert net.encoder["text"].layers[0].attention.query.weight.grad.any()
