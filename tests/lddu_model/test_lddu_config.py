"""Config: its JSON form and what it refuses."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lddu_model import Config, InputSpec


def test_round_trip_through_text(config):
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_the_defaults_are_the_papers():
    config = Config(labels=("a",), visual=InputSpec(35), audio=InputSpec(74), text=InputSpec(768))
    assert (config.hidden, config.latent, config.layers, config.heads) == (256, 128, 3, 8)
    assert (config.dropout, config.attention_dropout, config.classifier_dropout) == (0.3, 0.1, 0.1)
    assert config.text.positions == 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ()}, "labels must be 1 to 1000 names"),
        ({"labels": "happy"}, "labels must be"),
        ({"labels": ("a", "a")}, "labels must differ"),
        ({"labels": ("a", " ")}, "every label must be a name"),
        ({"labels": ("a", 3)}, "every label must be a name"),
        ({"visual": 35}, "visual must be an InputSpec"),
        ({"hidden": 0}, "hidden must be a whole number"),
        ({"hidden": True}, "hidden must be a whole number"),
        ({"hidden": 16.0}, "hidden must be a whole number"),
        ({"hidden": 10**9}, "hidden must be a whole number"),
        ({"hidden": 18}, "hidden 18 must be a multiple of heads 4"),
        ({"layers": 65}, "layers must be a whole number from 1 to 64"),
        ({"latent_hidden": ()}, "latent_hidden must list widths"),
        ({"latent_hidden": (3, -1)}, "latent_hidden must be a whole number"),
        ({"dropout": 1.0}, "dropout must be a number from 0"),
        ({"dropout": math.nan}, "dropout must be a number from 0"),
        ({"attention_dropout": "0.1"}, "attention_dropout must be a number from 0"),
        ({"sigma_of_answers": 1}, "sigma_of_answers must be true or false"),
        ({"sigma_dropout": -0.1}, "sigma_dropout must be a number from 0"),
        ({"classifier_dropout": None}, "classifier_dropout must be a number from 0"),
    ],
)
def test_wrong_values(config, change, message):
    with pytest.raises(ValueError, match=message):
        replace(config, **change)


@pytest.mark.parametrize("spec", [(0, 5), (5, 0), (5, 10**6), ("5", 5)])
def test_wrong_input_specs(spec):
    with pytest.raises(ValueError, match="whole number"):
        InputSpec(*spec)


def test_unknown_and_missing_keys(config):
    with pytest.raises(ValueError, match="unknown keys: 'depth'"):
        Config.from_json(config.to_json() | {"depth": 3})
    with pytest.raises(ValueError, match="visual lacks positions"):
        Config.from_json(config.to_json() | {"visual": {"dim": 3}})
    with pytest.raises(ValueError, match="visual must be a JSON object"):
        Config.from_json(config.to_json() | {"visual": [3, 4]})


def test_a_file_from_before_a_key_was_there_means_its_default(config):
    older = config.to_json()
    del older["sigma_of_answers"], older["sigma_dropout"]
    assert Config.from_json(older) == config


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(["labels", "visual", "hidden", "layers", "latent_hidden", "dropout", "new"])


@settings(suppress_health_check=[HealthCheck.too_slow])  # of drawing, where the machine is busy
@given(changes=st.dictionaries(KEYS, JSON, max_size=3))
def test_any_json_gives_a_config_or_a_short_error(changes):
    base = Config(labels=("a",), visual=InputSpec(3), audio=InputSpec(3), text=InputSpec(3))
    try:
        Config.from_json(base.to_json() | changes)
    except ValueError as error:
        assert len(str(error)) < 400
