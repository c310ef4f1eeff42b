import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.features.text import MAX_CHARACTERS, MiniLM
from annotator.types import MAX_STEPS


@pytest.fixture(scope="module")
def minilm():
    return MiniLM()


def cosine(minilm, left, right):
    a, b = (minilm.embed(text).astype(np.float32)[1:-1].mean(axis=0) for text in (left, right))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_state_for_each_token_and_the_two_marks(minilm):
    states = minilm.embed("Dogs are sitting by the door")
    assert states.shape == (6 + 2, 384)
    assert states.dtype == np.float16


def test_near_meanings_lie_nearer_than_far_ones(minilm):
    near = cosine(minilm, "I am so happy today", "What a joyful day this is")
    far = cosine(minilm, "I am so happy today", "The invoice lists four steel pipes")
    assert near > far + 0.2


def test_the_reference_values_of_the_fp32_weights(minilm):
    """First channels of the states of [CLS] hello [SEP], by torch from all-MiniLM-L6-v2."""
    expected = [
        [0.162, 0.043, 0.067, 0.224],
        [-0.536, 0.619, 0.713, 0.181],
        [-0.761, 0.331, 0.163, 1.145],
    ]
    got = minilm.embed("Hello")[:, :4].astype(np.float32)
    assert np.abs(got - expected).max() < 0.1


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
