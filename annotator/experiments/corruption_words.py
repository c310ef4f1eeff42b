"""Spoil the words of a clip and make its text features anew: no proxy, as it is for features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from annotator.experiments.anew import same_extractor
from annotator.features.extractor import TextExtractor
from annotator.learning.corruption import Damage, Spoilt
from annotator.learning.dataset import Array, Dataset, Example
from annotator.types import Modality

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
    extractor = same_extractor(dataset, "text") if vocabulary else None
    if extractor is None:
        return []
    return [
        WordCorruption("word_deletion", "deleted words", delete, vocabulary, extractor),
        WordCorruption("word_substitution", "substituted words", substitute, vocabulary, extractor),
    ]
