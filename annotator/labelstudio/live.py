"""What a model says of tasks that Label Studio asks about, in their order, one result each.

A task without an answer gets an empty list, of which Label Studio keeps nothing: it asks again
when the task is opened next. An empty prediction would stay as that version's answer for ever.

A task is known by its sample alone. An answer in the database is given as it is; without one the
features of earlier runs are put through the model, if they are of its extractors and of the same
transcript. No media is opened: that is for `annotate run`.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock

from annotator.features.cache import FeatureCache
from annotator.labelstudio.interface import Interface, interface
from annotator.labelstudio.payload import Json, Sent, prediction, sample_of, version_of
from annotator.learning.card import open_model
from annotator.learning.facts import thresholds_of
from annotator.predict import Predictor, choose_device
from annotator.store.engine import Store
from annotator.store.records import SCORES, ClipScores, KnownClip, ModelFacts
from annotator.types import ClipFeatures

TASKS = 1000  # looked up at a time, by the store's own measure
BATCH = 16  # clips through the model at a time, between two looks at the clock
_SAMPLE = re.compile(r"[0-9a-f]{16}")
_log = logging.getLogger(__name__)

OutOfTime = Callable[[], bool]
Result = Json | list[Json]  # a prediction, or an empty list


@dataclass(frozen=True, slots=True)
class Answering:
    """Whose answers are given, and where they come from."""

    store: Store
    cache: FeatureCache
    model_id: int
    model: ModelFacts
    shape: Interface
    thresholds: Mapping[str, float]
    predictor: Predictor

    @property
    def version(self) -> str:
        """How the model is called on the server."""
        return version_of(self.model)


def open_answering(store: Store, cache: FeatureCache, model: ModelFacts, device: str) -> Answering:
    """Make a model ready to answer.

    Args:
        store: of its answers.
        cache: of features.
        model: in the workspace.
        device: as for `choose_device`.

    Raises:
        UsageError: the model's files are damaged, or its name is known with other weights.
        EnvironmentFault: the device is not on this machine, or the database cannot do it.
    """
    if model.path is None:
        raise ValueError("a model without files cannot answer")
    chosen = choose_device(device)
    checkpoint = open_model(model.path)
    labels = tuple(model.labels)
    return Answering(
        store=store,
        cache=cache,
        model_id=store.register_model(model),
        model=model,
        shape=interface(labels),
        thresholds=dict(zip(labels, thresholds_of(checkpoint.metadata, labels), strict=True)),
        predictor=Predictor(checkpoint.network, chosen),
    )


class LiveAnswers:
    """Answers tasks; may be asked from several threads."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self._sent = Sent(
            answering.shape, answering.model, answering.thresholds, by="variance", shown=True
        )
        self._one_at_a_time = Lock()

    def __call__(self, tasks: Sequence[object], out_of_time: OutOfTime) -> list[Result]:
        """One result a task, in order; those without an answer, or too late for one, are empty.

        Args:
            tasks: as they came, whatever they are.
            out_of_time: says whether it is too late to begin with more.

        Raises:
            EnvironmentFault: the database or the device cannot do it.
        """
        results: list[Result] = []
        for first in range(0, len(tasks), TASKS):
            samples = [_sample(task) for task in tasks[first : first + TASKS]]
            scores = {} if out_of_time() else self._scores(samples, out_of_time)
            results += [self._result(scores.get(sample)) for sample in samples]
        return results

    def _scores(
        self, samples: Sequence[str | None], out_of_time: OutOfTime
    ) -> dict[str | None, ClipScores]:
        known = self._known(list(dict.fromkeys(filter(None, samples))))
        waiting = {sample: clip for sample, clip in known.items() if clip.scores is None}
        found: dict[str | None, ClipScores] = {
            sample: clip.scores for sample, clip in known.items() if clip.scores is not None
        }
        features = (
            (sample, cached)
            for sample, clip in waiting.items()
            if (cached := self._cached(clip)) is not None
        )
        while not out_of_time() and (batch := list(islice(features, BATCH))):
            with self._one_at_a_time:
                answers = self.answering.predictor([cached for _, cached in batch])
            found |= zip((sample for sample, _ in batch), answers, strict=True)
        return found

    def _known(self, samples: Sequence[str]) -> dict[str, KnownClip]:
        """The clips that the samples are still of: a file may have changed since it was sent."""
        store, model_id = self.answering.store, self.answering.model_id
        clip_ids = store.clips_of_samples(samples)
        clips = store.known_clips(model_id, sorted(set(clip_ids.values())))
        return {
            sample: clip
            for sample in samples
            if sample in clip_ids
            and (clip := clips.get(clip_ids[sample])) is not None
            and sample_of(clip.content_hash, *clip.bounds) == sample
        }

    def _cached(self, clip: KnownClip) -> ClipFeatures | None:
        """The clip's features, if the model may be asked about them as they are."""
        extractors = self.answering.model.extractors
        return self.answering.cache.fitting(clip.content_hash, clip.bounds, extractors, clip.text)

    def _result(self, scores: ClipScores | None) -> Result:
        if scores is not None:
            try:
                return _with_uncertainty(prediction(scores, self._sent), scores)
            except (ValueError, KeyError, ZeroDivisionError) as error:
                _log.warning("a stored answer is of no use (%s)", type(error).__name__)
        return []


def _with_uncertainty(said: Json, scores: ClipScores) -> Json:
    """The prediction with its uncertainty.

    It is there twice: of keys it does not know the server keeps those within `result` alone, and
    that may be empty.
    """
    uncertainty = {name: getattr(scores, name) for name in SCORES}
    for item in said["result"]:
        item["meta"] = {"uncertainty": uncertainty}
    return {**said, "uncertainty": uncertainty}


def _sample(task: object) -> str | None:
    """The sample a task names; None where it names none of ours.

    >>> _sample({"data": {"sample_id": "00112233445566ff"}}), _sample({"data": "sample_id"})
    ('00112233445566ff', None)
    """
    data = task.get("data") if isinstance(task, dict) else None
    sample = data.get("sample_id") if isinstance(data, dict) else None
    return sample if isinstance(sample, str) and _SAMPLE.fullmatch(sample) else None
