"""The network that a training begins with."""

from copy import deepcopy

from annotator.errors import UsageError
from annotator.features.extractor import DEFAULT_EXTRACTORS, extractor_spec
from annotator.learning.dataset import Dataset
from annotator.learning.settings import Settings
from annotator.learning.start import Start
from annotator.types import MAX_STEPS, MODALITIES, Modality
from lddu_model import LDDU, Config, InputSpec, untrained


def first_network(dataset: Dataset, settings: Settings, start: Start | None) -> LDDU:
    """A network of its own to train: random weights, or a copy of what the training starts from.

    Raises:
        UsageError: the settings do not make a network.
    """
    if start is None:
        return untrained(network_config(dataset, settings), settings.train.seed)
    network = start.model.network
    if settings.loss.intensity and not network.config.intensity:
        raise UsageError("the model has no head for intensities: set loss.intensity=0")
    return deepcopy(network)


def network_config(dataset: Dataset, settings: Settings) -> Config:
    """The network for a corpus; a modality the corpus lacks gets the shape of our extractor.

    Raises:
        UsageError: the settings do not make a network.
    """
    specs: dict[Modality, InputSpec] = {}
    for m in MODALITIES:
        ours = extractor_spec(DEFAULT_EXTRACTORS[m]).dimension
        specs[m] = InputSpec(dataset.dimensions.get(m, ours), MAX_STEPS)
    n = settings.network
    values = {name: getattr(n, name) for name in n.__dataclass_fields__}
    try:
        return Config(
            labels=dataset.labels,
            visual=specs["visual"],
            audio=specs["audio"],
            text=specs["text"],
            intensity=settings.loss.intensity > 0,
            **values,
        )
    except ValueError as error:
        raise UsageError(
            f"these settings make no network ({error}): change those of the table network"
        ) from error
