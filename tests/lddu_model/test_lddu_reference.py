"""The released implementation's own outputs (needs the shared folder)."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from lddu_model import from_released

TOLERANCE = 1e-4  # float32 against the released code's float32
SHARED = Path(os.environ.get("ANNOTATE_SHARED", Path(__file__).parents[3] / "shared"))
FIXTURE = SHARED / "lddu_reference" / "fixture.safetensors"

pytestmark = pytest.mark.skipif(not FIXTURE.exists(), reason=f"{FIXTURE} is not there")


@pytest.fixture(scope="module")
def fixture() -> dict[str, Tensor]:
    return load_file(FIXTURE)


@pytest.fixture(scope="module")
def weights(fixture: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = "weight."
    return {k.removeprefix(prefix): w for k, w in fixture.items() if k.startswith(prefix)}


def inputs(fixture: dict[str, Tensor]) -> dict[str, Tensor]:
    return {m: fixture[f"in.{m}"] for m in ("text", "audio", "visual")}


@torch.no_grad()
@pytest.mark.parametrize("with_lengths", [False, True])
def test_reproduces_the_released_outputs(fixture, weights, with_lengths):
    given = inputs(fixture)
    if with_lengths:
        given |= {f"{m}_length": torch.full((16,), 50) for m in ("text", "audio", "visual")}
    out = from_released(weights)(**given)
    expected = {k.removeprefix("out."): v for k, v in fixture.items() if k.startswith("out.")}
    for got, name in (
        (out.probability, "probability"),
        (out.mu.flatten(2), "mu"),
        (out.sigma.flatten(2), "sigma"),
        (torch.linalg.vector_norm(out.sigma_norm, dim=2), "sigma_norm"),
    ):
        torch.testing.assert_close(got, expected[name], atol=TOLERANCE, rtol=0)


def test_the_configuration_is_read_off_the_shapes(weights):
    config = from_released(weights).config
    assert config.labels == ("happy", "sad", "anger", "surprise", "disgust", "fear")
    assert [(s.dim, s.positions) for s in (config.visual, config.audio, config.text)] == [
        (35, 60),
        (74, 60),
        (768, 60),
    ]
    assert (config.hidden, config.feedforward, config.layers, config.latent) == (256, 256, 3, 128)
    assert (config.latent_hidden, config.head_hidden) == ((192, 128, 128), 128)


@torch.no_grad()
def test_released_weights_gain_masks(fixture, weights):
    net, given = from_released(weights), inputs(fixture)
    short = {m: x[:, :20] for m, x in given.items()}
    lengths = {f"{m}_length": torch.full((16,), 20) for m in given}
    torch.testing.assert_close(
        net(**given, **lengths).probability, net(**short).probability, atol=1e-5, rtol=0
    )
