"""A corpus of what the store tells of clips, with the features that a run has cached.

Two readings of the cache: one to know which clips have features, and of what size, and one as the
examples are asked for. In memory are labels and places, never the features of all clips.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from annotator.datasets.splits import split_by_group, split_named
from annotator.errors import EnvironmentFault, UsageError
from annotator.export.contents import Clip, Contents, Row
from annotator.features.cache import FeatureCache
from annotator.learning.dataset import Dataset, Example
from annotator.types import MODALITIES, Bounds, ClipFeatures, Modality

NO_LABELS = (
    "no clip has labels: `annotate pull` or `annotate import labels` brings people's, and "
    "--labels model takes those of the model"
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The examples; what the model said of each beside people's labels, if both are told.

    `predictions` are (n, q) by split, NaN where there is none; `left_out` counts labelled clips
    without features of the extractors that were asked for.
    """

    dataset: Dataset
    predictions: Mapping[str, NDArray[np.float32]] | None
    left_out: int


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A labelled clip, and where its features lie."""

    content_hash: str
    bounds: Bounds
    example: Example  # without its features
    prediction: NDArray[np.float32]
    split: str | None


def corpus_of(
    clips: Iterable[Clip],
    contents: Contents,
    extractors: Mapping[Modality, str],
    cache: FeatureCache,
) -> Corpus:
    """The labelled clips that have features: by people if they are told of, else by the model.

    Split by speaker or file where no clip has a split.

    Args:
        clips: of `Store.timeline`.
        contents: whose labels are the targets; with both, people's are.
        extractors: that the features must be from.
        cache: of the workspace.

    Raises:
        UsageError: no labels, no features, or a split for some clips only.
    """
    looking = _Looking(contents, extractors, cache)
    for clip in clips:
        looking.take(contents.row(clip))
    return looking.corpus()


class _Looking:
    """Collects the clips that count."""

    def __init__(
        self, contents: Contents, extractors: Mapping[Modality, str], cache: FeatureCache
    ) -> None:
        self.by_people = contents.projects is not None
        self.labels = contents.human_labels if self.by_people else contents.model_labels
        self.places: list[_Place] = []
        self.dimensions: dict[Modality, int] = {}
        self.left_out = 0
        self._contents, self._extractors, self._cache = contents, extractors, cache

    def take(self, row: Row) -> None:
        """Keep a clip that has a label and features."""
        value = self._contents.of_people if self.by_people else self._contents.of_model
        target = _vector(value(row, label) for label in self.labels)
        if np.isnan(target).all():
            return
        content_hash, bounds = row.clip.content_hash, (row.clip.start_ms, row.clip.end_ms)
        features = None if content_hash is None else self._cache.peek(content_hash, bounds)
        if content_hash is None or features is None or not self._fits(features):
            self.left_out += 1
            return
        path = str(row.clip.path).encode("utf-8", "backslashreplace").decode()
        human = row.human
        raters = None if human is None else human.voters - human.unusable_votes
        example = Example(
            id=f"{path}[{bounds[0]}-{bounds[1]}]",
            group=row.clip.speaker or path,
            features={},
            target=target,
            raters=raters if self.by_people else None,
        )
        said = _vector(self._contents.of_model(row, label) for label in self.labels)
        split = None if row.clip.split is None else split_named(row.clip.split)
        self.places.append(_Place(content_hash, bounds, example, said, split))

    def _fits(self, features: ClipFeatures) -> bool:
        """Whether the features are of the extractors; their dimensions are noted."""
        if not features.fits(self._extractors):
            return False
        for modality, values in features.present.items():
            self.dimensions.setdefault(modality, values.shape[1])
        return True

    def corpus(self) -> Corpus:
        """All that was kept, by split."""
        if not self.places:
            raise UsageError(
                f"none of {self.left_out} labelled clips has features in the workspace: "
                "`annotate run` makes them"
                if self.left_out
                else NO_LABELS
            )
        splits = self._splits()
        both = self.by_people and self._contents.model is not None
        return Corpus(
            Dataset(
                name="annotate",
                labels=tuple(self.labels),
                dimensions={m: self.dimensions[m] for m in MODALITIES if m in self.dimensions},
                extractors={m: self._extractors[m] for m in MODALITIES if m in self._extractors},
                splits={name: _Loaded(ours, self._cache) for name, ours in splits.items()},
            ),
            {name: np.stack([place.prediction for place in ours]) for name, ours in splits.items()}
            if both
            else None,
            self.left_out,
        )

    def _splits(self) -> dict[str, list[_Place]]:
        given = [place.split for place in self.places]
        if None in given and any(given):
            raise UsageError(
                f"{given.count(None)} of the clips have no split while others do: choose one with "
                "--split, or give every clip one in the manifest"
            )
        splits: dict[str, list[_Place]] = {}
        if None not in given:
            for place in self.places:
                splits.setdefault(place.split or "", []).append(place)
            return splits
        by_id = {place.example.id: place for place in self.places}
        named = split_by_group([place.example for place in self.places])
        return {
            name: [by_id[example.id] for example in examples]
            for name, examples in named.items()
            if examples
        }


class _Loaded(Sequence[Example]):
    """Examples whose features are read when they are asked for."""

    def __init__(self, places: Sequence[_Place], cache: FeatureCache) -> None:
        self._places = places
        self._cache = cache

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        if isinstance(index, slice):
            return [self._load(place) for place in self._places[index]]
        return self._load(self._places[index])

    def _load(self, place: _Place) -> Example:
        features = self._cache.peek(place.content_hash, place.bounds)
        if features is None:
            raise EnvironmentFault(
                f"the features of {place.example.id} went missing: `annotate run` makes them again"
            )
        example = place.example
        return Example(example.id, example.group, features.present, example.target, example.raters)


def _vector(values: Iterable[float | None]) -> NDArray[np.float32]:
    return np.array([np.nan if value is None else value for value in values], np.float32)
