"""The manifest of RAVDESS, and the settings beside it."""

from pathlib import Path

import pytest

import ravdess
from annotator.learning.settings import Settings, read_settings


def test_actors_are_never_in_both_splits(tmp_path):
    for actor in range(1, 7):
        folder = tmp_path / f"Actor_{actor:02}"
        folder.mkdir()
        for emotion in ravdess.RAVDESS:
            (folder / f"03-01-{emotion}-01-01-01-{actor:02}.wav").touch()
        (folder / "notes.txt").touch()
    rows = ravdess.rows(tmp_path)
    assert len(rows) == 6 * 8
    splits = {speaker: {row[2] for row in rows if row[1] == speaker} for _, speaker, *_ in rows}
    assert splits["actor 3"] == {"valid"}
    assert all(len(split) == 1 for split in splits.values())
    assert {row[3] for row in rows} == set(ravdess.RAVDESS.values())


def test_a_folder_without_utterances(tmp_path):
    with pytest.raises(SystemExit, match="no utterances in"):
        ravdess.rows(tmp_path)


def test_the_settings_are_settings():
    file = Path(ravdess.__file__).with_suffix(".toml")
    assert read_settings(file, Settings()).train.epochs == 40
