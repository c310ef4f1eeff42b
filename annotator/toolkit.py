"""What a worker process needs, by name, so that it can be sent there and loaded on arrival."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from annotator.clipwork import Tools
from annotator.features.asr import WhisperTranscriber
from annotator.features.cache import FeatureCache
from annotator.features.extractor import load_extractor
from annotator.types import Modality


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """Extractors by registered name, whether to transcribe, and the cache's folder."""

    extractors: Mapping[Modality, str]
    transcribe: bool
    features: Path

    def load(self) -> tuple[Tools, FeatureCache]:
        """Load the extractors; about a second.

        Raises:
            UsageError: a name is not registered.
            EnvironmentFault: an extractor's weights are missing.
        """
        tools = load_tools(self.extractors, transcribe=self.transcribe)
        return tools, FeatureCache(self.features)


def load_tools(extractors: Mapping[Modality, str], *, transcribe: bool = False) -> Tools:
    """Load the extractor of each modality by its registered name; about a second.

    Raises:
        UsageError: a name is not registered.
        EnvironmentFault: an extractor's weights are missing.
    """
    return Tools(
        visual=load_extractor(extractors["visual"], "visual"),
        audio=load_extractor(extractors["audio"], "audio"),
        text=load_extractor(extractors["text"], "text"),
        asr=WhisperTranscriber() if transcribe else None,
    )
