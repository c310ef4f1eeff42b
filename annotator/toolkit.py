"""What a worker process needs, by name, so that it can be sent there and loaded on arrival."""

from dataclasses import dataclass
from pathlib import Path

from annotator.clipwork import Tools
from annotator.features.cache import FeatureCache
from annotator.features.extractor import load_extractor
from annotator.types import Modality


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """Extractors by registered name, whether to transcribe, and the cache's folder."""

    extractors: dict[Modality, str]
    transcribe: bool
    features: Path

    def load(self) -> tuple[Tools, FeatureCache]:
        """Load the extractors; about a second.

        Raises:
            UsageError: a name is not registered.
            EnvironmentFault: an extractor's weights are missing.
        """
        visual = load_extractor(self.extractors["visual"])
        audio = load_extractor(self.extractors["audio"])
        text = load_extractor(self.extractors["text"])
        return Tools(visual, audio, text, asr=None), FeatureCache(self.features)
