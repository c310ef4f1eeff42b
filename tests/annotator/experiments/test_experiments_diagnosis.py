"""The failure signatures: planted ones are found, healthy networks pass."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import toy_corpus
from annotator.errors import UsageError
from annotator.experiments.diagnosis import diagnose
from annotator.experiments.diagnosis_confidence import overconfident_errors, surest_errors
from annotator.experiments.diagnosis_finding import Finding
from annotator.experiments.diagnosis_gap import modality_gap, separability
from annotator.experiments.diagnosis_propagation import through_fusion, without_each
from annotator.experiments.diagnosis_queue import stale_queue
from annotator.experiments.diagnosis_training import best_so_far, open_training
from annotator.experiments.diagnosis_variance import variance_collapse
from annotator.experiments.latents import Latents, distributions, encode, some
from annotator.learning.answers import answer
from annotator.learning.card import open_model
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import Training
from annotator.learning.networks import network_config
from annotator.learning.training import train
from lddu_model import Checkpoint, untrained
from toy_corpus import Silent, corpus, settings

CPU = torch.device("cpu")
N, Q, D = 200, 3, 10

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    given = settings(
        "train.epochs=8",
        "train.learning_rate=1e-2",
        "train.patience=0",
        "loss.lambda_=3",
        "loss.calibration=error",
        "network.fusion=released",
        "network.dropout=0.1",
    )
    out = tmp_path_factory.mktemp("trained")
    return open_model(train(corpus(200, 60), given, out, device=CPU, watcher=Silent()))


def planted(**changes: object) -> Latents:
    """Random latents without any failure: σ follows the error of ŷ_dir."""
    random = np.random.default_rng(0)
    target = (random.random((N, Q)) < 0.5).astype(float)
    hard = random.random((N, Q))  # how hard an answer is; the hardest third are wrong
    wrong = hard > 2 / 3
    probability = np.where(wrong != (target > 0), 0.5 + (1 - hard) / 2, 0.5 - (1 - hard) / 2)
    noise = random.random((N, Q, 3, D))
    healthy = Latents(
        labels=("a", "b", "c"),
        mu=random.normal(size=(N, Q, 3, D)).astype(np.float32),
        sigma=(0.5 + hard[:, :, None, None] + 0.1 * noise).astype(np.float32),
        present=np.ones((N, 3), bool),
        p_direct=probability,
        p_mu=probability,
        p_sigma=probability,
        probability=probability,
        target=target,
        fusion="released",
    )
    return replace(healthy, **changes)


def failed(findings: tuple[Finding, ...]) -> dict[str, bool | None]:
    return {finding.measure: finding.failed for finding in findings}


def test_a_constant_sigma_has_collapsed_and_a_trained_one_has_not(model):
    config = network_config(corpus(), settings("network.constant_sigma=true"))
    constant = encode(untrained(config, 0), corpus().split("test"), CPU)
    assert failed(variance_collapse(constant)) == {"spread": True, "dead_dimensions": True}
    trained = encode(model.network, corpus().split("test"), CPU)
    assert failed(variance_collapse(trained)) == {"spread": False, "dead_dimensions": False}


def test_the_spread_is_that_of_the_worst_modality_and_within_a_label():
    sigma = planted().sigma.copy()
    sigma[:, :, 2] = np.array([1.0, 5.0, 9.0])[:, None]  # differs between labels, not clips
    spread, dead = variance_collapse(planted(sigma=sigma))
    assert spread.value == pytest.approx(0, abs=1e-6)
    assert spread.failed
    assert dead.details == {"visual": 0, "audio": 0, "text": 1}
    assert spread.details["audio"] > 0.1


def test_dead_dimensions_alone_are_found():
    sigma = planted().sigma.copy()
    sigma[..., :6] = 1.0
    assert failed(variance_collapse(planted(sigma=sigma))) == {
        "spread": False,
        "dead_dimensions": True,
    }


def test_a_modality_that_no_clip_has_is_passed_over():
    present = np.array([[True, True, False]]).repeat(N, axis=0)
    spread, dead = variance_collapse(planted(present=present))
    assert np.isnan(spread.details["text"])
    assert (spread.failed, dead.failed) == (False, False)
    gap = modality_gap(planted(present=present))
    assert np.isnan(gap.details["visual-text"])
    assert gap.failed is False


def test_shifted_centroids_are_a_modality_gap(model):
    examples = corpus().split("test")
    healthy = modality_gap(encode(model.network, examples, CPU))
    assert healthy.failed is False
    shifted = untrained(model.network.config, 0)
    shifted.load_state_dict(model.network.state_dict())
    with torch.no_grad():
        shifted.latent["text"].mu.bias += 100
    gap = modality_gap(encode(shifted, examples, CPU))
    assert gap.failed
    assert gap.details["visual-audio"] == pytest.approx(healthy.details["visual-audio"])
    assert gap.details["visual-text"] > 8
    assert gap.details["linear_separability"] > 0.95


def test_the_gap_is_in_units_of_the_spread():
    mu = np.random.default_rng(1).normal(size=(N, Q, 3, D)).astype(np.float32)
    mu[:, :, 1, 0] += 3 * np.sqrt(D)  # the root mean square distance from the centroid is √D
    gap = modality_gap(planted(mu=mu))
    assert gap.details["visual-audio"] == pytest.approx(3, rel=0.1)
    assert gap.details["visual-text"] < 0.3


def test_separability_is_chance_where_modalities_are_alike():
    assert separability(planted()) == pytest.approx(1 / 3, abs=0.1)
    one = np.array([[True, False, False]]).repeat(N, axis=0)
    assert np.isnan(separability(planted(present=one)))
    assert modality_gap(planted(present=one)).failed is None


def test_errors_among_the_surest_are_found():
    assert set(failed(overconfident_errors(planted(), 0.5)).values()) == {False}
    turned = planted(sigma=2 - planted().sigma)
    assert failed(overconfident_errors(turned, 0.5)) == {
        "surest_tenth_by_sigma": True,
        "surest_tenth_by_probability": False,
        "sigma_error_spearman": True,
    }
    # The right answers are hesitant and the wrong ones sure.
    p = planted().probability
    sure = np.where((p > 0.5) != (planted().target > 0), (p > 0.5) * 1.0, 0.5 + (p - 0.5) * 0.1)
    findings = failed(overconfident_errors(planted(probability=sure), 0.5))
    assert findings["surest_tenth_by_probability"] is True


def test_a_constant_sigma_is_worth_nothing():
    blind = overconfident_errors(planted(sigma=np.ones((N, Q, 3, D), np.float32)), 0.5)
    assert blind[0].value == pytest.approx(1)
    assert blind[0].failed
    assert blind[2].failed is None  # a constant has no rank correlation


def test_without_a_wrong_answer_overconfidence_is_unknown():
    right = planted().target
    found = overconfident_errors(planted(probability=right), 0.5)
    assert [finding.failed for finding in found[:2]] == [None, None]
    assert json.loads(json.dumps(found[0].to_json(), allow_nan=False))["value"] is None


def test_surest_errors_takes_a_tenth_of_each_label():
    uncertainty = np.stack([np.arange(30.0), 100 + np.arange(30.0)], axis=1)
    wrong = np.zeros((30, 2), bool)
    wrong[:3, 1] = True  # the surest tenth of the second label
    known = np.ones((30, 2), bool)
    assert surest_errors(uncertainty, wrong, known) == 0.5
    known[:, 1] = False
    assert surest_errors(uncertainty, wrong & known, known) == 0
    assert np.isnan(surest_errors(uncertainty, wrong, np.zeros((30, 2), bool)))


@pytest.mark.parametrize(
    ("drifts", "failed"), [([0.2, 1.0, 0.3], True), ([0.2, 0.99, 0.3], False), ([], None)]
)
def test_a_queue_is_stale_by_its_largest_drift(drifts, failed):
    finding = stale_queue({"queue_drift": drifts})
    assert finding.failed is failed
    if drifts:
        assert finding.value == max(drifts)
        assert finding.details == {"epoch": 2, "last": 0.3}


def test_a_model_that_tells_of_no_queue_is_unknown_and_a_damaged_one_refused():
    assert stale_queue({}).failed is None
    for wrong in ({"1": 0.5}, ["much"], None):
        with pytest.raises(UsageError, match="queue_drift must list numbers"):
            stale_queue({"queue_drift": wrong})


class Interrupted(Exception):
    pass


class Impatient(Silent):
    def epoch(self, epoch: object) -> None:
        raise Interrupted


def test_a_training_is_diagnosed_by_its_queue_before_and_after_its_end(tmp_path):
    with pytest.raises(Interrupted):
        train(corpus(), settings(), tmp_path, device=CPU, watcher=Impatient())
    training = open_training(tmp_path, corpus(), settings(), CPU)
    model = best_so_far(training, corpus())
    found = diagnose(model, corpus(), "valid", device=CPU)
    assert found.findings[-1].failed is False
    assert found.findings[-1].value == training.history[0].queue_drift
    assert model.metadata["thresholds"].keys() == set(toy_corpus.LABELS)
    with pytest.raises(UsageError, match="other settings or data"):
        open_training(tmp_path, corpus(), settings("loss.beta=0.5"), CPU)
    with pytest.raises(UsageError, match="no epoch behind it"):
        best_so_far(Training(corpus(), settings(), CPU, Ranks()), corpus())
    watcher = Silent()
    finished = open_model(train(corpus(), settings(), tmp_path, device=CPU, watcher=watcher))
    drifts = [training.history[0].queue_drift, *(epoch.queue_drift for epoch in watcher.epochs)]
    found = diagnose(finished, corpus(), "valid", device=CPU)
    assert finished.metadata["queue_drift"] == drifts
    assert found.findings[-1].value == max(drifts)
    assert open_training(tmp_path, corpus(), settings(), CPU) is None


def test_errors_are_followed_through_the_fusion():
    # Of the released fusion, ŷ = ŷ_dir·ŷ_μ + (1 - ŷ_dir)·ŷ_σ; all are present but the last.
    direct = np.array([0.1, 0.1, 0.1, 0.9, 0.9, 0.9])
    of_mu = np.array([0.9, 0.2, 0.9, 0.9, 0.1, 0.9])
    of_sigma = np.array([0.1, 0.1, 0.9, 0.5, 0.5, 0.1])
    fate = ["caused", "shared", "corrected", "right", "introduced", "caused"]
    probability = direct * of_mu + (1 - direct) * of_sigma
    columns = (direct, of_mu, of_sigma, probability, np.array([1.0, 1, 1, 1, 1, 0]))
    direct, of_mu, of_sigma, probability, target = (c[:, None] for c in columns)
    latents = planted(
        labels=("a",),
        p_direct=direct,
        p_mu=of_mu,
        p_sigma=of_sigma,
        probability=probability,
        target=target,
    )
    overall, by_label = through_fusion(latents, 0.5, 0.5)
    assert by_label == {"a": overall}
    for name in ("caused", "shared", "corrected", "introduced"):
        assert getattr(overall, name) == fate.count(name)
    assert (overall.direct_errors, overall.final_errors, overall.answers) == (4, 4, 6)
    assert overall.error_if_direct_wrong == 3 / 4
    assert overall.error_if_direct_right == 1 / 2
    assert overall.shift == pytest.approx(np.abs((direct - target) * (of_mu - of_sigma)).mean())


@pytest.mark.parametrize("fusion", ["released", "difficulty"])
def test_counts_add_up_whatever_is_unknown(fusion):
    random = np.random.default_rng(3)
    p = random.random((4, N, Q))
    target = np.where(random.random((N, Q)) < 0.2, np.nan, random.random((N, Q)).round())
    given = {"p_direct": p[0], "p_mu": p[1], "p_sigma": p[2], "probability": p[3]}
    latents = planted(**given, target=target, fusion=fusion)
    overall, by_label = through_fusion(latents, [0.3, 0.5, 0.7], [0.5, 0.4, 0.6])
    assert overall.answers == (~np.isnan(target)).sum()
    for found in (overall, *by_label.values()):
        assert found.final_errors == found.caused + found.shared + found.introduced
        assert found.direct_errors == found.caused + found.shared + found.corrected
    for name in ("caused", "shared", "corrected", "introduced", "answers"):
        assert getattr(overall, name) == sum(getattr(f, name) for f in by_label.values())


def test_a_dropped_modality_is_measured_on_the_clips_that_have_another(model):
    examples = corpus().split("test")
    dropped = {found.modality: found for found in without_each(model.network, examples, 0.5, CPU)}
    assert set(dropped) == {"visual", "audio", "text"}
    having = [e for e in examples if "text" in e.features and len(e.features) > 1]
    assert dropped["text"].clips == len(having) < len(examples)
    less = [
        replace(e, features={m: v for m, v in e.features.items() if m != "text"}) for e in having
    ]
    whole, rest = (answer(model.network, clips, CPU) for clips in (having, less))
    shift = np.abs(whole.probability - rest.probability).mean()
    assert dropped["text"].shift == pytest.approx(shift, rel=1e-5)
    errors = [((a.probability >= 0.5) != (a.target >= 0.5)).mean() for a in (whole, rest)]
    net = dropped["text"].broken - dropped["text"].mended
    assert net == pytest.approx(errors[1] - errors[0])
    assert max(found.shift for found in dropped.values()) > 0.05


def test_a_single_modality_cannot_be_dropped(model):
    alone = [
        replace(e, features={"text": e.features["text"]})
        for e in corpus().split("test")
        if "text" in e.features
    ]
    assert [found.clips for found in without_each(model.network, alone, 0.5, CPU)] == [0, 0, 0]


def test_the_diagnosis_of_a_healthy_network(model):
    found = diagnose(model, corpus(200, 60, 200), "test", device=CPU)
    assert [f.name for f in found.findings if f.failed] == []
    assert found.clips == 200
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert len(content["findings"]) == 7
    assert {f["name"] for f in content["findings"]} == {
        "variance collapse",
        "modality gap",
        "overconfident errors",
        "stale queue",
    }
    assert all(f["remedy"] and f["explanation"] for f in content["findings"])
    assert content["propagation"]["per_label"].keys() == set(toy_corpus.LABELS)


def test_an_untrained_network_fails(model):
    config = network_config(corpus(), settings("network.constant_sigma=true"))
    found = diagnose(Checkpoint(untrained(config, 0), {}, ""), corpus(), "test", device=CPU)
    assert {finding.name for finding in found.failed} >= {
        "variance collapse",
        "overconfident errors",
    }


def test_what_cannot_be_diagnosed_is_refused(model):
    with pytest.raises(UsageError, match="toy has no test examples"):
        diagnose(model, corpus(test=0), "test", device=CPU)
    with pytest.raises(UsageError, match="toy has no valid examples"):
        diagnose(model, corpus(valid=0), "test", device=CPU)
    with pytest.raises(UsageError, match="the model knows"):
        diagnose(model, replace(corpus(), labels=("a", "b", "c")), "test", device=CPU)


def test_encode_keeps_the_order_and_agrees_with_the_answers(model):
    examples = corpus(test=150).split("test")
    latents, answers = encode(model.network, examples, CPU), answer(model.network, examples, CPU)
    np.testing.assert_allclose(latents.probability, answers.probability, atol=1e-6)
    np.testing.assert_allclose(latents.sigma_norm, answers.sigma_norm, rtol=1e-5)
    np.testing.assert_allclose(latents.spread.mean(axis=1), answers.variance, rtol=1e-5)


def test_distributions_are_of_present_labels_and_modalities():
    present = np.ones((N, 3), bool)
    present[:, 1] = False
    found = distributions(planted(present=present), each=20, seed=0)
    assert found.rows.shape == (3 * 2 * 20, 2 * D)
    assert set(found.modality.tolist()) == {0, 2}
    np.testing.assert_allclose(np.linalg.norm(found.rows[:, :D], axis=1), 1)
    np.testing.assert_allclose(np.linalg.norm(found.rows[:, D:], axis=1), 1)


def test_some_are_drawn_in_order_and_alike_for_a_seed():
    drawn = some(range(100), most=10, seed=1)
    assert list(drawn) == sorted(set(drawn)) == list(some(range(100), most=10, seed=1))
    assert list(drawn) != list(some(range(100), most=10, seed=2))
