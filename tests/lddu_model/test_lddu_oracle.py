"""Against a second implementation: plain loops over the released weights' names, no torch layers.

It follows the paper and the released code step by step, in float64, one sample, one head, one label
at a time. Weights are drawn at random under the released names, so the renaming is tested as well.
"""

import math

import numpy as np
import pytest
import torch

from lddu_model import from_released

HIDDEN, LATENT, HEADS, LAYERS, POSITIONS = 16, 6, 8, 2, 12
DIMS = {"visual": 3, "audio": 4, "text": 5}
ENCODERS = {"visual": "visual", "audio": "audio", "text": "bert"}


def draw(labels: int, seed: int) -> dict[str, np.ndarray]:
    """Random weights in the released format."""
    shapes: dict[str, tuple[int, ...]] = {"embedding_layer.weight": (labels, HIDDEN)}

    def linear(name, inputs, outputs):
        shapes.update({f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)})

    def norm(name, width):
        shapes.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})

    for i, (m, dim) in enumerate(DIMS.items()):
        e = ENCODERS[m]
        norm(f"{m}_norm.{m}_norm2d", dim)
        linear(f"{e}.embeddings.word_embeddings", dim, HIDDEN)
        shapes[f"{e}.embeddings.position_embeddings.weight"] = (POSITIONS, HIDDEN)
        norm(f"{e}.embeddings.LayerNorm", HIDDEN)
        for n in range(LAYERS):
            layer = f"{e}.encoder.layer.{n}"
            for part in ("query", "key", "value"):
                linear(f"{layer}.attention.self.{part}", HIDDEN, HIDDEN)
            linear(f"{layer}.attention.output.dense", HIDDEN, HIDDEN)
            norm(f"{layer}.attention.output.LayerNorm", HIDDEN)
            linear(f"{layer}.intermediate.dense", HIDDEN, 20)
            linear(f"{layer}.output.dense", 20, HIDDEN)
            norm(f"{layer}.output.LayerNorm", HIDDEN)
        linear(f"{e}.pooler.dense", HIDDEN, HIDDEN)
        for part in ("label_projection", "seq_projection", "out_projection"):
            linear(f"label_wise_attention.{part}.{i}", HIDDEN, HIDDEN)
        linear(f"encoder.{i}.linear.0", HIDDEN, 12)
        linear(f"encoder.{i}.linear.1", 12, 8)
        linear(f"encoder.{i}.output", 8, 8)
        linear(f"encoder.{i}.fc_mu", 8, LATENT)
        linear(f"encoder.{i}.fc_var", 8, LATENT)
    linear("common_classfier.0", 3 * HIDDEN, 10)
    linear("common_classfier.3", 10, 1)
    for head in ("final_classifier", "var_classifier1"):
        for label in range(labels):
            linear(f"{head}.{label}.0", 3 * LATENT, 10)
            linear(f"{head}.{label}.3", 10, 1)
    for unused in ("final_classifer2", "var_classifier2"):
        linear(f"{unused}.0", 6 * LATENT, HIDDEN)
        linear(f"{unused}.3", HIDDEN, labels)
    shapes |= {"queue": (30, 2 * LATENT), "queue_label": (30, 1), "queue_ptr": (1,)}
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.4, shape) for name, shape in shapes.items()}


