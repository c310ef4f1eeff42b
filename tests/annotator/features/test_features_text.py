import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.features.text import ANSWERS, MAX_CHARACTERS, STATES, MiniLM
from annotator.starter.labels import LABELS
from annotator.types import MAX_STEPS


@pytest.fixture(scope="module")
def minilm():
    return MiniLM()


def cosine(minilm, left, right):
    """Of the mean states; what the heads say stands beside them."""
    a, b = (
        minilm.embed(text)[1:-1, :STATES].astype(np.float32).mean(axis=0) for text in (left, right)
    )
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_state_for_each_token_and_the_two_marks(minilm):
    states = minilm.embed("Dogs are sitting by the door")
    assert states.shape == (6 + 2, 418)
    assert states.dtype == np.float16


def test_near_meanings_lie_nearer_than_far_ones(minilm):
    near = cosine(minilm, "I am so happy today", "What a joyful day this is")
    far = cosine(minilm, "I am so happy today", "The invoice lists four steel pipes")
    assert near > far + 0.2


def hello(minilm):
    return minilm.embed("Hello")[:, :4].astype(np.float32)


def test_the_network_as_published_gives_its_reference_values():
    """First channels of the states of [CLS] hello [SEP], by torch from all-MiniLM-L6-v2 in fp32."""
    expected = [
        [0.162, 0.043, 0.067, 0.224],
        [-0.536, 0.619, 0.713, 0.181],
        [-0.761, 0.331, 0.163, 1.145],
    ]
    assert np.abs(hello(MiniLM(layers=None)) - expected).max() < 0.1


def test_the_layers_that_ship_give_what_models_were_trained_on(minilm):
    """Other values are another version of the extractor."""
    expected = [
        [0.069, 0.006, 0.038, -0.024],
        [-0.173, 0.233, 0.077, -0.022],
        [-0.086, 0.013, 0.119, 0.074],
    ]
    assert np.abs(hello(minilm) - expected).max() < 0.003


def test_beside_each_state_stands_what_the_heads_say_of_the_whole_text(minilm):
    told = minilm.embed("I am so angry at you, I hate this")[:, STATES:].astype(np.float32)
    assert (told == told[0]).all()
    happy = minilm.embed("I love it, this is wonderful, thank you!")[0, STATES:]
    anger, joy = ANSWERS - 6 + LABELS.index("anger"), ANSWERS - 6 + LABELS.index("happy")
    assert told[0, anger] - told[0, joy] > happy[anger] - happy[joy] + 2


def test_a_text_is_read_without_regard_to_case_and_to_texts_before_it(minilm):
    first = minilm.embed("STOP that.")
    minilm.embed("something quite different and longer")
    assert np.array_equal(first, minilm.embed("stop THAT."))


def test_a_long_text_is_cut_to_max_steps(minilm):
    states = minilm.embed("no " * 2_000)
    assert len(states) == MAX_STEPS
    assert np.isfinite(states).all()


def test_a_hostile_length_costs_no_more_than_its_beginning(minilm):
    assert len(minilm.embed("a " * 10 + "x" * (50 * MAX_CHARACTERS))) <= MAX_STEPS


@pytest.mark.parametrize("text", ["", "  ", "\n\t\u2003"])
def test_a_blank_text_is_an_error(minilm, text):
    with pytest.raises(ValueError, match="blank"):
        minilm.embed(text)


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_any_text_gives_finite_states(minilm, text):
    states = minilm.embed(text)
    assert 2 <= len(states) <= MAX_STEPS
    assert np.isfinite(states).all()
