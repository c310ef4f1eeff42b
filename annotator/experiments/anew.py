"""What made a corpus's features, to make some of them anew."""

import logging
from typing import Literal, overload

from annotator.errors import EnvironmentFault, UsageError
from annotator.features.extractor import (
    AudioExtractor,
    TextExtractor,
    VisualExtractor,
    load_extractor,
)
from annotator.learning.dataset import FOREIGN, Dataset
from annotator.types import Modality

_log = logging.getLogger(__name__)


@overload
def same_extractor(dataset: Dataset, modality: Literal["visual"]) -> VisualExtractor | None: ...
@overload
def same_extractor(dataset: Dataset, modality: Literal["audio"]) -> AudioExtractor | None: ...
@overload
def same_extractor(dataset: Dataset, modality: Literal["text"]) -> TextExtractor | None: ...
def same_extractor(
    dataset: Dataset, modality: Modality
) -> VisualExtractor | AudioExtractor | TextExtractor | None:
    """The extractor that made the features of a modality.

    None if there are none or they are foreign; and, with a warning, if it is not here, or is of
    another version.
    """
    made_by = dataset.extractors.get(modality, FOREIGN)
    if made_by.startswith(FOREIGN):
        return None
    try:
        extractor = load_extractor(made_by.rpartition("@")[0], modality)
    except (EnvironmentFault, UsageError) as fault:
        _log.warning("of %s only features are spoilt: %s", modality, fault)
        return None
    if extractor.id != made_by:
        _log.warning(
            "of %s only features are spoilt: those are of %s, which is %s here",
            modality,
            made_by,
            extractor.id,
        )
        return None
    return extractor
