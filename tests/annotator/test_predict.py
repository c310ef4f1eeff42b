"""Predictions: each clip's own whatever its batch mates, and honest about what is absent."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator import predict
from annotator.errors import EnvironmentFault
from annotator.predict import Predictor, choose_device
from annotator.types import MODALITIES, Absent, ClipFeatures, Features
from lddu_model import Config, InputSpec, untrained

DIMENSIONS = {"visual": 5, "audio": 6, "text": 7}
CPU = torch.device("cpu")
NET = untrained(
    Config(
        labels=("happy", "sad", "anger"),
        **{name: InputSpec(dim, positions=40) for name, dim in DIMENSIONS.items()},
        hidden=16,
        feedforward=24,
        layers=2,
        heads=4,
        latent_hidden=(12, 10, 8),
        latent=9,
        head_hidden=11,
    ),
    seed=1,
)


def clip(seed: int, visual: int = 9, audio: int = 20, text: int = 4) -> ClipFeatures:
    """Features of those lengths; a modality of length 0 is absent."""
    random = np.random.default_rng(seed)
    steps = {"visual": visual, "audio": audio, "text": text}
    found = {
        name: Features(
            random.normal(0, 2, (steps[name], DIMENSIONS[name])).astype(np.float16), "x@1"
        )
        if steps[name]
        else Absent("not there", "x@1")
        for name in MODALITIES
    }
    return ClipFeatures(**found)


def numbers(scores) -> list[float]:
    own = [scores.variance, scores.entropy, scores.margin]
    for label in scores.labels:
        own += [label.p, label.p_mu, label.p_sigma, label.p_direct]
        sigmas = (label.sigma_visual, label.sigma_audio, label.sigma_text)
        own += [-1.0 if sigma is None else sigma for sigma in sigmas]
    return own


lengths = st.tuples(*[st.integers(0, 40)] * 3).filter(any)


@settings(max_examples=25)
@given(st.lists(lengths, min_size=2, max_size=6), st.randoms())
def test_an_answer_does_not_depend_on_the_batch(shapes, random):
    clips = [clip(seed, *shape) for seed, shape in enumerate(shapes)]
    predictor = Predictor(NET, CPU)
    alone = [predictor([one])[0] for one in clips]
    order = random.sample(range(len(clips)), len(clips))
    together = predictor([clips[place] for place in order])
    for place, answer in zip(order, together, strict=True):
        assert numbers(answer) == pytest.approx(numbers(alone[place]), abs=1e-5)


def test_labels_and_ranges():
    (answer,) = Predictor(NET, CPU)([clip(0)])
    assert [label.label for label in answer.labels] == ["happy", "sad", "anger"]
    for label in answer.labels:
        assert 0 < label.p < 1
        assert min(label.sigma_visual, label.sigma_audio, label.sigma_text) > 0
    assert answer.bald is None
    assert answer.variance > 0


@pytest.mark.parametrize("absent", MODALITIES)
def test_an_absent_modality_has_no_sigma(absent):
    (answer,) = Predictor(NET, CPU)([clip(0, **{absent: 0})])
    for label in answer.labels:
        for name in MODALITIES:
            assert (getattr(label, f"sigma_{name}") is None) == (name == absent)


def test_an_absent_modality_is_masked_not_zero():
    zeros = Features(np.zeros((3, DIMENSIONS["audio"]), np.float16), "x@1")
    without = clip(0, audio=0)
    with_zeros = ClipFeatures(without.visual, zeros, without.text)
    one, other = Predictor(NET, CPU)([without, with_zeros])
    assert one.labels[0].p != pytest.approx(other.labels[0].p, abs=1e-6)


def test_bald_is_the_same_each_time_and_whatever_the_batch():
    clips = [clip(seed, visual, 20 - visual) for seed, visual in enumerate((3, 12, 0))]
    predictor = Predictor(NET, CPU, mc_dropout=5)
    together = [answer.bald for answer in predictor(clips)]
    assert [answer.bald for answer in predictor(clips)] == together
    assert [predictor([one])[0].bald for one in reversed(clips)] == together[::-1]
    assert all(value > 0 for value in together)
    assert len(set(together)) == len(clips)


def test_bald_leaves_prediction_and_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    plain = numbers(Predictor(NET, CPU)([clip(0)])[0])
    torch.manual_seed(3)
    with_bald = Predictor(NET, CPU, mc_dropout=4)
    with_bald([clip(0)])
    assert torch.rand(2).tolist() == expected
    assert numbers(with_bald([clip(0)])[0]) == plain
    assert not NET.training


def test_many_passes_go_through_a_few_at_a_time(monkeypatch):
    sizes = []
    forward = Predictor._forward

    def watched(self, batch):
        sizes.append(len(batch["text"]))
        return forward(self, batch)

    monkeypatch.setattr(Predictor, "_forward", watched)
    Predictor(NET, CPU, mc_dropout=70)([clip(0)])
    assert sizes == [1, predict.PASSES_AT_ONCE, predict.PASSES_AT_ONCE, 6]


def test_bald_agrees_with_its_definition(monkeypatch):
    """Mutual information of label and pass, worked out here from the passes themselves."""
    passes = []
    forward = Predictor._forward

    def watched(self, batch):
        output = forward(self, batch)
        if self.net.training:
            passes.append(output.probability.double().numpy())
        return output

    monkeypatch.setattr(Predictor, "_forward", watched)
    (answer,) = Predictor(NET, CPU, mc_dropout=40)([clip(0)])
    p = np.concatenate(passes)
    assert p.shape == (40, 3)
    assert p.std(axis=0).min() > 0, "dropout is on"

    def entropy(x):
        return -(x * np.log2(x) + (1 - x) * np.log2(1 - x))

    expected = (entropy(p.mean(axis=0)) - entropy(p).mean(axis=0)).mean()
    assert answer.bald == pytest.approx(expected, abs=1e-6)


def test_devices():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(EnvironmentFault, match="--device auto") as caught:
        choose_device("cuda:99")
    assert "\n" not in str(caught.value)
    with pytest.raises(EnvironmentFault, match="toaster"):
        choose_device("toaster")


@settings(max_examples=10)
@given(st.lists(lengths, min_size=1, max_size=4))
def test_the_latent_is_the_mean_of_what_is_there(shapes):
    clips = [clip(seed, *shape) for seed, shape in enumerate(shapes)]
    for one, shape, answer in zip(clips, shapes, Predictor(NET, CPU)(clips), strict=True):
        given_modalities = {
            name: torch.from_numpy(one.modality(name).values).float()[None]
            for name, steps in zip(MODALITIES, shape, strict=True)
            if steps
        }
        with torch.inference_mode():
            mu = NET(**given_modalities).mu[0].numpy()  # (q, 3, d)
        expected = mu[:, np.array(shape) > 0].mean(axis=(0, 1))
        latent = np.frombuffer(answer.latent, "<f2")
        assert latent == pytest.approx(expected, abs=2e-3)
