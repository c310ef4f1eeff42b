"""A workspace in which people have answered about clips whose features are known, without media."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

import toy_corpus
from annotator import registry
from annotator.learning.dataset import Dataset, Example
from annotator.learning.networks import network_config
from annotator.store.review_records import Answer, GivenLabel
from annotator.types import (
    MODALITIES,
    Absent,
    AudioStream,
    ClipFeatures,
    Features,
    MediaInfo,
    Segment,
    Source,
)
from annotator.workspace import open_workspace
from fake_extractors import tools
from lddu_model import save, untrained

EXTRACTORS = {"visual": "fake-faces@1", "audio": "fake-sound@1", "text": "fake-words@1"}
INFO = MediaInfo("wav", 10_000, None, AudioStream(0, "pcm", 16_000, 1))
START = datetime(2026, 1, 1, tzinfo=UTC)
SERVER = "http://label.studio"
UNUSABLE = "?"
# A tiny network that learns the toy corpus in a second or two.
QUICK = (
    "train.epochs=12",
    "train.learning_rate=0.01",
    "loss.queue=100",
    "layers.encoders=1",
    "layers.emotion_space=1",
    "finetune.resamples=200",
)


class World:
    """Clips are files of one clip each; people answer in one project or several."""

    def __init__(self, folder: Path, labels: Sequence[str] = toy_corpus.LABELS) -> None:
        self.folder = folder
        self.workspace = open_workspace(folder / ".annotate", create=True)
        self.labels = tuple(labels)
        self.numbers = 0
        self.make_model("base")
        with self.workspace.open_store() as store:
            self.model_id = store.register_model(registry.choose(self.workspace, "base"))

    def make_model(self, name: str, *, labels: Sequence[str] | None = None, **facts) -> Path:
        """A network of the toy corpus's shape with random weights."""
        data = toy_corpus.corpus(4, 4, 4)
        config = network_config(
            Dataset("toy", tuple(labels or self.labels), data.dimensions, {}, {}),
            toy_corpus.settings("network.dropout=0.1", "network.hidden=32"),
        )
        known = {"trained": True, "extractors": EXTRACTORS, **facts}
        save(untrained(config, seed=3), self.workspace.models / name, known)
        return self.workspace.models / name

    def clips(self, examples: Sequence[Example], splits: Mapping[str, str] | None = None) -> None:
        """Enter them as a run does, with their features; the group is the speaker."""
        with self.workspace.open_store() as store:
            run = store.start_run(self.model_id, {}, "test")
            found = [Source(self.path(example), 1, 1) for example in examples]
            store.sync_sources(run, [(source, "key") for source in found])
            pending = {media.path: media for media in store.pending(run, self.model_id)}
            for example in examples:
                segment = Segment(
                    0,
                    1000,
                    "manifest",
                    speaker=example.group or None,
                    split=(splits or {}).get(example.id),
                )
                media = pending[self.path(example)].media_id
                store.save_plan(media, content_hash(example), INFO, [segment], self.model_id)
            store.finish_run(run, "done", {}, {})
        for example in examples:
            self.features(example)

    def path(self, example: Example) -> Path:
        return Path("/corpus") / f"{example.id}.wav"

    def features(self, example: Example, **other: str) -> None:
        """Cache them, as made by these extractors or, where `other` names some, by others."""
        made = {**EXTRACTORS, **other}
        found = {
            m: Features(example.features[m].astype(np.float16), made[m])
            if m in example.features
            else Absent("not there", made[m])
            for m in MODALITIES
        }
        segment = Segment(0, 1000, "manifest")
        cache = self.workspace.cache()
        cache.put(content_hash(example), segment, ClipFeatures(**found), tools())

    def clip_ids(self) -> dict[str, int]:
        """By the name of the file."""
        with self.workspace.open_store() as store, store._read() as connection:
            rows = connection.exec_driver_sql(
                "SELECT clip.id, path FROM clip JOIN media ON media.id = media_id"
            )
            return {Path(path).stem: clip_id for clip_id, path in rows}

    def answers(
        self,
        said: Mapping[str, Mapping[str, str]],
        project: int = 1,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Enter what people said: clip → person → labels between blanks, none, or ? (unusable)."""
        ids = self.clip_ids()
        with self.workspace.open_store() as store:
            entered = store.save_project(SERVER, project, f"p{project}", labels or self.labels)
            samples = {f"{project} {clip}": ids[clip] for clip in said}
            store.begin_sending(entered.project_id, self.model_id, samples, shown=False)
            numbers = {sample: number for number, sample in enumerate(samples, 1)}
            store.sent(entered.project_id, numbers)
            found = {
                numbers[f"{project} {clip}"]: [
                    self.answer(numbers[f"{project} {clip}"], person, words)
                    for person, words in people.items()
                ]
                for clip, people in said.items()
            }
            store.save_answers(entered.project_id, found)

    def answer(self, task: int, person: str, words: str) -> Answer:
        self.numbers += 1
        labels = () if words == UNUSABLE else tuple(words.split())
        moment = START + timedelta(minutes=self.numbers)
        return Answer(
            self.numbers,
            task,
            person,
            "unusable" if words == UNUSABLE else "labelled",
            tuple(GivenLabel(label, None, "manual") for label in labels),
            neutral=not words,
            comment=None,
            lead_seconds=1.0,
            unchanged=None,
            result=(),
            created_at=moment,
            updated_at=moment,
        )


def content_hash(example: Example) -> str:
    return hashlib.sha256(example.id.encode()).hexdigest()


def words_of(target: np.ndarray) -> str:
    """A target as a person says it."""
    return " ".join(name for name, y in zip(toy_corpus.LABELS, target, strict=True) if y >= 0.5)


def truthful(examples: Sequence[Example], people: Sequence[str] = ("ann",)) -> dict:
    """Everybody says what is so."""
    return {e.id: dict.fromkeys(people, words_of(e.target)) for e in examples}


def noisy(examples: Sequence[Example], seed: int = 0) -> dict:
    """Everybody says anything."""
    random = np.random.default_rng(seed)
    return {e.id: {"ann": words_of(random.random(3))} for e in examples}


def reviewed(folder: Path, said, count: int = 320) -> World:
    """A world of that many clips, four a speaker, and what `said` makes of them."""
    world, examples = World(folder), toy_corpus.corpus(count, 1, 1).split("train")
    world.clips(examples)
    world.answers(said(examples))
    return world
