"""How fast the store takes answers in, ranks and exports clips, beside bare sqlite3.

    python benchmarks/store.py --clips 100000

Both databases have the same tables and get the same rows in turns, so that a busy machine slows
both alike: read the ratios. A million clips take a few minutes and about 2 GB in the folder for
temporary files.
"""

import argparse
import random
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from annotator.acquisition.pool import Plan
from annotator.acquisition.propose import propose
from annotator.export.contents import Contents
from annotator.export.export import export_clips
from annotator.store.engine import Store, open_store
from annotator.store.records import ClipResult, FreshScores, LabelScores
from annotator.types import (
    DEFAULT_LABELS,
    Absent,
    ClipFeatures,
    Features,
    MediaInfo,
    Modality,
    Segment,
    Source,
)

CLIPS_A_FILE = 100
BATCH = 32  # clips in one transaction, as a run writes them
TURN = 50 * BATCH  # clips that one side writes before the other has its turn
TOP = 500
D = 128  # numbers of a latent, as the default network has
REPEATS = 20  # of a query; the median counts

INSERT_PREDICTION = "INSERT INTO prediction VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_LABEL = "INSERT INTO label_prediction VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
UPDATE_CLIP = (
    "UPDATE clip SET state = 'ready', visual_steps = ?, audio_steps = ?, text_steps = ?, "
    "visual_absent = ?, audio_absent = ?, text_absent = ? WHERE id = ?"
)
SELECT_TOP = (
    "SELECT clip.*, media.path, prediction.* FROM prediction "
    "JOIN clip ON clip.id = prediction.clip_id JOIN media ON media.id = clip.media_id "
    "WHERE model_id = 1 AND clip.active ORDER BY variance DESC LIMIT ?"
)
SELECT_LABELS = "SELECT * FROM label_prediction WHERE model_id = 1 AND clip_id = ?"


@dataclass(frozen=True)
class Facts:
    """The model that is said to answer."""

    name: str = "benchmark"
    weights_hash: str = "0" * 64
    labels: tuple[str, ...] = DEFAULT_LABELS
    config: dict[str, object] = field(default_factory=dict)
    extractors: dict[Modality, str] = field(default_factory=dict)
    trained: bool = False
    path: Path | None = None
    parent: str | None = None


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=1_000_000)
    count: int = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = Path(folder) / "ours.db", Path(folder) / "bare.db"
        with open_store(ours) as store:
            began = time.perf_counter()
            plan(store, count)
            print(f"{count} clips planned: {count / (time.perf_counter() - began):,.0f} a second")
            with closing(sqlite3.connect(ours)) as old, closing(sqlite3.connect(bare)) as new:
                old.backup(new)
            with closing(connect(bare)) as raw:
                compare_inserts(store, raw, count)
                compare_top(store, raw)
            print(f"status: {median_ms(store.status, 3):.0f} ms")
            print(f"pending, nothing left: {median_ms(lambda: store.pending(1, 1), 3):.0f} ms")
            by_label = median_ms(lambda: store.top(1, limit=TOP, label="anger"), 3)
            print(f"top {TOP} by one label, which no index serves: {by_label:.0f} ms")
            measure_selections(store)
            measure_export(store, Path(folder) / "clips.csv")


