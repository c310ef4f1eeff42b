"""The network's behaviour beside the reference: shapes, modes, seeds, precision."""

import copy
from dataclasses import fields

import pytest
import torch

from lddu_model import untrained
from lddu_model.fusion import label_heads
from lddu_model.gaussian import AnswerSpread, LatentDistribution


@pytest.mark.parametrize("labels", [("joy",), tuple("abcdefg"), tuple(map(str, range(30)))])
def test_any_label_set(make_net, make_batch, labels):
    out = make_net(labels=labels)(**make_batch(2))
    q = len(labels)
    assert out.probability.shape == out.p_mu.shape == out.p_sigma.shape == out.p_direct.shape
    assert out.probability.shape == (2, q)
    assert out.mu.shape == out.sigma.shape == (2, q, 3, 9)
    assert out.sigma_norm.shape == (2, q, 3)
    assert ((out.probability > 0) & (out.probability < 1)).all()


def test_outputs_agree_with_each_other(net, make_batch):
    out = net(**make_batch(3))
    torch.testing.assert_close(out.logit_direct.sigmoid(), out.p_direct)
    fused = out.p_direct * out.p_mu + (1 - out.p_direct) * out.p_sigma
    torch.testing.assert_close(out.probability, fused)
    torch.testing.assert_close(out.sigma_norm, out.sigma.square().sum(-1).sqrt())


@pytest.mark.parametrize("residual", [False, True])
def test_only_with_the_residual_a_held_still_face_tells_the_labels_apart(make_net, residual):
    face = torch.randn(2, 1, 5)
    out = make_net(label_residual=residual)(visual=face)
    for values in (out.logit_direct, out.sigma_norm[..., 0], out.mu[:, :, 0].norm(dim=2)):
        apart = (values - values[:, :1]).abs().max().item()
        assert (apart > 1e-3) == residual, "the published network says one thing of all labels"


@pytest.mark.parametrize("components", [1, 3])
def test_sigma_reads_the_answers_of_its_own_sample_alone(make_net, make_batch, components):
    net, batch = make_net(sigma_of_answers=True, components=components), make_batch(3)
    sizes = {f"{m}_length": torch.tensor([x.shape[1]] * 3) for m, x in batch.items()}
    sizes["audio_length"][1] = 0
    whole = net(**batch, **sizes)
    for i in range(3):
        alone = net(
            **{m: x[i : i + 1] for m, x in batch.items()},
            **{name: length[i : i + 1] for name, length in sizes.items()},
        )
        torch.testing.assert_close(whole.sigma[i : i + 1], alone.sigma)


@pytest.mark.parametrize("head", ["head_direct", "head_mu"])
@pytest.mark.parametrize("reads", [False, True])
def test_another_answer_is_another_sigma_only_where_it_is_read(make_net, make_batch, reads, head):
    net, batch = make_net(sigma_of_answers=reads), make_batch(3)
    before = net(**batch).sigma
    with torch.no_grad():
        getattr(net, head)[-1].bias.add_(2.0)
    assert torch.equal(net(**batch).sigma, before) != reads


def test_an_answer_spreads_all_modalities_alike_and_none_that_is_absent(make_net, make_batch):
    net, batch = make_net(sigma_of_answers=True), make_batch(3)
    sizes = {f"{m}_length": torch.tensor([x.shape[1]] * 3) for m, x in batch.items()}
    sizes["audio_length"][1] = 0
    whole = net(**batch, **sizes).sigma
    with torch.no_grad():
        for parameter in net.answer_spread.parameters():
            parameter.zero_()
    factor = whole / net(**batch, **sizes).sigma
    assert torch.equal(factor[1, :, 1], torch.ones_like(factor[1, :, 1]))
    own = factor[[0, 2]].flatten(2)
    torch.testing.assert_close(own, own[..., :1].expand_as(own))
    assert own.std() > 0.01


