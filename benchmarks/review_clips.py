"""A store with clips that a model has answered for, as a push finds it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from annotator.labelstudio.interface import interface
from annotator.labelstudio.payload import Sent, sample_of, task
from annotator.labelstudio.push import Outgoing
from annotator.store.engine import Store, open_store
from annotator.store.records import ClipResult, ClipScores, LabelScores, RankedClip
from annotator.types import (
    Absent,
    AudioStream,
    ClipFeatures,
    Features,
    MediaInfo,
    Modality,
    Segment,
    Source,
    VideoStream,
)

LABELS = ("happy", "sad", "anger")
THRESHOLDS = dict.fromkeys(LABELS, 0.5)
INFO = MediaInfo(
    "mp4", 10_000_000, VideoStream(0, "h264", 64, 48, 25.0, 0), AudioStream(1, "aac", 48_000, 1)
)
VIDEO = "/data/local-files/?d=annotate/none.mp4"


@dataclass(frozen=True)
class Facts:
    """A model version."""

    name: str = "m1"
    weights_hash: str = "a" * 64
    labels: tuple[str, ...] = LABELS
    config: Mapping[str, object] = field(default_factory=dict)
    extractors: Mapping[Modality, str] = field(default_factory=dict)
    trained: bool = True
    path: Path | None = None
    parent: str | None = None


@dataclass(frozen=True)
class ReviewWorld:
    """An open store with one model's answers for a file's clips, one a second."""

    store: Store
    model_id: int

    def ranked(self) -> list[RankedClip]:
        """The clips, least certain first."""
        return list(self.store.ranked(self.model_id, by="variance"))

    def outgoing(self, count: int | None = None, *, shown: bool = True) -> list[Outgoing]:
        """Their tasks, or those of the first `count`; their video is nowhere."""
        sent = Sent(interface(LABELS), Facts(), THRESHOLDS, "variance", shown)
        return [
            Outgoing(
                sample_of(clip.content_hash, clip.start_ms, clip.end_ms),
                clip.clip_id,
                task(clip, sent, VIDEO),
            )
            for clip in self.ranked()[:count]
        ]


def scores(p: Sequence[float], variance: float = 1.0) -> ClipScores:
    """A model's answer with these probabilities."""
    answers = tuple(
        LabelScores(label, value, 0.1, 0.2, 0.3, None, 3.0, 4.0)
        for label, value in zip(LABELS, p, strict=True)
    )
    return ClipScores(answers, variance, 0.5, 0.2, None)


@contextmanager
def review_world(path: Path, clips: int) -> Iterator[ReviewWorld]:
    """`clips` clips; the first is the least certain, and every third is of none of the labels."""
    made = path.exists()
    with open_store(path) as store:
        model_id = store.register_model(Facts())
        if made:
            yield ReviewWorld(store, model_id)
            return
        run_id = store.start_run(model_id, {}, "0.1.0")
        store.sync_sources(run_id, [(Source(Path("/c/a.mp4"), 1, 5), "key")])
        (media,) = store.pending(run_id, model_id)
        plan = [Segment(1000 * n, 1000 * n + 900, "windows", f"words {n}") for n in range(clips)]
        waiting = store.save_plan(media.media_id, "content", INFO, plan, model_id)
        features = ClipFeatures(
            Absent("no face", "faces@1"),
            Features(np.zeros((7, 2), np.float16), "sound@1"),
            Features(np.zeros((3, 2), np.float16), "text@1"),
        )
        likely = ((0.9, 0.2, 0.1), (0.6, 0.7, 0.1), (0.1, 0.2, 0.3))
        results = [
            ClipResult(clip.clip_id, features, scores(likely[n % 3], float(clips - n)))
            for n, clip in enumerate(waiting)
        ]
        store.save_results(run_id, model_id, results)
        yield ReviewWorld(store, model_id)
