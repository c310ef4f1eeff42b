"""The settings of a fine-tuning; its network is that of the model it starts from.

[train]
epochs = 20
[layers]
encoders = 0
[finetune]
replay = 2
"""

from dataclasses import dataclass, field

from annotator.learning.promotion import Measure
from annotator.learning.settings import NetworkSettings, Settings, TrainSettings
from annotator.learning.start import LayerRates
from lddu_model import Config
from lddu_model.losses import LossConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """What is learnt beside the reviewed clips, and what is kept from learning to judge by.

    Raises:
        ValueError: a value is out of range.
    """

    replay: float = 1.0  # clips of earlier training data a reviewed one, as far as they are given
    valid: float = 0.2  # share of speakers or videos that choose the weights and thresholds
    test: float = 0.2  # share that decides about the promotion, and nothing else
    measure: Measure = "mean_average_precision"  # what must be better for a promotion
    positives: int = 5  # held-out clips with a label from which its collapse is looked for
    resamples: int = 1000  # of the bootstrap over speakers or videos

    def __post_init__(self) -> None:
        if not 0 <= self.replay < float("inf"):
            raise ValueError(f"replay must be 0 or more, got {self.replay!r}")
        if not (0 < self.valid < 1 and 0 < self.test < 1 and self.valid + self.test < 1):
            raise ValueError(
                "valid and test must be shares above 0 that leave some to train, "
                f"got {self.valid!r} and {self.test!r}"
            )
        if self.positives < 1 or not 100 <= self.resamples <= 100_000:
            raise ValueError(
                "positives must be 1 or more and resamples 100 to 100000, "
                f"got {self.positives!r} and {self.resamples!r}"
            )


def _gentle() -> TrainSettings:
    return TrainSettings(epochs=10, patience=3, batch=32, learning_rate=5e-4, weigh_raters=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneSettings:
    """All of them."""

    train: TrainSettings = field(default_factory=_gentle)
    loss: LossConfig = field(default_factory=LossConfig)
    layers: LayerRates = field(default_factory=LayerRates)
    finetune: ReviewSettings = field(default_factory=ReviewSettings)

    def training(self, config: Config) -> Settings:
        """The settings of the training, with a network as it is configured."""
        names = NetworkSettings.__dataclass_fields__
        network = NetworkSettings(**{name: getattr(config, name) for name in names})
        return Settings(train=self.train, loss=self.loss, network=network)
