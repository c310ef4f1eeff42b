"""The objective: the released values, soft and unknown targets, and what it must not keep."""

import gc
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import oracle
from lddu_model import Config, InputSpec, Output, from_released
from lddu_model.calibration import ErrorHistory, ordinality_loss, released_calibration, spread
from lddu_model.config import FUSIONS
from lddu_model.fusion import fuse, fused_log_odds
from lddu_model.gaussian import LatentDistribution
from lddu_model.losses import LossConfig, Objective

SHARED = Path(os.environ.get("ANNOTATE_SHARED", Path(__file__).parents[3] / "shared"))
FIXTURE = SHARED / "lddu_reference" / "fixture.safetensors"


@pytest.mark.skipif(not FIXTURE.exists(), reason=f"{FIXTURE} is not there")
def test_two_steps_have_the_released_losses():
    tensors = load_file(FIXTURE)
    with safe_open(FIXTURE, "pt") as opened:
        released = json.loads(opened.metadata()["losses"])
    weights = {k[7:]: w for k, w in tensors.items() if k.startswith("weight.")}
    net = from_released(weights)
    given = LossConfig(gamma=0.3, beta=1, lambda_=0.3, queue=1024, calibration="released")
    objective = Objective(net.config, given, samples=16)
    objective.contrast.enqueue(tensors["queue.initial"], torch.full((1024,), -1))
    with torch.no_grad():
        output = net(**{m: tensors[f"in.{m}"] for m in ("text", "audio", "visual")})
    for step in ("step1", "step2"):
        losses = objective(output, tensors["in.labels"], torch.arange(16))
        assert losses.final.item() == pytest.approx(released["bce_final"], abs=1e-6)
        assert losses.contrastive.item() == pytest.approx(released[step]["supcon"], abs=1e-5)
        assert losses.calibration.item() == pytest.approx(
            released[step]["calibration_as_released"], abs=1e-7
        )
        assert losses.total.item() == pytest.approx(released[step]["total"], abs=1e-5)


def test_equals_the_plain_formulation_in_value_and_gradient(net, make_batch):
    batch = make_batch(6)
    target = (torch.rand(6, 7, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    given = LossConfig(gamma=0.3, beta=1, lambda_=0.3, queue=200, calibration="released")
    objective = Objective(net.config, given, samples=6)
    plain = oracle.Loss(objective.contrast.rows, gamma=0.3, beta=1, lambda_=0.3, temperature=0.07)
    for _ in range(3):
        net.zero_grad()
        objective(net(**batch), target, torch.arange(6)).total.backward()
        ours = [p.grad.clone() for p in net.parameters() if p.grad is not None]
        net.zero_grad()
        plain(oracle.forward(net, batch), target).backward()
        theirs = [p.grad for p in net.parameters() if p.grad is not None]
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-5)


def output_of(logit: float = 0.0, fusion: str = "released") -> Output:
    logits = torch.full((4, 2), logit, requires_grad=True)
    sigma = torch.ones(4, 2, 3, 5) + torch.rand(4, 2, 3, 5)
    present = torch.ones(4, 3, dtype=torch.bool)
    return Output(logits, logits * 1, logits * 1, sigma - 1, sigma, present, fusion)


TINY = Config(
    labels=("a", "b"),
    visual=InputSpec(3),
    audio=InputSpec(3),
    text=InputSpec(3),
    hidden=8,
    latent=5,
)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("logit", [0.0, 1e-4, 80.0, -80.0])
def test_gradients_are_finite_where_probabilities_round(fusion, logit):
    output = output_of(logit, fusion)
    losses = Objective(TINY, LossConfig(queue=10), samples=4)(
        output, torch.tensor([[1.0, 0.0]] * 4), torch.arange(4)
    )
    losses.total.backward()
    assert losses.total.isfinite()
    assert output.logit_direct.grad.isfinite().all()


def test_soft_targets_have_their_minimum_at_the_share():
    objective = Objective(TINY, LossConfig(beta=0, lambda_=0, gamma=0), samples=4)
    share = 1 / (1 + math.exp(-0.8))
    target, index = torch.full((4, 2), share), torch.arange(4)
    at, below, above = (
        objective(output_of(logit), target, index).final.item() for logit in (0.8, 0.6, 1.0)
    )
    assert at < min(below, above)


def test_unknown_targets_take_no_part():
    known, holes = torch.tensor([[1.0, 0.0]] * 4), torch.tensor([[1.0, float("nan")]] * 4)
    output = output_of(0.3)
    losses = Objective(TINY, LossConfig(queue=10), samples=4)(output, holes, torch.arange(4))
    losses.final.backward()
    assert not output.logit_direct.grad[:, 1].any()
    assert output.logit_direct.grad[:, 0].all()
    whole = Objective(TINY, LossConfig(queue=10), samples=4)(output_of(0.3), known, torch.arange(4))
    assert losses.final != whole.final


def test_a_sample_of_weight_two_counts_as_two():
    weigh, index = LossConfig(beta=0, lambda_=0), torch.arange(4)
    target = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, float("nan")]])
    output = output_of()
    output.logit_direct.data += torch.arange(8.0).reshape(4, 2) / 4
    alone = [
        Objective(TINY, weigh, 4)(output, target, index, weight=torch.eye(4)[row])
        for row in range(4)
    ]
    weight = torch.tensor([2.0, 0.0, 1.0, 1.0])
    found = Objective(TINY, weigh, 4)(output, target, index, weight=weight)
    for part in ("final", "direct", "total"):
        parts = torch.stack([getattr(losses, part) for losses in alone])
        torch.testing.assert_close(getattr(found, part), parts @ weight)
    plain = Objective(TINY, weigh, 4)(output, target, index)
    even = Objective(TINY, weigh, 4)(output, target, index, weight=torch.ones(4))
    torch.testing.assert_close(even.total, plain.total)


