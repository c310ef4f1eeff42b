import math
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import EnvironmentFault, UsageError
from annotator.features import extractor
from annotator.features.extractor import (
    DEFAULT_EXTRACTORS,
    extractor_names,
    extractor_spec,
    load_extractor,
    pool,
    pool_blocks,
)
from annotator.types import MAX_STEPS

WORKING = """
import numpy as np

class Loudness:
    name, version, modality, dimension, rate_hz = "loudness", "3", "audio", 1, 2
    id = "loudness@3"

    def __init__(self, threads):
        self.threads = threads

    def block(self, samples):
        return np.abs(samples[::8000, None])
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with one extractor, as pip would, on a path of its own."""

    def put(name, code, target="Loudness"):
        module = tmp_path.name  # its own in each test: an imported module stays
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[annotate.extractors]\n{name} = {module}:{target}")
        (tmp_path / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)

    return put


@pytest.mark.parametrize("name", DEFAULT_EXTRACTORS.values())
def test_what_is_said_of_a_built_in_extractor_is_what_its_class_says(name):
    module, _, attribute = extractor._BUILT_IN[name][0].partition(":")
    of_class = getattr(import_module(module), attribute)
    spec = extractor_spec(name)
    for field in ("name", "version", "modality", "dimension", "rate_hz"):
        assert getattr(of_class, field) == getattr(spec, field)


@pytest.mark.parametrize(("modality", "name"), DEFAULT_EXTRACTORS.items())
def test_the_built_in_extractors_load_and_give_their_id(modality, name):
    assert load_extractor(name, modality).id == extractor_spec(name).id


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"'wavlm'.*faces, minilm, whisper.*pip"):
        extractor_spec("wavlm")


def test_an_extractor_of_another_modality_is_refused():
    with pytest.raises(UsageError, match="'minilm' makes text features: name one that makes audio"):
        load_extractor("minilm", "audio")


def test_an_installed_package_brings_its_extractor(install):
    install("loudness", WORKING)
    assert "loudness" in extractor_names()
    assert extractor_spec("loudness").id == "loudness@3"
    loaded = load_extractor("loudness", "audio", threads=2)
    assert loaded.threads == 2
    assert loaded.block(np.ones(16_000, np.float32)).shape == (2, 1)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise RuntimeError('no GPU\\nsecond line')", "RuntimeError: no GPU"),
        ("Other = 1", "AttributeError"),
        ("class Loudness: name = 'loudness'", "AttributeError"),
        (WORKING.replace('"audio"', '"smell"'), "name, modality or dimension"),
        (WORKING.replace('"loudness", "3"', '"other", "3"'), "name, modality or dimension"),
        (WORKING.replace("self.threads = threads", "1 / 0"), "ZeroDivisionError"),
    ],
)
def test_a_broken_extractor_is_the_environments_fault_in_one_line(install, code, reason):
    install("loudness", code)
    with pytest.raises(EnvironmentFault) as caught:
        load_extractor("loudness", "audio")
    message = str(caught.value)
    assert "'loudness'" in message and reason in message and "\n" not in message


sequences = st.tuples(st.integers(1, 400), st.integers(1, 4), st.integers(0, 2**32 - 1)).map(
    lambda shape: np.random.default_rng(shape[2]).normal(size=shape[:2]).astype(np.float32)
)


@given(sequences, st.integers(1, 200))
def test_pool_keeps_length_range_and_order(values, max_steps):
    pooled = pool(values, max_steps)
    assert pooled.shape == (min(len(values), max_steps), values.shape[1])
    assert pooled.dtype == np.float32
    if len(values) <= max_steps:
        assert np.array_equal(pooled, values)
    assert (pooled >= values.min(axis=0) - 1e-6).all()
    assert (pooled <= values.max(axis=0) + 1e-6).all()


@given(sequences, st.integers(1, 200))
def test_pool_gives_every_value_to_one_step_of_even_size(values, max_steps):
    position = np.arange(len(values), dtype=np.float32)[:, None]
    pooled = pool(position, max_steps)[:, 0]
    assert (np.diff(pooled) > 0).all()
    share = len(values) / len(pooled)
    ideal = (np.arange(len(pooled)) + 0.5) * share - 0.5
    assert np.abs(pooled - ideal).max() <= 1
    if len(values) % max_steps == 0:
        assert np.allclose(pool(values, max_steps).mean(axis=0), values.mean(axis=0), atol=1e-5)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_blocks_are_joined_in_order_and_shortened(lengths):
    edges = np.cumsum([0, *lengths])
    blocks = [np.arange(start, end, dtype=np.float32)[:, None] for start, end in pairwise(edges)]
    joined = pool_blocks(blocks)
    assert joined.dtype == np.float16
    assert len(joined) == min(sum(lengths), MAX_STEPS)
    assert (np.diff(joined[:, 0]) >= 0).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6])
def test_values_that_float16_cannot_hold_are_an_error(value):
    with pytest.raises(ValueError, match="not finite or beyond"):
        pool_blocks([np.zeros((2, 2), np.float32), np.full((1, 2), value, np.float32)])
