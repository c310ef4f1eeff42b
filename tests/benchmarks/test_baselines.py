"""The baselines are what they are called, and are trained and judged as LDDU is."""

import json
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 the name every torch reader expects
from torch import Tensor, nn

import baseline_networks
import baselines
from annotator.errors import UsageError
from annotator.learning.dataset import Dataset
from annotator.metrics.evaluate import summarise
from baseline_networks import MOMENTUM, CaratStyle, LateFusion, cross_entropy
from baselines import Task
from lddu_model import MODALITIES, Config, InputSpec
from lddu_model.losses import LossConfig
from toy_corpus import LABELS, TINY, corpus, settings

CPU = torch.device("cpu")
Q, WIDTH, LATENT, DIM = len(LABELS), 8, 4, 6
CONFIG = Config(
    labels=LABELS,
    **{m: InputSpec(DIM) for m in MODALITIES},
    hidden=WIDTH,
    feedforward=8,
    layers=1,
    heads=2,
    latent_hidden=(8,),
    latent=LATENT,
    head_hidden=8,
)
BOTH = pytest.mark.parametrize("make", [LateFusion, CaratStyle])


def network(make, queue=0, weight=None):
    torch.manual_seed(0)
    weight = torch.ones(Q) if weight is None else weight
    return make(CONFIG, LossConfig(queue=queue), weight)


def inputs(batch=5, seed=0, **lengths: list[int]):
    """All modalities with those lengths; 3 steps by default."""
    random = torch.Generator().manual_seed(seed)
    given = {}
    for m in MODALITIES:
        steps = torch.tensor(lengths.get(m, [3] * batch))
        if steps.any():
            given[m] = torch.randn(batch, 4, DIM, generator=random)
            given[f"{m}_length"] = steps
    return given


def targets(batch=5, seed=0):
    return (torch.rand(batch, Q, generator=torch.Generator().manual_seed(seed)) < 0.5).float()


def levels(own: Tensor, latent: Tensor, present: Tensor):
    return baseline_networks._Levels(own, latent, own, own, own, present)


def task(dataset: Dataset | None = None, *assignments: str, split="test"):
    return Task(corpus() if dataset is None else dataset, settings(*assignments), split, CPU)


@BOTH
@pytest.mark.parametrize(
    "lacking", [(), *combinations(MODALITIES, 1), *combinations(MODALITIES, 2)]
)
def test_an_answer_depends_on_its_sample_only(make, lacking):
    net = network(make).eval()
    net(inputs())
    alone = inputs(1, **{m: [0] for m in lacking})
    mixed = inputs(2, seed=1, **{m: [0, 2] for m in lacking})
    for name, value in alone.items():
        mixed[name][0] = value[0]
    expected = net(alone)[0]
    assert ((expected > 0) & (expected < 1)).all()
    torch.testing.assert_close(net(mixed)[0], expected)


@BOTH
def test_every_weight_that_has_its_modality_learns(make):
    net = network(make, queue=20)
    net.loss(inputs(), targets()).backward()
    idle = {name for name, w in net.named_parameters() if w.grad is None or not w.grad.any()}
    # Softmax cancels the first two; of the last only the strongest modality's learn from a sample.
    spared = ("key.bias", "memory.bias", "classify")
    assert {name for name in idle if not any(part in name for part in spared)} == set()


@BOTH
def test_without_a_modality_its_encoder_is_left_alone(make):
    net = network(make)
    net.loss(inputs(audio=[0] * 5), targets()).backward()
    for name, weight in net.emotions.named_parameters():
        assert (weight.grad is None or not weight.grad.any()) or ".audio" not in f".{name}"


def test_late_fusion_is_the_mean_of_the_log_odds():
    net = network(LateFusion).eval()
    whole = inputs(text=[3, 3, 3, 3, 0])
    alone = {
        m: net({k: v for k, v in whole.items() if k.startswith(m)}).logit()
        for m in ("visual", "audio")
    }
    found = net(whole).logit()
    torch.testing.assert_close(found[4], (alone["visual"][4] + alone["audio"][4]) / 2)
    assert not torch.allclose(found[0], (alone["visual"][0] + alone["audio"][0]) / 2)