def test_what_an_answer_was_made_of_spreads_it_too():
    spread = AnswerSpread()
    logit, made_of = torch.zeros(4, 2), torch.tensor([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0]])
    assert torch.equal(spread(logit, logit, made_of.bool()), torch.ones(4, 2))
    with torch.no_grad():
        spread.log_variance[-1].weight.normal_()
    assert len(spread(logit, logit, made_of.bool())[:, 0].unique()) == 4


def test_a_constant_sigma_reads_nothing(make_net, make_batch):
    net = make_net(sigma_of_answers=True, constant_sigma=True)
    assert torch.equal(net(**make_batch(3)).sigma.unique(), torch.ones(1))


def test_what_sigma_is_taught_does_not_reach_the_answers(make_net, make_batch):
    net = make_net(sigma_of_answers=True)
    net(**make_batch(3)).sigma.sum().backward()
    reached = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert any(name.startswith("answer_spread.") for name in reached)
    assert not any(name.startswith("head_") or ".mu." in name for name in reached)


def test_each_label_has_its_own_head():
    head = label_heads(labels=3, inputs=4, hidden=5, dropout=0.0)
    x = torch.randn(2, 3, 4)
    before = head(x)
    with torch.no_grad():
        head[0].weight[1] += 1.0
    changed = (head(x) != before).squeeze(2).any(dim=0)
    assert changed.tolist() == [False, True, False]


def test_seeds(config):
    a, b, c = (untrained(config, seed) for seed in (5, 5, 6))
    assert all(map(torch.equal, a.parameters(), b.parameters()))
    assert not torch.equal(a.labels.weight, c.labels.weight)


def test_seeding_leaves_the_global_generator_alone(config):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    untrained(config, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_dropout_in_training_only(net, make_batch):
    batch = make_batch(2)
    assert torch.equal(net(**batch).probability, net(**batch).probability)
    net.train()
    assert not torch.equal(net(**batch).probability, net(**batch).probability)


def test_every_parameter_learns(net, make_batch):
    out = net(**make_batch(4))
    out.probability.sum().backward()
    still = [n for n, p in net.named_parameters() if not p.grad.abs().sum() > 0]
    # A key's bias adds the same to every score of a query, and softmax ignores that.
    assert all(name.endswith("attention.key.bias") for name in still)


def test_deepcopy_after_a_step(net, make_batch):
    net(**make_batch(2)).probability.sum().backward()
    twin = copy.deepcopy(net)
    batch = make_batch(2, seed=8)
    assert torch.equal(twin(**batch).probability, net(**batch).probability)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_features_of_any_float_type(net, make_batch, dtype):
    batch = {m: x.to(dtype) for m, x in make_batch(2).items()}
    same = {m: x.float() for m, x in batch.items()}
    assert torch.equal(net(**batch).probability, net(**same).probability)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_is_finite_and_close(net, make_batch, dtype):
    batch = make_batch(3)
    batch["text"][0] = 1.0  # constant features: variance 0, only eps stands under the root
    lengths = {"audio_length": torch.tensor([10, 0, 4])}
    exact = net(**batch, **lengths)
    with torch.autocast("cpu", dtype=dtype):
        out = net(**batch, **lengths)
        out.probability.sum().backward()
    for value in (getattr(out, field.name) for field in fields(out)):
        assert not isinstance(value, torch.Tensor) or value.isfinite().all()
    assert out.sigma.dtype == out.logit_mu.dtype == torch.float32
    torch.testing.assert_close(out.probability, exact.probability, atol=0.05, rtol=0)
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_a_large_variance_survives_half_precision():
    latent = LatentDistribution(hidden=4, widths=(4,), latent=2)
    with torch.no_grad():
        latent.log_variance.weight.zero_()
        latent.log_variance.bias.fill_(40.0)  # σ = e²⁰, float16 ends at e¹¹
    with torch.autocast("cpu", dtype=torch.float16):
        _, sigma = latent(torch.zeros(1, 4))
    torch.testing.assert_close(sigma, torch.full((1, 2), 4.8516e8), rtol=1e-3, atol=0)
