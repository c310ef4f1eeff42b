"""What a network says of labelled examples, beside what people said: the input of every metric."""

from collections.abc import Sequence

import numpy as np
import torch

from annotator.acquisition import scores
from annotator.features.collate import collate, send
from annotator.learning.batches import lengths_of
from annotator.learning.dataset import Example
from annotator.metrics.evaluate import Answers
from lddu_model import LDDU, Output

BATCH = 128


def answer(
    network: LDDU, examples: Sequence[Example], device: torch.device, batch: int = BATCH
) -> Answers:
    """Predict examples, those of like length together; the order is that of `examples`.

    The network is left in evaluation mode.
    """
    network.eval()
    order = np.argsort(lengths_of(examples).sum(axis=1), kind="stable")
    probability = np.empty((len(examples), len(network.config.labels)))
    sigma_norm = np.empty((*probability.shape, 3))
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        output = forward(network, [examples[i] for i in chosen], device)
        probability[chosen] = output.probability.double().cpu().numpy()
        norm = output.sigma_norm.double().cpu()
        sigma_norm[chosen] = norm.masked_fill(~output.present[:, None, :], torch.nan).numpy()
    present = ~np.isnan(sigma_norm[:, 0])
    return Answers(
        labels=network.config.labels,
        probability=probability,
        target=np.stack([example.target for example in examples]).astype(np.float64),
        sigma_norm=sigma_norm,
        variance=scores.variance(sigma_norm, present),
        entropy=scores.entropy(probability),
        raters=np.array([example.raters or 0 for example in examples]),
        groups=[example.group for example in examples],
    )


def forward(network: LDDU, examples: Sequence[Example], device: torch.device) -> Output:
    """The output of one batch, without gradient."""
    inputs = collate([example.features for example in examples])
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
    ):
        output: Output = network(**send(inputs, device))
    return output