def test_positives_of_rare_labels_count_more():
    target, index = torch.tensor([[1.0, 0.0]] * 4), torch.arange(4)
    weigh = LossConfig(beta=0, lambda_=0, gamma=0)
    plain = Objective(TINY, weigh, 4)(output_of(), target, index).final
    heavy = Objective(TINY, weigh, 4, torch.tensor([3.0, 5.0]))(output_of(), target, index).final
    assert heavy.item() == pytest.approx(2 * plain.item())


def test_calibration_raises_sigma_where_the_error_is_larger():
    spreads = torch.ones(3, 2, requires_grad=True)
    errors = torch.tensor([[0.1, 0.1], [0.1, 0.9], [0.5, 0.1]], requires_grad=True)
    known = torch.ones(3, 2, dtype=torch.bool)
    ordinality_loss(spreads, errors, known, temperature=0.2).backward()
    assert spreads.grad.flatten().argmin() == 3  # descent makes it grow most
    assert spreads.grad[0, 0] > 0
    assert errors.grad is None


def test_unknown_errors_take_no_part_in_the_calibration():
    spreads, errors = torch.rand(4, 3), torch.rand(4, 3)
    known = torch.ones(4, 3, dtype=torch.bool)
    known[2] = False
    kept = torch.tensor([0, 1, 3])
    part = ordinality_loss(spreads[kept], errors[kept], known[kept], 0.2)
    torch.testing.assert_close(ordinality_loss(spreads, errors, known, 0.2), part)


def test_released_calibration_never_sees_a_label():
    output = output_of(0.7)
    assert released_calibration(output.sigma, output.p_direct).requires_grad
    given = LossConfig(beta=0, calibration="released")
    one, other = (
        Objective(TINY, given, 4)(output_of(0.7), torch.full((4, 2), y), torch.arange(4))
        for y in (0.0, 1.0)
    )
    assert one.calibration.isfinite()
    assert other.calibration.isfinite()


