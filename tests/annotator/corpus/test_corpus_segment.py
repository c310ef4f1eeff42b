"""Cutting: cover, order, bounds and no overlap, for any regions and cues."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.corpus.cues import Cue
from annotator.corpus.manifest import ManifestEntry
from annotator.corpus.segment import MIN_MS, from_manifest, from_sidecar, whole_file, windows
from annotator.corpus.speech import MAX_MS, from_speech, merge_spans

SPANS = st.lists(st.tuples(st.integers(-500, 120_000), st.integers(-500, 120_000)), max_size=25)
DURATIONS = st.integers(1, 100_000)


def bounds(segments) -> list[tuple[int, int]]:
    return [(segment.start_ms, segment.end_ms) for segment in segments]


def covered(outer: list[tuple[int, int]], inner: tuple[int, int]) -> bool:
    """Whether the union of `outer` (sorted, apart or touching) holds `inner`."""
    return merge_spans([*outer, inner], 10**9) == merge_spans(outer, 10**9)


@given(DURATIONS, st.integers(1, 20_000))
def test_windows_tile_the_file(duration, length):
    spans = bounds(windows(duration, length)) if duration / length < 1000 else [(0, duration)]
    assert spans[0][0] == 0
    assert spans[-1][1] == duration
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    if len(spans) > 1:
        assert all(end - start == length for start, end in spans[:-1])
        assert min(MIN_MS, length) <= spans[-1][1] - spans[-1][0] < length + MIN_MS


@pytest.mark.parametrize(
    ("duration", "length", "expected"),
    [
        (10, 10_000, [(0, 10)]),
        (10_000, 10_000, [(0, 10_000)]),
        (10_999, 10_000, [(0, 10_999)]),
        (11_000, 10_000, [(0, 10_000), (10_000, 11_000)]),
        (1000, 500, [(0, 500), (500, 1000)]),
        (1100, 500, [(0, 500), (500, 1100)]),
    ],
)
def test_windows_by_example(duration, length, expected):
    assert bounds(windows(duration, length)) == expected


def test_a_window_of_no_length_is_refused():
    with pytest.raises(ValueError, match="longer than 0"):
        windows(1000, 0)


def test_the_whole_file():
    assert bounds(whole_file(10)) == [(0, 10)]
    assert whole_file(10)[0].origin == "file"


@given(SPANS, DURATIONS)
def test_merged_spans_are_sorted_apart_inside_and_merging_them_again_changes_nothing(
    spans, duration
):
    merged = merge_spans(spans, duration)
    assert all(0 <= start < end <= duration for start, end in merged)
    assert all(before[1] < after[0] for before, after in pairwise(merged))
    assert merge_spans(merged, duration) == merged


@given(SPANS, DURATIONS)
def test_speech_clips_hold(spans, duration):
    clips = bounds(from_speech(spans, duration))
    assert all(0 <= start < end <= duration for start, end in clips)
    assert all(before[1] <= after[0] for before, after in pairwise(clips))
    assert all(covered(clips, span) for span in merge_spans(spans, duration))
    assert all(end - start <= MAX_MS for start, end in clips)
    assert all(end - start >= MIN_MS for start, end in clips[1:-1])
    assert bool(clips) == bool(merge_spans(spans, duration))


@given(SPANS, DURATIONS, st.randoms())
def test_the_order_and_repetition_of_regions_do_not_matter(spans, duration, random):
    shuffled = spans * 2
    random.shuffle(shuffled)
    assert from_speech(shuffled, duration) == from_speech(spans, duration)


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ([(5000, 7000), (7299, 9000)], [(4900, 9100)]),  # a pause under 0.3 s is bridged
        ([(5000, 7000), (7300, 9000)], [(4900, 7100), (7200, 9100)]),
        ([(5000, 7000), (7500, 7800)], [(4900, 7900)]),  # a short one joins its neighbour
        ([(5000, 7000), (8000, 8400)], [(4900, 7100), (7700, 8700)]),  # or is widened
        ([(5000, 7000), (7400, 7700), (8000, 11000)], [(4900, 7100), (7300, 11_100)]),
        ([(0, 10)], [(0, 1000)]),
        ([(59_990, 60_000)], [(59_000, 60_000)]),
        ([(10_000, 20_000), (20_200, 30_000)], [(9900, 20_100), (20_100, 30_100)]),
        (
            [(0, 30_000)],
            [(0, 10_000), (10_000, 20_000), (20_000, 30_200)],
        ),  # evenly
    ],
)
def test_speech_by_example(regions, expected):
    assert bounds(from_speech(regions, 60_000)) == expected


def test_a_long_turn_is_split_at_its_largest_pause_that_leaves_no_crumb():
    regions = [(0, 500), (790, 6000), (6200, 9000), (9100, 17_000)]
    assert bounds(from_speech(regions, 20_000)) == [(0, 6100), (6100, 17_100)]


def test_very_short_files_give_one_clip():
    assert bounds(from_speech([(0, 10)], 10)) == [(0, 10)]


def test_limits_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="max_ms"):
        from_speech([], 1000, max_ms=1500)


def test_cues_become_clips_clamped_dropped_and_joined():
    cut = from_sidecar(
        [
            Cue(0, 400, "a", "Ann"),
            Cue(200, 900, "over"),
            Cue(800, 2000, "end", "Ann"),
            Cue(800, 1500, "same end", "Bob"),
            Cue(1000, 1200, "past"),
        ],
        1000,
        "eaf",
    )
    assert bounds(cut.segments) == [(0, 400), (200, 900), (800, 1000)]
    assert cut.dropped == 1
    first, _, last = cut.segments
    assert (first.text, first.text_origin, first.speaker, first.origin) == (
        "a",
        "sidecar",
        "Ann",
        "eaf",
    )
    assert (last.text, last.speaker) == ("end same end", None)


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 2000)), max_size=10),
    st.integers(1, 2000),
)
def test_cue_clips_lie_in_the_file_once_each(spans, duration):
    cues = [Cue(start, start + length, "x") for start, length in spans]
    clips = bounds(from_sidecar(cues, duration, "sidecar").segments)
    assert all(0 <= start < end <= duration for start, end in clips)
    assert clips == sorted(set(clips))


def test_manifest_rows_become_clips():
    cut = from_manifest(
        [
            ManifestEntry(500, None, "b", "Bob", "test", {"sad": 1.0}),
            ManifestEntry(None, 300),
            ManifestEntry(500, 1200, "double once clamped"),
            ManifestEntry(1000, 1100, "past"),
        ],
        1000,
    )
    assert bounds(cut.segments) == [(0, 300), (500, 1000)]
    assert cut.dropped == 2
    empty, full = cut.segments
    assert (empty.text, empty.text_origin, empty.labels) == (None, None, {})
    assert (full.text, full.text_origin, full.origin) == ("b", "manifest", "manifest")
    assert (full.speaker, full.split, full.labels) == ("Bob", "test", {"sad": 1.0})