def test_late_fusion_trains_each_modality_on_its_own():
    net, target = network(LateFusion).eval(), targets()
    together = inputs()
    net.loss(together, target).backward()
    visual = {n: p.grad.clone() for n, p in net.emotions.encoder["visual"].named_parameters()}
    net.zero_grad()
    others = {**together, "text": together["text"] * 9, "audio": together["audio"].flip(0)}
    net.loss(others, target).backward()
    for name, weight in net.emotions.encoder["visual"].named_parameters():
        torch.testing.assert_close(weight.grad, visual[name])


def test_cross_entropy_weighs_positives_and_passes_over_the_unknown():
    p = np.array([[0.9, 0.2], [0.3, 0.6]])
    y = np.array([[1.0, np.nan], [0.25, 0.0]])
    w = np.array([3.0, 1.0])
    each = -(w * y * np.log(p) + (1 - y) * np.log(1 - p))
    found = cross_entropy(torch.tensor(p).logit(), torch.tensor(y), torch.tensor(w))
    assert found.item() == pytest.approx(np.nanmean(each))


def test_a_prototype_is_the_moving_mean_of_its_latents():
    net = network(CaratStyle)
    target = torch.tensor([[1.0, 0.0, torch.nan], [1.0, 1.0, 0.4]])
    present = torch.tensor([[True, True, False], [True, False, False]])
    latent = torch.randn(1, Q, 3, LATENT).expand(2, -1, -1, -1)  # alike: the order cannot matter
    expected = net.prototypes.clone()
    for b, q, m in np.ndindex(2, Q, 3):
        if present[b, m] and not target[b, q].isnan():
            row = expected[0 if target[b, q] >= 0.5 else 1, q, m]
            row.mul_(MOMENTUM).add_((1 - MOMENTUM) * F.normalize(latent[b, q, m], dim=0))
    net._move_prototypes(levels(latent, latent, present), target)
    torch.testing.assert_close(net.prototypes, expected)


def test_what_fills_in_is_the_nearer_prototype_and_both_where_there_is_nothing():
    net = network(CaratStyle).eval()
    net.prototypes = F.normalize(torch.randn_like(net.prototypes), dim=-1)
    present = torch.tensor([[True, True, False]])
    filled = net._filling(net.prototypes[1][None], present)[0]
    torch.testing.assert_close(filled[:, :2], net.prototypes[1][:, :2])
    torch.testing.assert_close(filled[:, 2], net.prototypes.mean(0)[:, 2])
    share = net.train()._filling(net.prototypes[1][None], present)[0]
    assert not torch.allclose(share[:, :2], net.prototypes[1][:, :2])


def test_the_contrast_is_the_supervised_one_over_cosines():
    net, target = network(CaratStyle), targets()
    present = torch.ones(5, 3, dtype=torch.bool)
    own, latent = torch.randn(5, Q, 3, WIDTH), torch.randn(5, Q, 3, LATENT)
    coded = baseline_networks.by_modality(net.encode, own)
    classes = (target[:, :, None] * 10 + torch.arange(Q)[:, None]) * 10 + torch.arange(3)
    rows = torch.cat([x.flatten(0, 2) for x in (latent, coded, coded)])
    classes = classes.flatten().repeat(3)
    similar = F.cosine_similarity(rows[:, None], rows[None], dim=2) / LossConfig().temperature
    similar = similar.masked_fill(torch.eye(len(rows), dtype=torch.bool), -torch.inf)
    logp = similar.log_softmax(1).masked_fill(torch.eye(len(rows), dtype=torch.bool), 0)
    alike = (classes[:, None] == classes[None]).float().fill_diagonal_(0)
    expected = -((alike * logp).sum(1) / alike.sum(1)).mean()
    torch.testing.assert_close(net._contrast(levels(own, latent, present), target), expected)