def test_spread_ignores_absent_modalities_and_has_a_gradient():
    norms = torch.tensor([[[2.0, 0.0, 0.0]]], requires_grad=True)
    value = spread(norms, torch.tensor([[True, False, False]]))
    value.sum().backward()
    assert value.item() == 2
    assert norms.grad.tolist() == [[[1.0, 0.0, 0.0]]]


@pytest.mark.parametrize("logit", [-2.0, 0.0, 2.0])
def test_what_raters_quarrel_about_is_an_error_of_half(logit):
    objective = Objective(TINY, LossConfig(beta=0), 4)
    objective(output_of(logit), torch.tensor([[0.5, 1.0]] * 4), torch.arange(4))
    p = torch.tensor(logit).sigmoid().item()
    torch.testing.assert_close(objective.history.mean, torch.tensor([[0.5, 1 - p]] * 4))


@pytest.mark.parametrize("error_of", ["direct", "final"])
def test_whose_error_sigma_is_to_tell(error_of):
    torch.manual_seed(2)
    output, objective = output_of(1.5), Objective(TINY, LossConfig(beta=0, error_of=error_of), 4)
    output = replace(output, logit_mu=torch.randn(4, 2), logit_sigma=torch.randn(4, 2))
    y = torch.tensor([[0.0, 1.0]] * 4)
    found = objective(output, y, torch.arange(4)).calibration
    p = {"direct": output.p_direct, "final": output.probability}[error_of]
    torch.testing.assert_close(objective.history.mean, (p - y).abs())
    spreads, known = spread(output.sigma_norm, output.present), torch.ones(4, 2) > 0
    t = LossConfig().error_temperature
    torch.testing.assert_close(found, ordinality_loss(spreads, (p - y).abs(), known, t))


def test_history_is_the_mean_over_epochs():
    history, errors = ErrorHistory(5, 2), torch.rand(4, 3, 2)
    for error in errors:
        history.update(torch.tensor([4, 0, 2]), error)
    torch.testing.assert_close(history.mean[[4, 0, 2]], errors.mean(0))
    assert history.mean[[1, 3]].isnan().all()


def test_a_corrupted_sample_is_judged_by_its_error_of_now_and_leaves_no_history():
    objective = Objective(TINY, LossConfig(beta=0), 4)
    clean, output = torch.zeros(4, 3, dtype=torch.bool), output_of(0.7)
    corrupted = clean.clone()
    corrupted[1, 2] = True
    y, index = torch.tensor([[0.0, 1.0]] * 4), torch.arange(4)
    objective(output, 1 - y, index, corrupted=clean)
    before = objective.history.mean.clone()
    assert before.isfinite().all()
    found = objective(output, y, index, corrupted=corrupted).calibration
    moved = (objective.history.mean != before).any(1)
    assert moved.tolist() == [True, False, True, True]
    assert objective.history.count.tolist() == [2, 1, 2, 2]
    error = (output.p_direct - y).abs()
    seen = torch.where(corrupted.any(1)[:, None], error, before)
    spreads = spread(output.sigma_norm, output.present)
    known, t = torch.ones_like(y, dtype=torch.bool), LossConfig().error_temperature
    halves = [ordinality_loss(spreads, e, known, t) for e in (error, seen)]
    torch.testing.assert_close(found, 0.5 * sum(halves))


@pytest.mark.parametrize("queue", [0, 12])
def test_corrupted_modalities_are_not_contrasted(queue):
    corrupted = torch.zeros(4, 3, dtype=torch.bool)
    corrupted[1, 2] = corrupted[3, 0] = True
    output, y, index = output_of(0.7), torch.ones(4, 2), torch.arange(4)
    given = LossConfig(queue=queue, lambda_=0)
    found = Objective(TINY, given, 4)(output, y, index, corrupted=corrupted)
    without = replace(output, present=~corrupted)
    expected = Objective(TINY, given, 4)(without, y, index)
    torch.testing.assert_close(found.contrastive, expected.contrastive)
    torch.testing.assert_close(found.final, expected.final)
    every = torch.ones(4, 3, dtype=torch.bool)
    nothing = Objective(TINY, given, 4)(output, y, index, corrupted=every)
    assert (nothing.contrastive, nothing.final, nothing.direct) == (0, 0, 0)


