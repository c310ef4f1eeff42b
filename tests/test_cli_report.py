"""annotate report, as it is used."""

from pathlib import Path

import pytest

import media_samples
from commands import annotate


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    media_samples.audio(folder / "a.wav", seconds=2.0)
    (folder / "a.txt").write_text("what a day")
    done = annotate("run", folder / "a.wav", "--workspace", folder / "ws")
    assert done.code == 0, done.err
    return folder / "ws"


def test_a_report_is_one_file_and_says_what_it_lacks(workspace, tmp_path):
    out = tmp_path / "made.html"
    done = annotate("report", "--workspace", workspace, "--out", out)
    assert done.code == 0, done.err
    assert done.out.startswith("Report on 1 clips") or "Report on 1 clip written" in done.out
    assert "`annotate pull`" in done.out
    assert list(tmp_path.iterdir()) == [out]
    assert "data:video/mp4" in out.read_text()  # the sound, with its wave form


def test_json_names_the_sections(workspace, tmp_path):
    out = tmp_path / "made.html"
    done = annotate("report", "--workspace", workspace, "--out", out, "--no-media", "--json")
    assert done.json["bytes"] == out.stat().st_size
    assert (done.json["model"], done.json["clips"]) == ("starter", 1)
    missing = {section["id"] for section in done.json["sections"] if section["missing"]}
    assert {"reliability", "people", "learning-curve"} <= missing
    assert not {"corpus", "labels", "uncertainty", "clips", "lineage"} & missing
    assert "data:video" not in out.read_text()


def test_a_report_is_written_over_an_older_one_or_not_at_all(workspace, tmp_path):
    out = tmp_path / "made.html"
    out.write_text("older")
    failed = annotate("report", "--workspace", workspace, "--out", out, "--model", "nobody")
    assert failed.code == 2
    assert out.read_text() == "older"
    assert annotate("report", "--workspace", workspace, "--out", out, "--no-media").code == 0
    assert out.read_text() != "older"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("place", ["nowhere/made.html", "."])
def test_a_place_that_cannot_be_written_is_one_line(workspace, tmp_path, place):
    done = annotate("report", "--workspace", workspace, "--out", tmp_path / place)
    assert done.code == 2
    assert "cannot write" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_random_weights_are_called_noise_on_the_page_too(workspace, tmp_path):
    out = tmp_path / "made.html"
    named = ("--workspace", workspace, "--model", "untrained")
    assert annotate("run", workspace.parent / "a.wav", *named).code == 0
    assert "UNTRAINED" in annotate("report", *named, "--out", out, "--no-media").err
    assert "UNTRAINED" in out.read_text()


def test_a_report_is_no_stream(workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = annotate("report", "--out", "-", "--workspace", workspace)
    assert done.code == 2
    assert "expected its name" in done.err
    assert not (tmp_path / "-").exists()
