"""A model on disk, a review world, and both ready to answer Label Studio."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from annotator.features.cache import Entry, FeatureCache, encode_entry
from annotator.labelstudio.live import Answering, open_answering
from annotator.labelstudio.payload import sample_of, version_of
from annotator.types import Absent, ClipFeatures, Features, Modality, Segment, Source
from lddu_model import LDDU, Config, InputSpec, save, untrained
from review_clips import INFO, LABELS, Facts, ReviewWorld, review_world

EXTRACTORS: dict[Modality, str] = {"visual": "faces@1", "audio": "sound@1", "text": "text@1"}
HASH = "c0ffee0123456789"  # of a file whose clips the model has not answered for
THRESHOLDS = {"happy": 0.8, "sad": 0.65, "anger": 0.5}


@cache
def network() -> LDDU:
    config = Config(
        labels=LABELS, visual=InputSpec(2), audio=InputSpec(2), text=InputSpec(2),
        hidden=8, feedforward=8, layers=1, heads=2, latent_hidden=(8,), latent=4, head_hidden=8,
    )  # fmt: skip
    return untrained(config, seed=0)


@dataclass(frozen=True)
class LiveWorld:
    """Clips that the model has answered for, and in `waiting` samples of such that it has not."""

    review: ReviewWorld
    answering: Answering
    folder: Path
    waiting: tuple[str, ...]

    @property
    def version(self) -> str:
        return version_of(self.answering.model)

    @property
    def cache(self) -> FeatureCache:
        return self.answering.cache

    def tasks(self) -> list[dict[str, object]]:
        """What Label Studio asks about, least certain first; the last are of `waiting`."""
        answered = [{"id": n, **out.payload} for n, out in enumerate(self.review.outgoing())]
        return answered + [{"id": 900, "data": {"sample_id": name}} for name in self.waiting]

    def keep(
        self, clip: int, transcript: str | None = "words", **changed: Absent | Features
    ) -> None:
        """Put features of a waiting clip into the cache."""
        features = dataclasses.replace(clip_features(clip), **changed, transcript=transcript)
        path = self.cache._path(HASH, bounds(clip))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_entry(Entry(features, None)))


def bounds(clip: int) -> tuple[int, int]:
    return 2000 * clip, 2000 * clip + 1500


def clip_features(clip: int) -> ClipFeatures:
    rng = np.random.default_rng(clip)
    return ClipFeatures(
        Absent("no face", "faces@1"),
        Features(rng.normal(size=(4 + clip, 2)).astype(np.float16), "sound@1"),
        Features(rng.normal(size=(3, 2)).astype(np.float16), "text@1"),
        transcript="words",
    )


@contextmanager
def live_world(folder: Path, clips: int = 6, waiting: int = 3) -> Iterator[LiveWorld]:
    """`clips` that the model has answered for and `waiting` without answers, all sent."""
    model = folder / "model"
    digest = save(network(), model, {"trained": True, "thresholds": THRESHOLDS})
    facts = Facts(weights_hash=digest, extractors=EXTRACTORS, path=model)
    with review_world(folder / "annotate.db", clips) as review:
        answered = review.outgoing()
        store = review.store
        with store._write() as connection:  # the review world's model is ours
            connection.exec_driver_sql("UPDATE model SET weights_hash = ?", (digest,))
        run_id = store.start_run(review.model_id, {}, "0.1.0")
        store.sync_sources(run_id, [(Source(Path("/c/new.mp4"), 1, 5), "key")])
        (media,) = store.pending(run_id, review.model_id)
        plan = [Segment(*bounds(n), "windows", "words") for n in range(waiting)]
        pending = store.save_plan(media.media_id, HASH, INFO, plan, review.model_id)
        samples = {sample_of(HASH, *bounds(n)): clip.clip_id for n, clip in enumerate(pending)}
        project = store.save_project("http://ls", 1, "review", LABELS)
        samples |= {out.sample: out.clip_id for out in answered}
        store.begin_sending(project.project_id, review.model_id, samples, shown=True)
        answering = open_answering(store, FeatureCache(folder / "features"), facts, "cpu")
        names = tuple(sample_of(HASH, *bounds(n)) for n in range(waiting))
        yield LiveWorld(review, answering, folder, names)