def test_a_sample_without_a_modality_of_its_own_teaches_no_label_but_sigma():
    output = output_of(0.7)
    output = replace(
        output, sigma=(output.sigma + torch.rand(4, 2, 3, 5)).detach().requires_grad_()
    )
    corrupted = torch.zeros(4, 3, dtype=torch.bool)
    corrupted[1] = True
    corrupted[2, 0] = True
    y, index = torch.tensor([[0.0, 1.0]] * 4), torch.arange(4)
    losses = Objective(TINY, LossConfig(beta=0), 4)(output, y, index, corrupted=corrupted)
    (of_logit,) = torch.autograd.grad(losses.final, output.logit_direct, retain_graph=True)
    assert of_logit.any(1).tolist() == [True, False, True, True]
    (of_sigma,) = torch.autograd.grad(losses.calibration, output.sigma)
    assert of_sigma.flatten(1).any(1).all()


def test_nothing_keeps_a_graph_over_fifty_epochs(net, make_batch):
    objective = Objective(net.config, LossConfig(queue=64), samples=4)
    batch, target = make_batch(4), torch.ones(4, 7)

    def alive_after(epochs: int) -> int:
        for _ in range(epochs):
            net.zero_grad()
            objective(net(**batch), target, torch.arange(4)).total.backward()
        gc.collect()
        return sum(isinstance(o, torch.Tensor) for o in gc.get_objects())

    assert alive_after(5) == alive_after(45)
    assert not any(b.requires_grad for b in objective.buffers())


def test_losses_are_float32_under_autocast(net, make_batch):
    objective = Objective(net.config, LossConfig(queue=64), samples=4)
    with torch.autocast("cpu", torch.bfloat16):
        losses = objective(net(**make_batch(4)), torch.ones(4, 7), torch.arange(4))
    assert losses.total.dtype == losses.contrastive.dtype == torch.float32


@pytest.mark.parametrize("fusion", FUSIONS)
def test_log_odds_are_those_of_the_fusion(fusion):
    logits = 4 * torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    log_p, log_q = fused_log_odds(*logits, fusion)
    torch.testing.assert_close(log_p.exp(), fuse(*logits.sigmoid(), fusion), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(log_p.exp() + log_q.exp(), torch.ones(50), rtol=1e-5, atol=1e-5)


def test_moments_of_a_mixture_are_those_of_its_samples():
    torch.manual_seed(0)
    latent = LatentDistribution(hidden=4, widths=(6,), latent=2, components=3)
    z = torch.randn(1, 4)
    mu, sigma = latent(z)
    x = latent.trunk(z)
    means = latent.mu(x).view(3, 2)
    deviations = (latent.log_variance(x) / 2).exp().view(3, 2)
    chosen = torch.multinomial(latent.mixture(x).softmax(1)[0], 200_000, replacement=True)
    samples = means[chosen] + deviations[chosen] * torch.randn(200_000, 2)
    torch.testing.assert_close(samples.mean(0), mu[0], atol=0.02, rtol=0)
    torch.testing.assert_close(samples.std(0), sigma[0], atol=0.02, rtol=0)


def test_intensity_is_learnt_where_it_is_known(make_net, make_batch):
    net = make_net(intensity=True)
    objective = Objective(net.config, LossConfig(intensity=1.0, queue=10), samples=4)
    target = torch.ones(4, 7)
    strength = torch.full((4, 7), 2.0)
    strength[0] = float("nan")
    output = net(**make_batch(4))
    losses = objective(output, target, torch.arange(4), strength)
    errors = (output.intensity[1:] - 2).square().mean()
    torch.testing.assert_close(losses.intensity, errors)
    assert (output.intensity >= 0).all()


@pytest.mark.parametrize(
    "wrong",
    [{"beta": -1}, {"gamma": math.nan}, {"calibration": "x"}, {"error_temperature": 0}],
)
def test_settings_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LossConfig(**wrong)
