"""A long export takes no more memory than a short one."""

import gc
import tracemalloc
from contextlib import closing

import pytest

import store as benchmark
from annotator.export.contents import Contents
from annotator.export.export import export_clips
from annotator.store.engine import open_store

CONTENTS = Contents(benchmark.Facts())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A store with the answers of a model for eight chunks of clips."""
    count = 8000
    with open_store(tmp_path_factory.mktemp("store") / "a.db") as store:
        benchmark.plan(store, count)
        for turn in benchmark.turns(count):
            for batch in turn:
                store.save_results(1, 1, batch)
        yield store


def peak(store, out, limit: int, style: str = "csv") -> int:
    """Bytes that an export of so many clips takes at its worst moment.

    What other tests left in this process is set aside: the more of it there is, the later Python
    looks for garbage in cycles, which would count as memory here.
    """
    gc.collect()
    gc.freeze()
    tracemalloc.start()
    try:
        with closing(store.ranked(1, limit=limit)) as clips:
            assert export_clips(clips, CONTENTS, style, out).rows == limit
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


@pytest.mark.parametrize("style", ["csv", "jsonl", "parquet"])
def test_memory_is_bounded(corpus, tmp_path, style, monkeypatch):
    monkeypatch.setattr("annotator.export.parquet_table.GROUP_ROWS", 1000)
    peak(corpus, tmp_path / "warm", 10, style)  # imports and compiled statements stay
    # of each the better of two: when Python looks for garbage is chance
    short, long = (
        min(peak(corpus, tmp_path / f"{turn}", limit, style) for turn in range(2))
        for limit in (2000, 8000)
    )
    assert long < 1.3 * short


def test_every_clip_is_written_once(corpus, tmp_path):
    with closing(corpus.ranked(1)) as clips:
        assert export_clips(clips, CONTENTS, "csv", tmp_path / "a.csv").rows == 8000
    lines = (tmp_path / "a.csv").read_text().splitlines()[1:]
    places = {tuple(line.split(",")[:3]) for line in lines}
    assert len(lines) == len(places) == 8000
