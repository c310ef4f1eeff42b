"""How fast each format of rows is written beside CSV, and how much memory that takes.

    python benchmarks/export.py --clips 1000000 [--styles csv elan]

Makes a store of random answers of a model, of which people have answered every hundredth, then
exports all of it in each format, each in a process of its own, so that the peak of its memory is
the export's. Read the ratios: seconds belong to the machine. A million clips need about 2 GB in the
folder for temporary files.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from annotator.export.contents import Contents
from annotator.export.documents import export_documents
from annotator.export.export import export_clips
from annotator.store.engine import Store, open_store
from annotator.store.review_records import GivenAnswer, GivenLabel
from annotator.types import DEFAULT_LABELS
from store import Facts, plan, turns

TABLES = ("csv", "jsonl", "parquet")
STYLES = (*TABLES, "elan", "textgrid", "webvtt")
ANSWERED = 100  # every so manieth clip
SMALL = 1000  # clips of the export whose memory the others are held against


@dataclass(frozen=True)
class Cost:
    """What an export took."""

    seconds: float
    peak_mib: float
    size_mb: float


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--styles", nargs="+", choices=STYLES, default=STYLES)
    given = parser.parse_args()
    count: int = given.clips
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "a.db"
        with open_store(database) as store:
            fill(store, count)
        csv = measured(database, "csv", None)
        for style in given.styles:
            cost = csv if style == "csv" else measured(database, style, None)
            small = measured(database, style, min(SMALL, count))
            print(
                f"{style}: {count / cost.seconds:,.0f} clips a second, "
                f"{csv.seconds / cost.seconds:.2f} of csv's rate; {cost.size_mb:,.0f} MB; "
                f"peak memory {cost.peak_mib:.0f} MiB, "
                f"{cost.peak_mib - small.peak_mib:.0f} more than for {min(SMALL, count)} clips",
                flush=True,
            )


def fill(store: Store, count: int) -> None:
    """Clips, answers of a model about all, and of two people about some."""
    plan(store, count)
    for turn in turns(count):
        for batch in turn:
            store.save_results(1, 1, batch)
    project = store.imported_project("benchmark", DEFAULT_LABELS).project_id
    given = [
        GivenAnswer(
            clip_id, person, "labelled", (GivenLabel("happy", None, None),), False, None, []
        )
        for clip_id in range(1, count + 1, ANSWERED)
        for person in ("ann", "bob")
    ]
    for start in range(0, len(given), 1000):
        store.save_imported(project, given[start : start + 1000])


def measured(database: Path, style: str, limit: int | None) -> Cost:
    """The cost of an export in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(export, (database, style, limit))


def export(database: Path, style: str, limit: int | None) -> Cost:
    """Export once; the peak is that of this process."""
    out = database.with_name(f"{style} of {limit or 'all'}")
    with open_store(database) as store:
        projects = {project.project_id: project.labels for project in store.projects()}
        contents = Contents(Facts(), projects)
        began = time.perf_counter()
        if style in TABLES:
            with closing(store.ranked(1, limit=limit, answered=True)) as clips:
                export_clips(clips, contents, style, out)
        else:
            with closing(store.timeline(1)) as clips:
                export_documents(islice(clips, limit), contents, style, out)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    files = out.iterdir() if out.is_dir() else [out]
    return Cost(seconds, peak, sum(file.stat().st_size for file in files) / 1e6)


if __name__ == "__main__":
    main()
