"""Spoil the words of a clip and make its text features anew: no proxy, as it is for features."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from annotator.errors import EnvironmentFault
from annotator.features.extractor import TextExtractor, load_extractor
from annotator.learning.corruption import Damage, Spoilt
from annotator.learning.dataset import FOREIGN, Array, Dataset, Example
from annotator.types import Modality

_log = logging.getLogger(__name__)

Vocabulary = Sequence[str]
Change = Callable[[list[str], Vocabulary, Damage], list[str]]


@dataclass(frozen=True, slots=True)
class WordCorruption:
    """A way to spoil words."""

    name: str
    kind: str
    change: Change
    vocabulary: Vocabulary
    extractor: TextExtractor
    modality: Modality = "text"
    of: Spoilt = "words"

    def affects(self, example: Example) -> bool:
        """Whether its words are known."""
        return bool(example.words and example.words.strip())

    def spoilt(self, example: Example, damage: Damage) -> Array:
        """The features of the spoilt words."""
        words = (example.words or "").split()
        return self.extractor.embed(" ".join(self.change(words, self.vocabulary, damage)))


def delete(words: list[str], _: Vocabulary, damage: Damage) -> list[str]:
    """Leave out words, each with a chance of `strength`; the luckiest one stays."""
    luck = damage.random.random(len(words))
    stays = (luck >= damage.strength) | (luck == luck.max())
    return [word for word, kept in zip(words, stays, strict=True) if kept]


def substitute(words: list[str], vocabulary: Vocabulary, damage: Damage) -> list[str]:
    """Put others in place of words, each with a chance of `strength`, as bad transcripts do."""
    luck = damage.random.random(len(words))
    others = damage.random.integers(len(vocabulary), size=len(words))
    return [
        vocabulary[other] if chance < damage.strength else word
        for word, chance, other in zip(words, luck, others, strict=True)
    ]


def word_corruptions(dataset: Dataset, examples: Sequence[Example]) -> list[WordCorruption]:
    """The ways for a corpus whose words are known; none if they, or what reads them, are not.

    Substitutes are drawn from the words of the examples, as often as each is said there.
    """
    vocabulary = [word for example in examples for word in (example.words or "").split()]
    made_by = dataset.extractors.get("text", FOREIGN)
    if not vocabulary or made_by.startswith(FOREIGN):
        return []
    try:
        extractor = load_extractor(made_by.rpartition("@")[0], "text")
    except EnvironmentFault as fault:
        _log.warning("words are not spoilt, only their features: %s", fault)
        return []
    if extractor.id != made_by:
        _log.warning(
            "words are not spoilt, only their features: those are of %s, which is %s here",
            made_by,
            extractor.id,
        )
        return []
    return [
        WordCorruption("word_deletion", "deleted words", delete, vocabulary, extractor),
        WordCorruption("word_substitution", "substituted words", substitute, vocabulary, extractor),
    ]
