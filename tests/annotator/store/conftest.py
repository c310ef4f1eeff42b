"""A store with one model and one run, and what a run hands to it."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from sqlalchemy import URL, text

from annotator.store.engine import Store, open_store
from annotator.store.records import ClipResult, ClipScores, FreshScores, LabelScores
from annotator.store.schema import Base
from annotator.types import (
    Absent,
    AudioStream,
    ClipFeatures,
    Features,
    MediaInfo,
    Segment,
    Source,
    VideoStream,
)
from postgres_server import database

LABELS = ("happy", "sad")
INFO = MediaInfo(
    "mp4", 60_000, VideoStream(0, "h264", 1280, 720, 25.0, 0), AudioStream(1, "aac", 44_100, 2)
)


@dataclass(frozen=True)
class Facts:
    """A model version."""

    name: str = "m1"
    weights_hash: str = "a" * 64
    labels: tuple[str, ...] = LABELS
    config: dict[str, object] = field(default_factory=lambda: {"dim": 8})
    extractors: dict[str, str] = field(default_factory=lambda: {"visual": "faces@1"})
    trained: bool = False
    path: Path | None = Path("models/m1")
    parent: str | None = None


@dataclass
class World:
    """An open store, the ids of its first model and run, and the steps of a run in short."""

    store: Store
    path: Path | URL
    model_id: int
    run_id: int

    def sync(self, *names: str, key: str = "k", size: int = 1, run_id: int | None = None) -> None:
        found = [(Source(Path("/c") / name, size, 5), key) for name in names]
        self.store.sync_sources(run_id or self.run_id, found)

    def media_id(self, name: str) -> int:
        ((found,),) = self.rows("SELECT id FROM media WHERE path = ?", f"/c/{name}")
        return int(str(found))

    def plan(
        self, name: str, plan: Sequence[Segment], content: str = "h", model_id: int | None = None
    ) -> list[int]:
        waiting = self.store.save_plan(
            self.media_id(name), content, INFO, plan, model_id or self.model_id
        )
        return [clip.clip_id for clip in waiting]

    def answer(self, *clip_ids: int, variance: float = 1.0, model_id: int | None = None) -> None:
        self.store.save_results(
            self.run_id,
            model_id or self.model_id,
            [result(clip_id, variance) for clip_id in clip_ids],
        )

    def pending(self, run_id: int | None = None) -> dict[str, int | None]:
        found = self.store.pending(run_id or self.run_id, self.model_id)
        return {media.path.name: media.clips for media in found}

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with self.store._read() as connection:
            if connection.dialect.name == "postgresql":
                sql = sql.replace("?", "%s")
            return [tuple(row) for row in connection.exec_driver_sql(sql, values)]

    def count(self, table: str) -> int:
        return int(str(self.rows(f"SELECT count(*) FROM {table}")[0][0]))


def segment(start: int, end: int, text: str | None = "hi", **labels: float) -> Segment:
    origin = None if text is None else "sidecar"
    return Segment(start, end, "sidecar", text, origin, labels=MappingProxyType(labels))


def result(
    clip_id: int,
    variance: float = 1.0,
    p: tuple[float, float] = (0.9, 0.4),
    sigma: tuple[float, float] = (3.0, 4.0),
    bald: float | None = None,
    transcript: tuple[str | None, str | None] = ("hi", "sidecar"),
    latent: bytes | None = None,
) -> ClipResult:
    features = ClipFeatures(
        Absent("no face", "faces@1"),
        Features(np.zeros((7, 2), np.float16), "sound@1"),
        Features(np.zeros((3, 2), np.float16), "text@1"),
        *transcript,
    )
    labels = tuple(
        LabelScores(label, of_label, 0.1, 0.2, 0.3, None, *sigma)
        for label, of_label in zip(LABELS, p, strict=True)
    )
    scores = (labels, variance, 0.5, 0.2, bald)
    return ClipResult(
        clip_id, features, ClipScores(*scores) if latent is None else FreshScores(*scores, latent)
    )


@pytest.fixture(scope="session")
def make_result():
    """Makes a `ClipResult`."""
    return result


@pytest.fixture(scope="session")
def make_segment():
    """Makes a `Segment`."""
    return segment


@pytest.fixture(scope="session")
def facts():
    """Makes the facts of a model version."""
    return Facts


@pytest.fixture(scope="session")
def open_world(tmp_path_factory):
    """Makes a world at a path, of a copy: migrating each afresh would take most of the time."""
    template = tmp_path_factory.mktemp("template") / "annotate.db"
    open_store(template).close()

    def make(place: Path | URL) -> World:
        if isinstance(place, Path) and not place.exists():
            shutil.copy(template, place)
        store = open_store(place)
        model_id = store.register_model(Facts())
        run_id = store.start_run(model_id, {"root": "corpus"}, "0.1.0")
        return World(store, place, model_id, run_id)

    return make


@pytest.fixture(scope="session")
def postgres_place(postgres_server) -> Iterator[Callable[[], URL]]:
    """Empties the one database that the session's tests share, and gives its address."""
    tables = ", ".join(Base.metadata.tables)
    with database(postgres_server) as url:
        open_store(url).close()

        def emptied() -> URL:
            with open_store(url) as store, store._write() as connection:
                connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            return url

        yield emptied


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_place(request) -> Callable[[Path], Path | URL]:
    """Where a new world may be made, from the folder it may lie in, in each kind of database."""
    if request.param == "sqlite":
        return lambda folder: folder / "annotate.db"
    emptied = request.getfixturevalue("postgres_place")
    return lambda _folder: emptied()


@pytest.fixture
def world(tmp_path: Path, open_world, fresh_place) -> Iterator[World]:
    """A world of its own for each test, in each kind of database."""
    made = open_world(fresh_place(tmp_path))
    with made.store:
        yield made


@pytest.fixture
def sqlite_world(tmp_path: Path, open_world) -> Iterator[World]:
    """One in SQLite, for tests of what it alone has."""
    made = open_world(tmp_path / "annotate.db")
    with made.store:
        yield made
