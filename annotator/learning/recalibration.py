"""The last epochs of a training, in which σ alone learns."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from annotator.learning.dataset import Dataset
from annotator.learning.distributed import Ranks
from annotator.learning.epochs import Training, Watcher
from annotator.learning.settings import Settings
from lddu_model import LDDU, untrained
from lddu_model.optimisation import everywhere, of_sigma

RECALIBRATION_RATE = 3e-3  # on the starter's data 1e-3 gave the same


def recalibrate(
    network: LDDU,
    dataset: Dataset,
    settings: Settings,
    device: torch.device,
    ranks: Ranks,
    watcher: Watcher,
    rate_of: Callable[[str], float] = everywhere,
    *,
    anew: bool = True,
) -> None:
    """Teach σ the errors of the answers that the finished network shows, in place.

    While everything learns, σ follows the errors of ŷ_dir, of weights that move on and of inner
    layers that are dropped. Here only σ's last layers and the heads on σ learn, of clips hidden and
    corrupted as before, and all else stays as it is: so do, all but exactly, the answers. Where σ
    is constant, frozen by `rate_of` or not taught by errors, nothing is done.

    Where σ reads the answers, what else it is computed of begins `anew` from nothing: in the long
    training before, the clips were learnt by heart, and what σ found in that is true of no others.
    """
    learning = {
        name for name, _ in network.named_parameters() if of_sigma(name) and rate_of(name) > 0
    }
    if not (learning and _teaches_errors(settings) and not network.config.constant_sigma):
        return
    still = replace(network.config, dropout=0.0, attention_dropout=0.0, classifier_dropout=0.0)
    finished = untrained(still, settings.train.seed)
    finished.load_state_dict(network.state_dict())
    if network.config.sigma_of_answers and anew:
        for name, parameter in finished.named_parameters():
            if name in learning and name.endswith(".log_variance.weight"):
                nn.init.zeros_(parameter)
    given = _recalibration(settings)
    training = Training(
        dataset, given, device, ranks, finished, lambda name: float(name in learning)
    )
    for _ in range(given.train.epochs):
        losses = training.run_epoch(watcher, "training σ alone")
        training.record(losses, float(training.done))
    network.load_state_dict(finished.state_dict())


def _teaches_errors(settings: Settings) -> bool:
    loss = settings.loss
    return settings.train.recalibrate > 0 and loss.lambda_ > 0 and loss.calibration == "error"


def _recalibration(settings: Settings) -> Settings:
    """Those of the last epochs."""
    return replace(
        settings,
        train=replace(
            settings.train,
            epochs=settings.train.recalibrate,
            learning_rate=RECALIBRATION_RATE,
            average=0.0,
            bucketed=False,  # or clips would be compared with those of like length alone
        ),
        loss=replace(
            settings.loss, gamma=0.0, beta=0.0, intensity=0.0, lambda_=1.0, error_of="final"
        ),
    )