def test_shuffled_features_keep_their_own_targets():
    class Reads(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 40 * x.unflatten(-1, (Q, WIDTH))[..., 0] - 20

    net, target = network(CaratStyle), targets(8)
    net.aggregate = Reads()
    level = target[:, :, None, None].expand(8, Q, 3, WIDTH)
    assert net._shuffled(level, target) < 1e-6
    assert net._shuffled(level, 1 - target) > 10


def test_the_prior_says_the_frequencies_of_training():
    dataset = corpus()
    share = np.mean([e.target for e in dataset.splits["train"]], axis=0)
    measured = baselines.prior(task(dataset))
    y = np.stack([e.target for e in dataset.splits["test"]])
    assert measured.metrics["brier"].value == pytest.approx(((y - share) ** 2).mean(), rel=1e-5)


def test_late_fusion_learns_and_the_seed_decides_everything():
    def once(seed):
        given = task(None, "train.epochs=6", "train.learning_rate=1e-2", f"train.seed={seed}")
        return baselines.baseline(LateFusion, given).metrics["mean_average_precision"].value

    first = once(0)
    assert first > baselines.prior(task()).metrics["mean_average_precision"].value + 0.2
    assert once(0) == first
    assert once(1) != first


def test_training_ends_by_patience_with_the_best_weights(monkeypatch):
    scores = iter([0.1, 0.5, 0.2, 0.1, 0.9])
    given = task(None, "train.epochs=10", "train.patience=2")
    seen = []

    def scripted(*_):
        seen.append({k: v.clone() for k, v in net.state_dict().items()})
        return next(scores)

    monkeypatch.setattr(baselines, "score", scripted)
    net = network(LateFusion)
    baselines.fit(net, given)
    assert len(seen) == 4
    for name, value in net.state_dict().items():
        assert torch.equal(value, seen[1][name]), name


def test_the_test_split_decides_nothing():
    whole = corpus()
    turned = [replace(e, target=1 - e.target) for e in whole.splits["test"]]
    other = replace(whole, splits={**whole.splits, "test": turned})
    found = [
        baselines.baseline(LateFusion, task(data, "train.epochs=2")) for data in (whole, other)
    ]
    assert found[0].thresholds == found[1].thresholds
    assert found[0].metrics["brier"].value != found[1].metrics["brier"].value


def test_one_table_for_all(monkeypatch, capsys):
    monkeypatch.setattr(baselines, "open_dataset", lambda path: corpus())
    given = ["baselines.py", "toy", "--seeds", "0", "1", "--epochs", "1", "--set", *TINY]
    monkeypatch.setattr(sys, "argv", given)
    baselines.main()
    title, header, *rows = capsys.readouterr().out.splitlines()
    assert "70 train, 40 valid, 30 test" in title
    assert "measured on test, 2 seeds" in title
    assert header.split("  ")[-1].strip() == "LDDU, released calibration"
    assert len(rows) == len(baselines.SHOWN)
    assert all(row.count("±") == len(baselines.SYSTEMS) for row in rows)


def test_the_json_has_every_metric_of_validation_if_there_is_no_test(monkeypatch, capsys):
    whole = corpus()
    without_test = replace(whole, splits={k: v for k, v in whole.splits.items() if k != "test"})

    def only_prior(given: Task, seeds):
        assert given.split == "valid"
        assert tuple(seeds) == (0, 1, 2)
        return {"prior": summarise([baselines.prior(given)])}

    monkeypatch.setattr(baselines, "open_dataset", lambda path: without_test)
    monkeypatch.setattr(baselines, "compare", only_prior)
    monkeypatch.setattr(sys, "argv", ["baselines.py", "toy", "--json"])
    baselines.main()
    found = json.loads(capsys.readouterr().out)["prior"]
    assert found["metrics"]["uar"]["mean"] == 0.5
    assert found["per_label"]["f1"].keys() == set(LABELS)


def test_wrong_settings_and_data_are_one_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["baselines.py", "nowhere.pkl"])
    with pytest.raises(SystemExit, match=r"nowhere\.pkl does not exist"):
        baselines.main()
    monkeypatch.setattr(sys, "argv", ["baselines.py", "x", "--set", "train.speed=9"])
    with pytest.raises(SystemExit, match="no setting 'speed'"):
        baselines.main()
    empty = replace(corpus(), splits={"train": corpus().splits["train"]})
    with pytest.raises(UsageError, match="no valid examples"):
        baselines.compare(task(empty, split="valid"), [0])
