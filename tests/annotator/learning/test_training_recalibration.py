"""The end of a training, in which σ alone learns."""

from copy import deepcopy

import pytest
import torch

from annotator.learning.distributed import Ranks
from annotator.learning.networks import network_config
from annotator.learning.recalibration import recalibrate
from annotator.learning.start import LayerRates, Start
from annotator.learning.training import train
from lddu_model import load, untrained
from lddu_model.optimisation import of_sigma
from toy_corpus import Silent, corpus, settings

CPU = torch.device("cpu")


def model(out, *assignments, watcher=None):
    given = settings(*assignments)
    return load(train(corpus(), given, out, device=CPU, watcher=watcher or Silent()))


@pytest.mark.parametrize("reads", ["false", "true"])
def test_only_what_serves_sigma_changes(tmp_path, reads):
    given = f"network.sigma_of_answers={reads}"
    before = model(tmp_path / "without", given, "train.recalibrate=0").network.state_dict()
    after = model(tmp_path / "with", given, "train.recalibrate=2").network.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {name for name in before if of_sigma(name)}


def test_the_network_keeps_its_dropout_and_its_gradients():
    given = settings()
    network = untrained(network_config(corpus(), given), seed=0)
    recalibrate(network, corpus(), given, CPU, Ranks(), Silent())
    assert network.config.dropout == given.network.dropout > 0
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    "why_not",
    [
        "train.recalibrate=0",
        "loss.lambda_=0",
        "loss.calibration=released",
        "network.constant_sigma=true",
    ],
)
def test_what_is_not_taught_by_errors_is_not_recalibrated(why_not):
    given = settings(why_not)
    network = untrained(network_config(corpus(), given), seed=0)
    before = deepcopy(network.state_dict())
    recalibrate(network, corpus(), given, CPU, Ranks(), Silent())
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("anew", [True, False])
def test_what_sigma_knew_beside_the_answers_is_forgotten_only_anew(anew):
    given = settings("network.sigma_of_answers=true")
    networks = [untrained(network_config(corpus(), given), seed=0) for _ in range(2)]
    with torch.no_grad():
        networks[1].latent["text"].log_variance.weight.add_(0.5)
    for network in networks:
        recalibrate(network, corpus(), given, CPU, Ranks(), Silent(), anew=anew)
    one, other = (network.state_dict() for network in networks)
    assert all(torch.equal(one[name], other[name]) for name in one) == anew


def test_a_training_from_random_weights_begins_sigma_anew_and_one_from_a_model_does_not(
    tmp_path, monkeypatch
):
    asked = []

    def noted(*_args, anew):
        asked.append(anew)

    monkeypatch.setattr("annotator.learning.training.recalibrate", noted)
    first = load(train(corpus(), settings(), tmp_path / "first", device=CPU, watcher=Silent()))
    start = Start(first, LayerRates())
    train(corpus(), settings(), tmp_path / "on", device=CPU, watcher=Silent(), start=start)
    assert asked == [True, False]


@pytest.mark.parametrize("reads", ["false", "true"])
@pytest.mark.parametrize(("heads", "moved"), [(1.0, True), (0.0, False)])
def test_what_is_frozen_stays_frozen(heads, moved, reads):
    given = settings(f"network.sigma_of_answers={reads}")
    network = untrained(network_config(corpus(), given), seed=0)
    before = deepcopy(network.state_dict())
    rates = LayerRates(encoders=1.0, emotion_space=0.0, heads=heads)
    recalibrate(network, corpus(), given, CPU, Ranks(), Silent(), rates.of)
    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    learns = {"head_sigma"} | ({"answer_spread"} if reads == "true" else set())
    assert {name.partition(".")[0] for name in changed} == (learns if moved else set())


class Interrupted(Exception):
    pass


class CutOff(Silent):
    """Interrupts in the second step of σ alone."""

    def step(self, done, total, part):
        super().step(done, total, part)
        if part == "training σ alone" and done == 2:
            raise Interrupted


def test_cut_off_in_it_the_training_ends_with_the_same_weights(tmp_path):
    with pytest.raises(Interrupted):
        model(tmp_path / "cut", watcher=CutOff())
    watcher = Silent()
    again = model(tmp_path / "cut", watcher=watcher)
    assert not watcher.epochs, "the epochs before it are not trained anew"
    assert again.weights_sha256 == model(tmp_path / "whole").weights_sha256
