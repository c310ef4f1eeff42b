"""What learns between the rounds: LDDU from random weights, and what it says of clips."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from annotator.acquisition import scores
from annotator.acquisition.named import Predictions
from annotator.features.collate import collate
from annotator.learning.answers import BATCH, answer, forward
from annotator.learning.batches import lengths_of
from annotator.learning.dataset import TRAIN, Dataset, Example
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import Training, Unwatched
from annotator.learning.recalibration import recalibrate
from annotator.learning.settings import NetworkSettings, Settings, TrainSettings
from annotator.metrics import multilabel
from annotator.metrics.inputs import mean_labels
from annotator.metrics.thresholds import f1_thresholds
from annotator.predict import mean_latent
from annotator.simulation.confusion import Floats
from lddu_model import LDDU, Output
from lddu_model.losses import LossConfig

CPU = torch.device("cpu")
LEARNER = 2  # changes whenever the same settings come to another network

# Small and quick: hundreds of networks are trained, most of them on a few hundred clips.
DEFAULTS = Settings(
    train=TrainSettings(batch=32, learning_rate=3e-3),
    loss=LossConfig(queue=512, error_temperature=0.5),
    network=NetworkSettings(
        hidden=64,
        feedforward=64,
        layers=1,
        heads=4,
        latent_hidden=(64,),
        latent=32,
        head_hidden=64,
        label_residual=True,
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a network says of the pool, as `annotator.acquisition` takes it."""

    predictions: Predictions
    probability: Floats  # (n, q)
    latent: Floats  # (n, d)


def fit(dataset: Dataset, settings: Settings, steps: int) -> LDDU:
    """A network after about so many steps, whatever the number of clips; nothing is validated.

    As in every training, σ alone learns in `settings.train.recalibrate` epochs after that.
    """
    batches = -(-len(dataset.split(TRAIN)) // settings.train.batch)
    epochs = max(1, round(steps / batches))
    given = replace(settings, train=replace(settings.train, epochs=epochs))
    training = Training(dataset, given, CPU, Ranks())
    for _ in range(epochs):
        losses = training.run_epoch(Unwatched())
        training.record(losses, float(training.done))  # the last one is the best
    network = training.shown
    recalibrate(network, dataset, given, CPU, Ranks(), Unwatched())
    return network.eval()


def look(network: LDDU, pool: Sequence[Example], usual: float, seed: int, passes: int) -> Seen:
    """What a network says of clips, so that every score can be taken.

    Args:
        network: of `fit`.
        pool: the clips.
        usual: mean number of labels of an answered clip.
        seed: of random scores.
        passes: of Monte Carlo dropout, 0 for none.
    """
    network.eval()
    order = np.argsort(lengths_of(pool).sum(axis=1), kind="stable")
    parts = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    seen = [_seen(forward(network, [pool[i] for i in part], CPU)) for part in parts]
    back = np.argsort(order)
    probability, heads, variance, latent = (
        np.concatenate(values)[back] for values in zip(*seen, strict=True)
    )
    return Seen(
        Predictions(
            count=len(pool),
            seed=seed,
            variance=variance,
            entropy=scores.entropy(probability),
            margin=scores.margin(probability),
            bald=_bald(network, pool, passes) if passes else None,
            probability=probability,
            heads=heads.transpose(1, 0, 2),
            usual=usual,
        ),
        probability,
        latent,
    )


def measure(
    network: LDDU, valid: Sequence[Example], test: Sequence[Example]
) -> tuple[float, float]:
    """Macro-F1, at the thresholds of the valid clips, and mean average precision."""
    chosen = answer(network, valid, CPU)
    thresholds = f1_thresholds(chosen.probability, chosen.target)
    found = answer(network, test, CPU)
    f1 = multilabel.count(found.probability, found.target, thresholds).f1
    precision = multilabel.average_precision(found.probability, found.target)
    return float(mean_labels(f1)), float(mean_labels(precision))


def _seen(output: Output) -> tuple[Floats, Floats, Floats, Floats]:
    """Of k clips: probability (k, q), the classifiers' (k, 3, q), variance (k,), latent (k, d)."""
    present = output.present.numpy()
    heads = torch.stack([output.p_mu, output.p_sigma, output.p_direct], dim=1)
    return (
        output.probability.double().numpy(),
        heads.double().numpy(),
        scores.variance(output.sigma_norm.double().numpy(), present),
        mean_latent(output.mu.double().numpy(), present),
    )


def _bald(network: LDDU, pool: Sequence[Example], passes: int) -> Floats:
    """BALD (n,) by Monte Carlo dropout; the network is left in evaluation mode."""
    order = np.argsort(lengths_of(pool).sum(axis=1), kind="stable")
    values = np.empty(len(pool))
    network.train()
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            inputs = collate([pool[i].features for i in chosen])
            samples = [network(**inputs).probability.double() for _ in range(passes)]
            values[chosen] = scores.bald(torch.stack(samples).numpy())
    network.eval()
    return values