class Oracle:
    """The released forward pass on one sample; arrays (steps, dim) per modality."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.w = weights

    def linear(self, name, x):
        weight, bias = self.w[f"{name}.weight"], self.w[f"{name}.bias"]
        return np.array([sum(weight[o] * x) + bias[o] for o in range(len(bias))])

    def norm(self, name, x):
        scaled = (x - x.mean()) / math.sqrt(x.var() + 1e-12)
        return scaled * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def encode(self, m, steps):
        e = ENCODERS[m]
        positions = self.w[f"{e}.embeddings.position_embeddings.weight"]
        xs = []
        for t, step in enumerate(steps):
            x = self.norm(f"{m}_norm.{m}_norm2d", step)
            x = self.linear(f"{e}.embeddings.word_embeddings", x) + positions[t]
            xs.append(self.norm(f"{e}.embeddings.LayerNorm", x))
        for n in range(LAYERS):
            xs = self.layer(f"{e}.encoder.layer.{n}", xs)
        return xs

    def layer(self, name, xs):
        q, k, v = (
            [self.linear(f"{name}.attention.self.{part}", x) for x in xs]
            for part in ("query", "key", "value")
        )
        width = HIDDEN // HEADS
        outputs = []
        for t, x in enumerate(xs):
            mixed = []
            for h in range(HEADS):
                part = slice(h * width, (h + 1) * width)
                mixed.append(attend(q[t][part], [a[part] for a in k], [a[part] for a in v]))
            y = self.linear(f"{name}.attention.output.dense", np.concatenate(mixed))
            y = self.norm(f"{name}.attention.output.LayerNorm", x + y)
            inner = np.array([gelu(a) for a in self.linear(f"{name}.intermediate.dense", y)])
            inner = self.linear(f"{name}.output.dense", inner)
            outputs.append(self.norm(f"{name}.output.LayerNorm", y + inner))
        return outputs

    def latent(self, i, z):
        for part in ("linear.0", "linear.1", "output"):
            z = np.maximum(self.linear(f"encoder.{i}.{part}", z), 0)
        variance = self.linear(f"encoder.{i}.fc_var", z)
        return self.linear(f"encoder.{i}.fc_mu", z), np.exp(variance / 2)

    def head(self, name, x):
        inner = np.maximum(self.linear(f"{name}.0", x), 0)
        return 1 / (1 + math.exp(-self.linear(f"{name}.3", inner)[0]))

    def predict(self, sample):
        """(probability, p_direct, p_mu, p_sigma, mu (3, d), sigma (3, d)) of every label."""
        encoded = {m: self.encode(m, steps) for m, steps in sample.items()}
        answers = []
        for label, embedding in enumerate(self.w["embedding_layer.weight"]):
            zs = []
            for i, m in enumerate(DIMS):
                attention = "label_wise_attention"
                query = self.linear(f"{attention}.label_projection.{i}", embedding)
                memory = [self.linear(f"{attention}.seq_projection.{i}", x) for x in encoded[m]]
                z = attend(query, memory, memory)
                zs.append(self.linear(f"{attention}.out_projection.{i}", z))
            mus, sigmas = zip(*(self.latent(i, z) for i, z in enumerate(zs)), strict=True)
            direct = self.head("common_classfier", np.concatenate(zs))
            mu = self.head(f"final_classifier.{label}", np.concatenate(mus))
            sigma = self.head(f"var_classifier1.{label}", np.concatenate(sigmas))
            fused = direct * mu + (1 - direct) * sigma
            answers.append((fused, direct, mu, sigma, np.stack(mus), np.stack(sigmas)))
        return [np.stack(column) for column in zip(*answers, strict=True)]


def attend(query, keys, values):
    scores = np.array([sum(query * key) / math.sqrt(len(query)) for key in keys])
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def gelu(x):
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


@torch.no_grad()
@pytest.mark.parametrize(("labels", "seed"), [(7, 0), (1, 1)])
def test_equals_the_loop_written_forward_pass(labels, seed):
    weights = draw(labels, seed)
    tensors = {name: torch.from_numpy(w) for name, w in weights.items()}
    tensors["queue_ptr"] = tensors["queue_ptr"].long()
    rng = np.random.default_rng(seed + 10)
    steps = [{"visual": 4, "audio": 7, "text": 3}, {"visual": 1, "audio": POSITIONS, "text": 5}]
    samples = [{m: rng.normal(size=(n, DIMS[m])) for m, n in counts.items()} for counts in steps]
    given = {}
    for m, dim in DIMS.items():
        padded = torch.full((2, POSITIONS, dim), math.nan)
        for row, sample in enumerate(samples):
            padded[row, : len(sample[m])] = torch.from_numpy(sample[m])
        given |= {m: padded, f"{m}_length": torch.tensor([s[m] for s in steps])}
    out = from_released(tensors)(**given)
    for row, sample in enumerate(samples):
        expected = Oracle(weights).predict(sample)
        got = (out.probability, out.p_direct, out.p_mu, out.p_sigma, out.mu, out.sigma)
        for ours, theirs in zip(got, expected, strict=True):
            np.testing.assert_allclose(ours[row].numpy(), theirs, rtol=2e-4, atol=1e-5)


@pytest.fixture
def released():
    return {name: torch.from_numpy(w).half() for name, w in draw(labels=7, seed=0).items()}


def test_shapes_give_the_configuration(released):
    config = from_released(released).config
    assert config.labels[0] == "label 1"
    assert len(config.labels) == 7
    assert {m: config.spec(m).dim for m in DIMS} == DIMS
    assert config.text.positions == POSITIONS
    assert (config.hidden, config.feedforward, config.layers) == (HIDDEN, 20, LAYERS)
    assert (config.latent_hidden, config.latent, config.head_hidden) == ((12, 8, 8), LATENT, 10)


def test_label_names_can_be_given(released):
    names = ["happy", "neutral", "sad", "disgust", "anger", "fear", "surprise"]
    assert from_released(released, names).config.labels == tuple(names)
    with pytest.raises(ValueError, match="has 7 labels, got 2 names"):
        from_released(released, names[:2])


def test_half_precision_becomes_float32_in_eval_mode(released):
    net = from_released(released)
    assert not net.training
    assert all(p.dtype == torch.float32 for p in net.parameters())


@pytest.mark.parametrize(
    "name",
    [
        "embedding_layer.weight",
        "bert.embeddings.LayerNorm.bias",
        "visual.encoder.layer.0.attention.self.key.weight",
        "final_classifier.4.3.bias",
        "encoder.2.fc_var.weight",
        "common_classfier.0.weight",
    ],
)
def test_a_missing_entry_is_named(released, name):
    del released[name]
    with pytest.raises(ValueError, match=f"lacks {name}"):
        from_released(released)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("decoder.weight", torch.ones(2, 2), "it also has decoder.weight"),
        ("final_classifier.7.0.weight", torch.ones(2, 2), "it also has final_classifier.7"),
        ("audio.encoder.layer.2.output.dense.bias", torch.ones(16), "it also has audio.encoder"),
        ("bert.encoder.layer.9999.output.dense.bias", torch.ones(16), "layers must be"),
        ("encoder.1.output.bias", torch.ones(9), r"encoder.1.output.bias must be \(8,\)"),
        ("final_classifier.3.0.weight", torch.ones(10, 17), r"must be \(10, 18\)"),
        ("embedding_layer.weight", torch.ones(7), "embedding_layer.weight must be a matrix"),
        ("embedding_layer.weight", torch.ones(7, 20), "hidden 20 must be a multiple of heads 8"),
        ("common_classfier.3.bias", torch.ones(1).long(), "must hold dense floats"),
        ("common_classfier.3.bias", torch.tensor([torch.inf]), "NaN or values"),
    ],
)
def test_a_wrong_entry_is_named(released, name, value, message):
    with pytest.raises(ValueError, match=message) as caught:
        from_released(released | {name: value})
    assert "\n" not in str(caught.value)


def test_nothing_at_all():
    with pytest.raises(ValueError, match="not a released LDDU checkpoint"):
        from_released({})
