"""How long a report of many clips takes and how large it is.

    python benchmarks/report.py --clips 100000

Every section has something to show: films cut from a real file, features in the cache, a label of
the corpus for every tenth clip, and two people's answers to some. Everything is made up but for the
work. The time is given as a ratio, too, to reading one column of the label answers, the least that
anything that reads all of them can take; it does not include the imports.
"""

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from annotator import registry
from annotator.features.cache import Entry, encode_entry
from annotator.registry import ModelVersion
from annotator.report.build import build
from annotator.report.page import render
from annotator.store.engine import Store
from annotator.store.review_records import Answer, GivenLabel
from annotator.types import (
    MODALITIES,
    ClipFeatures,
    Features,
    MediaInfo,
    Segment,
    Source,
)
from annotator.workspace import Workspace, open_workspace
from demo_corpus import make_long
from store import CLIPS_A_FILE, turns

CLIP_MS = 3000
CONTENT = "ab" * 32
REVIEWED = 500  # clips that both people answer
STEPS = {"visual": 15, "audio": 150, "text": 8}  # of a clip of three seconds
EACH = 6
LIMIT_S, LIMIT_BYTES = 10.0, 20e6  # what is promised of 100,000 clips


def main() -> None:
    """Parse the command line, make the store, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=100_000)
    count: int = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as name:
        workspace = open_workspace(Path(name) / ".annotate", create=True)
        model = registry.choose(workspace, registry.STARTER)
        film = make_long(Path(name) / "film.mp4", CLIPS_A_FILE * CLIP_MS / 3_600_000)
        with workspace.open_store() as store:
            fill(store, workspace, model, film, count)
            measure(store, workspace, model, count)


def fill(store: Store, workspace: Workspace, model: ModelVersion, film: Path, count: int) -> None:
    """Enter files that are all links to one, their clips, and everybody's answers."""
    began = time.perf_counter()
    model_id = store.register_model(model)
    run_id = store.start_run(model_id, {}, "benchmark")
    paths = [film.with_name(f"{n:06}.mp4") for n in range(-(-count // CLIPS_A_FILE))]
    for path in paths:
        path.symlink_to(film)
    store.sync_sources(run_id, [(Source(path, 1, 1), "key") for path in paths])
    info = MediaInfo("mov", CLIPS_A_FILE * CLIP_MS, None, None)
    for media in store.pending(run_id, model_id):
        left = count - CLIPS_A_FILE * (media.media_id - 1)
        store.save_plan(media.media_id, CONTENT, info, segments(min(CLIPS_A_FILE, left)), model_id)
    for turn in turns(count):
        for batch in turn:
            store.save_results(run_id, model_id, batch)
    cache(workspace, model)
    review(store, model_id, model, min(REVIEWED, count))
    print(f"{count} clips made in {time.perf_counter() - began:.0f} s")


def segments(count: int) -> list[Segment]:
    """The clips of a file; every tenth has a label, every file the same speakers."""
    return [
        Segment(
            n * CLIP_MS,
            (n + 1) * CLIP_MS,
            "sidecar",
            "how are you?",
            "sidecar",
            speaker=f"speaker {n % 20}",
            labels={"happy": 1.0} if n % 10 == 0 else {},
        )
        for n in range(count)
    ]


def cache(workspace: Workspace, model: ModelVersion) -> None:
    """Features of every clip: all files have one content, so one set of clips is enough."""
    rng = np.random.default_rng(0)
    folder = workspace.features / CONTENT[:2] / CONTENT
    folder.mkdir(parents=True)
    for n in range(CLIPS_A_FILE):
        visual, audio, text = (
            Features(
                rng.normal(size=(STEPS[m], model.config[m]["dim"])).astype(np.float16),
                model.extractors[m],
            )
            for m in MODALITIES
        )
        file = folder / f"{n * CLIP_MS}-{(n + 1) * CLIP_MS}.safetensors"
        file.write_bytes(encode_entry(Entry(ClipFeatures(visual, audio, text), None)))


def review(store: Store, model_id: int, model: ModelVersion, count: int) -> None:
    """Two people's answers to the first clips."""
    project = store.save_project("http://localhost", 1, "benchmark", model.labels)
    clips = {f"sample-{n}": n for n in range(1, count + 1)}
    store.begin_sending(project.project_id, model_id, clips, shown=False)
    store.sent(project.project_id, clips)
    found = {n: list(answers(n, model)) for n in clips.values()}
    store.save_answers(project.project_id, found)


def answers(clip: int, model: ModelVersion) -> Iterator[Answer]:
    """What each of the two says of a clip."""
    now = datetime.now(UTC)
    for person in range(2):
        label = random.Random(2 * clip + person).choice(model.labels)
        yield Answer(
            number=2 * clip + person,
            task=clip,
            annotator=f"person {person}",
            state="labelled",
            labels=(GivenLabel(label, None, "manual"),),
            neutral=False,
            comment=None,
            lead_seconds=4.0,
            unchanged=None,
            result=[],
            created_at=now,
            updated_at=now,
        )


def measure(store: Store, workspace: Workspace, model: ModelVersion, count: int) -> None:
    """Read a column, make the report, print both."""
    with closing(sqlite3.connect(workspace.database)) as raw:
        began = time.perf_counter()
        raw.execute("SELECT sum(p) FROM label_prediction").fetchone()
        reading = time.perf_counter() - began
    began = time.perf_counter()
    made = build(workspace, store, model, each=EACH, with_media=True, progress=lambda _: None)
    gathered = time.perf_counter() - began
    page = render(made).encode()
    seconds = time.perf_counter() - began
    missing = [section.name for section in made.sections if section.missing]
    print(
        f"{count} clips: {seconds:.1f} s (gathered in {gathered:.1f} s), "
        f"{seconds / reading:.0f} times reading a column of the label answers; "
        f"{len(page) / 1e6:.1f} MB; not shown: {', '.join(missing) or 'nothing'}"
    )
    print("within" if seconds <= LIMIT_S and len(page) <= LIMIT_BYTES else "NOT within",
          f"{LIMIT_S:.0f} s and {LIMIT_BYTES / 1e6:.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