def plan(store: Store, count: int) -> None:
    """Enter a model, a run, and files of a hundred clips each."""
    model_id = store.register_model(Facts())
    run_id = store.start_run(model_id, {}, "benchmark")
    files = -(-count // CLIPS_A_FILE)
    found = [(Source(Path(f"/corpus/{n:07}.mp4"), 1, 1), "key") for n in range(files)]
    store.sync_sources(run_id, found)
    info = MediaInfo("mp4", CLIPS_A_FILE * 3000, None, None)
    for media in store.pending(run_id, model_id):
        clips = range(min(CLIPS_A_FILE, count - CLIPS_A_FILE * (media.media_id - 1)))
        segments = [
            Segment(n * 3000, (n + 1) * 3000, "sidecar", "how are you?", "sidecar") for n in clips
        ]
        store.save_plan(media.media_id, f"hash {media.media_id}", info, segments, model_id)


def compare_inserts(store: Store, raw: sqlite3.Connection, count: int) -> None:
    """Write the same answers to both in turns and print the ratio of the rates."""
    seconds_ours = seconds_bare = 0.0
    for turn in turns(count):
        began = time.perf_counter()
        for batch in turn:
            store.save_results(1, 1, batch)
        seconds_ours += time.perf_counter() - began
        rows = [(clip_rows(batch), prediction_rows(batch), label_rows(batch)) for batch in turn]
        began = time.perf_counter()
        for clips, predictions, labels in rows:
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany(UPDATE_CLIP, clips)
            raw.executemany(INSERT_PREDICTION, predictions)
            raw.executemany(INSERT_LABEL, labels)
            raw.execute("COMMIT")
        seconds_bare += time.perf_counter() - began
    print(
        f"answers stored: {count / seconds_ours:,.0f} clips a second, "
        f"{seconds_bare / seconds_ours:.2f} of bare sqlite3's {count / seconds_bare:,.0f}"
    )


def compare_top(store: Store, raw: sqlite3.Connection) -> None:
    """Ask both for the clips of highest variance and print the ratio of the times."""

    def bare() -> list[object]:
        rows = raw.execute(SELECT_TOP, (TOP,)).fetchall()
        return [raw.execute(SELECT_LABELS, (row[0],)).fetchall() for row in rows]

    ours_ms = median_ms(lambda: store.top(1, limit=TOP), REPEATS)
    bare_ms = median_ms(bare, REPEATS)
    print(
        f"top {TOP}: {ours_ms:.1f} ms, {ours_ms / bare_ms:.1f} times bare sqlite3's {bare_ms:.1f}"
    )


def measure_selections(store: Store) -> None:
    """Select from all clips, reading included, by what takes scores, latents or every answer."""
    read_ms = median_ms(lambda: store.candidates(1, to_ask=True, latents=True), 3)
    print(f"candidates with latents read: {read_ms:.0f} ms")
    for by, plan in (
        ("variance", Plan(TOP)),
        ("variance", Plan(TOP, select="kcenter", near=0.95)),
        ("least-confidence", Plan(TOP, balance=True)),
    ):
        ms = median_ms(partial(propose, store, 1, by, plan), 1)
        balanced = ", balanced" if plan.balance else ""
        print(f"{TOP} selected, {plan.select} by {by}{balanced}: {ms / read_ms:.1f} times that")


def measure_export(store: Store, out: Path) -> None:
    """Write all clips as CSV; memory is what the process has taken beyond its earlier peak."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    count = export_clips(store.ranked(1), Contents(Facts()), "csv", out).rows
    seconds = time.perf_counter() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"export: {count / seconds:,.0f} clips a second, {out.stat().st_size / 1e6:,.0f} MB, "
        f"the process grew by {grown:.0f} MiB"
    )


def turns(count: int) -> Iterator[list[list[ClipResult]]]:
    """Answers for the clips 1 to count: lists of batches."""
    rng = random.Random(0)
    for first in range(1, count + 1, TURN):
        ids = range(first, min(first + TURN, count + 1))
        results = [answer(clip_id, rng) for clip_id in ids]
        yield [results[n : n + BATCH] for n in range(0, len(results), BATCH)]


def answer(clip_id: int, rng: random.Random) -> ClipResult:
    """One clip's answer, with random scores."""
    labels = tuple(
        LabelScores(
            label,
            p=rng.random(),
            p_mu=rng.random(),
            p_sigma=rng.random(),
            p_direct=rng.random(),
            sigma_visual=None,
            sigma_audio=rng.random(),
            sigma_text=rng.random(),
        )
        for label in DEFAULT_LABELS
    )
    latent = np.frombuffer(rng.randbytes(D), np.int8).astype("<f2").tobytes()
    scores = FreshScores(labels, rng.random(), rng.random(), rng.random(), None, latent)
    return ClipResult(clip_id, FEATURES, scores)


FEATURES = ClipFeatures(
    Absent("no face", "faces@1"),
    Features(np.zeros((100, 1), np.float16), "sound@1"),
    Features(np.zeros((8, 1), np.float16), "text@1"),
    "how are you?",
    "sidecar",
)


def clip_rows(batch: Sequence[ClipResult]) -> list[tuple[object, ...]]:
    """Parameters of `UPDATE_CLIP`."""
    return [(None, 100, 8, "no face", None, None, result.clip_id) for result in batch]


def prediction_rows(batch: Sequence[ClipResult]) -> list[tuple[object, ...]]:
    """Parameters of `INSERT_PREDICTION`."""
    return [
        (1, r.clip_id, 1, s.variance, s.entropy, s.margin, None, 0, s.latent)
        for r in batch
        if isinstance(s := r.scores, FreshScores)
    ]


def label_rows(batch: Sequence[ClipResult]) -> list[tuple[object, ...]]:
    """Parameters of `INSERT_LABEL`."""
    return [
        (
            1,
            r.clip_id,
            s.label,
            s.p,
            s.p_mu,
            s.p_sigma,
            s.p_direct,
            None,
            s.sigma_audio,
            s.sigma_text,
        )
        for r in batch
        for s in r.scores.labels
    ]


def connect(path: Path) -> sqlite3.Connection:
    """A bare connection with the store's pragmas."""
    raw = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        raw.execute(f"PRAGMA {pragma}")
    return raw


def median_ms(ask: Callable[[], object], repeats: int) -> float:
    """Median wall milliseconds of a call."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
