"""A long export takes no more memory than a short one."""

import tracemalloc
from contextlib import closing

import pytest

import store as benchmark
from annotator.export.export import export_clips
from annotator.store.engine import open_store


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


def peak(store, out, limit: int) -> int:
    """Bytes that an export of so many clips takes at its worst moment."""
    tracemalloc.start()
    try:
        with closing(store.ranked(1, limit=limit)) as clips:
            assert export_clips(clips, benchmark.Facts(), "csv", out) == limit
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_bounded(corpus, tmp_path):
    peak(corpus, tmp_path / "warm.csv", 10)  # imports and compiled statements stay
    assert peak(corpus, tmp_path / "a.csv", 8000) < 1.3 * peak(corpus, tmp_path / "b.csv", 2000)


def test_every_clip_is_written_once(corpus, tmp_path):
    with closing(corpus.ranked(1)) as clips:
        assert export_clips(clips, benchmark.Facts(), "csv", tmp_path / "a.csv") == 8000
    lines = (tmp_path / "a.csv").read_text().splitlines()[1:]
    places = {tuple(line.split(",")[:3]) for line in lines}
    assert len(lines) == len(places) == 8000
