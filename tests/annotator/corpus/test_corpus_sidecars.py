"""Which files beside a media file are its sidecars."""

import os
from pathlib import Path

import pytest

from annotator.corpus.sidecars import SidecarFinder, Sidecars, find_sidecars


def beside(folder: Path, *names: str) -> Sidecars:
    for name in names:
        (folder / name).touch()
    return find_sidecars(folder / "talk.mp4")


@pytest.mark.parametrize(
    "name",
    ["talk.srt", "talk.VTT", "talk.mp4.srt", "talk.en.srt", "talk.pt-BR.vtt", "talk.mp4.de.srt"],
)
def test_subtitle_names(tmp_path, name):
    assert beside(tmp_path, name) == Sidecars(subtitles=tmp_path / name)


@pytest.mark.parametrize(
    "name",
    ["talk2.srt", "Talk.srt", "talk.part2.srt", "talk.en.txt", "talk.json", ".talk.srt", "talk"],
)
def test_names_of_others(tmp_path, name):
    assert beside(tmp_path, name) == Sidecars()


def test_each_kind_is_found(tmp_path):
    found = beside(tmp_path, "talk.srt", "talk.Eaf", "talk.TXT")
    assert found == Sidecars(tmp_path / "talk.srt", tmp_path / "talk.Eaf", tmp_path / "talk.TXT")


def test_the_order_of_preference(tmp_path):
    order = ["talk.srt", "talk.vtt", "talk.en.srt", "talk.de.srt", "talk.fr.srt", "talk.mp4.srt"]
    for name in reversed(order):
        assert beside(tmp_path, name).subtitles == tmp_path / name


def test_folders_and_broken_links_are_no_sidecars(tmp_path):
    (tmp_path / "talk.srt").mkdir()
    (tmp_path / "talk.txt").symlink_to("nowhere")
    assert beside(tmp_path) == Sidecars()


def test_a_folder_that_is_not_there_has_none(tmp_path):
    assert find_sidecars(tmp_path / "gone" / "talk.mp4") == Sidecars()


def test_the_finder_lists_each_folder_once(tmp_path, monkeypatch):
    for number in range(100):
        (tmp_path / f"{number}.srt").touch()
    listed = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or real(path))
    find = SidecarFinder()
    for number in range(100):
        assert find(tmp_path / f"{number}.mp4").subtitles == tmp_path / f"{number}.srt"
    assert listed == [tmp_path]


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"\xff.srt")
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system refuses the name")
    assert find_sidecars(tmp_path / os.fsdecode(b"\xff.mp4")).subtitles == tmp_path / name
