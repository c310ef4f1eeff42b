"""A file a medium: names that lead nowhere else, and nothing beside the media."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.export.contents import Contents
from annotator.export.documents import RENDERERS, export_documents
from annotator.export.names import MAX_BYTES, Names
from export_samples import Facts, clip

CONTENTS = Contents(Facts())
odd = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
paths = st.lists(st.sampled_from(["..", "a", "CON"]) | odd, min_size=1, max_size=3)


def export(folder, *media: str, style: str = "elan", out: str = "out"):
    clips = [clip(0, 1000, media=one, clip_id=n) for n, one in enumerate(media, 1)]
    return export_documents(clips, CONTENTS, style, folder / out)


@given(st.lists(paths.map(lambda parts: Path("/", *parts)), max_size=8))
def test_names_are_unique_and_stay_in_the_folder(media):
    names = Names(".eaf")
    found = [names.take(path) for path in media]
    assert len({name.casefold() for name in found}) == len(found)
    for name in found:
        assert Path(name).name == name
        assert name.isprintable() or all(c.isprintable() or c not in "\n\r\t\0/\\" for c in name)
        assert not name.startswith(".")
        assert len(name.encode()) <= MAX_BYTES + 20
        assert os.path.normpath(Path("/out") / name) == f"/out/{name}"


@pytest.mark.parametrize("style", list(RENDERERS))
def test_a_file_a_medium(tmp_path, style):
    done = export(tmp_path, "/c/a.mp4", "/c/sub/a.wav", "/d/b.mp4", style=style)
    assert (done.rows, done.files) == (3, 3)
    suffix = {"elan": ".eaf", "textgrid": ".TextGrid", "webvtt": ".vtt"}[style]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"a-2{suffix}", f"a{suffix}", f"b{suffix}"]


def test_the_same_again_replaces_the_files(tmp_path):
    export(tmp_path, "/c/a.mp4")
    export(tmp_path, "/c/a.mp4")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.eaf"]


def test_one_file_for_one_medium(tmp_path):
    done = export(tmp_path, "/c/a.mp4", out="mine.EAF")
    assert (done.rows, done.files) == (1, None)
    assert (tmp_path / "mine.EAF").is_file()


def test_one_file_for_several_media_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match="name a folder"):
        export(tmp_path, "/c/a.mp4", "/c/b.mp4", out="mine.eaf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", [".", "sub/../new.eaf"])
def test_nothing_is_written_beside_the_media(tmp_path, out):
    (tmp_path / "sub").mkdir()
    with pytest.raises(UsageError, match="for its transcripts"):
        export(tmp_path, str(tmp_path / "a.mp4"), out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["sub"]


def test_no_clips_and_no_folder(tmp_path):
    with pytest.raises(UsageError, match="no such clips"):
        export(tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="it is a file"):
        export(tmp_path, "/c/a.mp4", out="file")
    with pytest.raises(UsageError, match=r"make .* first"):
        export(tmp_path, "/c/a.mp4", out="no/such")
