"""Which clip is meant: paths from elsewhere, and bounds that tools have rounded."""

from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.imports.clips import Clips
from annotator.imports.stated import Stated

BOUNDS = {(0, 2000): 1, (2000, 4000): 2, (2000, 4100): 3}
MEDIA = MappingProxyType(
    {
        Path("/c/a.mp4"): BOUNDS,
        Path("/c/x/b.mp4"): {(0, 500): 4},
        Path("/c/y/b.mp4"): {(0, 500): 5},
        Path("/c/caf\udce9.mp4"): {(0, 500): 6},
    }
)


class Stored:
    """What the store knows, without a database."""

    def opened_media(self):
        return dict.fromkeys(MEDIA)

    def bounds(self, path):
        return MEDIA[path]

    def has_clip(self, clip_id):
        return clip_id <= 6


def find(*media: str, start=None, end=None, clip=None, folder="/labels", tolerance=100) -> int:
    stated = Stated("row 2", clip=clip, media=media, start_ms=start, end_ms=end)
    return Clips(Stored(), tolerance).find(stated, Path(folder))


@pytest.mark.parametrize(
    ("media", "folder", "clip"),
    [
        ("/c/x/b.mp4", "/labels", 4),
        ("y/b.mp4", "/c", 5),
        ("../c/x/b.mp4", "/labels", 4),
        ("x/b.mp4", "/labels", 4),
        ("C:\\films\\y\\b.mp4", "/labels", None),
        ("caf\\udce9.mp4", "/c", 6),
        ("/home/bob/caf\udce9.mp4", "/labels", 6),
    ],
)
def test_paths(media, folder, clip):
    if clip is None:
        with pytest.raises(ValueError, match=r"2 files of the workspace are called 'b.mp4'"):
            find(media, folder=folder)
    else:
        assert find(media, folder=folder) == clip


def test_a_stem_will_do():
    assert find("/elsewhere/a.avi", "a", start=0, end=2000) == 1


@given(st.integers(-100, 100), st.integers(-100, 100))
def test_within_the_tolerance(start, end):
    assert find("/c/a.mp4", start=max(0, start), end=2000 + end) == 1


@pytest.mark.parametrize(
    ("start", "end", "clip"), [(2000, 4040, 2), (2000, 4060, 3), (None, 2000, 1)]
)
def test_the_nearest_is_meant(start, end, clip):
    assert find("/c/a.mp4", start=start, end=end) == clip


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"start": 101, "end": 2000}, r"within 100 ms of 0\.101 to 2\.000 s"),
        ({"start": 2000, "end": 4050}, "two clips"),
        ({"start": 2000}, "two clips"),
        ({}, "has 3 clips: start and end are missing"),
    ],
)
def test_bounds_that_fit_none_or_two(given, words):
    with pytest.raises(ValueError, match=words):
        find("/c/a.mp4", **given)


def test_numbers():
    assert find(clip=3) == 3
    with pytest.raises(ValueError, match="no clip 7 in this workspace"):
        find(clip=7)
    with pytest.raises(ValueError, match="neither a clip nor a path"):
        find()
    with pytest.raises(ValueError, match=r"no file 'none.mp4' in this workspace"):
        find("none.mp4")


def test_the_only_clip_of_a_file_needs_no_bounds():
    assert find("/c/x/b.mp4") == 4


@given(st.text(max_size=20))
def test_any_name_is_found_or_refused(name):
    try:
        assert find(name, start=0, end=500) in range(1, 7)
    except ValueError as error:
        assert str(error)
