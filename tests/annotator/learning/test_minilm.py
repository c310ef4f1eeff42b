"""MiniLM in torch is the packaged graph, and goes back into it."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from annotator.features.packaged import packaged
from annotator.features.sessions import WEIGHTS, cpu_session
from annotator.features.text import MODEL_SHA256, NETWORK, with_weights
from annotator.learning.minilm import LAYERS, initializers, network_of, read_graph

TEXT = "I did not expect to see you here, and I am glad!"


@pytest.fixture(scope="module")
def graph():
    return read_graph(packaged(*NETWORK, MODEL_SHA256))


def tokens(text: str) -> np.ndarray:
    tokenizer = Tokenizer.from_file(str(WEIGHTS / "minilm_tokenizer.json"))
    tokenizer.no_padding()
    return np.array([tokenizer.encode(text).ids], np.int64)


def states(replaced) -> np.ndarray:
    session = cpu_session(with_weights(packaged(*NETWORK, MODEL_SHA256), replaced))
    ids = tokens(TEXT)
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    return session.run(None, {**given, "token_type_ids": np.zeros_like(ids)})[0]


@torch.inference_mode()
def torch_states(network) -> np.ndarray:
    ids = torch.from_numpy(tokens(TEXT))
    return network.eval()(ids, attention_mask=torch.ones_like(ids)).last_hidden_state.numpy()


def test_the_network_is_the_graph(graph):
    assert np.abs(torch_states(network_of(graph)) - states({})).max() < 1e-4


def test_what_was_not_trained_goes_back_as_it_came(graph):
    back = initializers(network_of(graph), graph, range(LAYERS))
    for name, values in back.items():
        assert (values.shape, values.dtype) == (graph[name].shape, graph[name].dtype), name
        if values.dtype == np.int8:
            assert np.abs(values.astype(int) - graph[name]).max() <= 1, name
        else:
            np.testing.assert_allclose(values, graph[name], rtol=0.02, atol=1e-6)
    assert np.abs(states(back) - states({})).max() < 0.05


def test_weights_that_the_graph_lacks_are_refused():
    with pytest.raises(ValueError, match=r"model\.onnx has no weights other"):
        states({"other": np.zeros(1, np.float32)})


@pytest.mark.parametrize("layers", [range(LAYERS), [LAYERS - 1]])
def test_what_was_trained_is_what_the_graph_then_computes(graph, layers):
    network = network_of(graph)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for layer in layers:
            for weight in network.encoder.layer[layer].parameters():
                weight.add_(0.02 * torch.randn(weight.shape, generator=generator))
    wanted = torch_states(network)
    got = states(initializers(network, graph, layers))
    changed = np.abs(wanted - states({})).max()
    assert changed > 0.5, "or the test could not fail"
    assert np.abs(got - wanted).max() < changed / 10
