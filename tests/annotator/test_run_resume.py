"""A run may be killed or interrupted at any moment; the next one ends with the same rows."""

import signal
import time
from pathlib import Path

import pytest

import media_samples
from annotator.registry import STARTER
from commands import annotate, count, kill, rows, start

pytestmark = pytest.mark.slow

TOLERANCE = 1e-5  # sums of other batches' float32; the stored features themselves are the same


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Several files, one of them with many clips, so that a kill falls inside a file too."""
    folder = tmp_path_factory.mktemp("corpus")
    media_samples.video(folder / "long.mp4", seconds=40)
    for number in range(4):
        media_samples.video(folder / f"short{number}.mp4", seconds=1 + number)
    media_samples.video(folder / "mute.webm", seconds=2, sound=None)
    (folder / "broken.mp4").write_bytes(b"no media at all")
    return folder


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory):
    workspace = tmp_path_factory.mktemp("undisturbed") / "w"
    assert _run(corpus, workspace).code == 1, "broken.mp4 fails, and only that"
    return rows(workspace)


def _run(corpus: Path, workspace: Path):
    return annotate("run", corpus, "--workspace", workspace, *OPTIONS)


OPTIONS = ("--segment", "windows", "--window", "2", "--workers", "2", "--json")


def _same(found, expected) -> None:
    assert found.keys() == expected.keys()
    for clip, labels in expected.items():
        assert found[clip].keys() == labels.keys()
        for label, numbers in labels.items():
            assert found[clip][label] == pytest.approx(numbers, abs=TOLERANCE), (clip, label)


@pytest.mark.parametrize("moment", ["at the start", "planned", "first", "half"])
def test_a_killed_run_goes_on_to_the_same_rows(corpus, undisturbed, tmp_path, moment):
    workspace = tmp_path / "w"
    process = start("run", corpus, "--workspace", workspace, *OPTIONS)
    reached = {
        "at the start": (workspace / "annotate.db").exists,
        "planned": lambda: count(workspace, "clip") > 0,
        "first": lambda: any((workspace / "features").rglob("*.safetensors")),
        "half": lambda: len(list((workspace / "features").rglob("*.safetensors"))) > 12,
    }[moment]
    deadline = time.monotonic() + 60
    while not reached() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    kill(process)
    assert _run(corpus, workspace).code in (0, 1)  # the broken file may have failed before the kill
    _same(rows(workspace), undisturbed)


def test_ctrl_c_finishes_the_clips_in_flight_and_says_how_to_go_on(corpus, undisturbed, tmp_path):
    workspace = tmp_path / "w"
    process = start("run", corpus, "--workspace", workspace, *OPTIONS[:-1])
    while not any((workspace / "features").rglob("*.safetensors")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"goes on from here" in out
    assert b"Traceback" not in err
    done = count(workspace, "prediction")
    assert 0 < done < len(undisturbed)
    assert annotate("run", corpus, "--workspace", workspace, *OPTIONS).json["clips"] > 0
    _same(rows(workspace), undisturbed)


def test_a_second_run_does_no_work(corpus, tmp_path):
    workspace = tmp_path / "w"
    first = _run(corpus, workspace)
    before = rows(workspace)
    again = _run(corpus, workspace)
    assert first.json["clips"] > 20
    assert (again.code, again.json["clips"], again.json["files"]) == (0, 0, 0)
    assert "model" not in again.json["stage_seconds"]
    assert rows(workspace) == before


def test_two_runs_at_once_are_safe(corpus, undisturbed, tmp_path):
    workspace = tmp_path / "w"
    annotate("init", "--workspace", workspace)
    both = [start("run", corpus, "--workspace", workspace, *OPTIONS) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode in (0, 1), err
        assert b"Traceback" not in err
    _same(rows(workspace), undisturbed)


def test_another_model_decodes_nothing(corpus, tmp_path, monkeypatch):
    workspace = tmp_path / "w"
    _run(corpus, workspace)
    clone = workspace / "models" / "clone"
    clone.mkdir()
    for file in (workspace / "models" / STARTER).iterdir():
        (clone / file.name).write_bytes(file.read_bytes())
    second = annotate("run", corpus, "--workspace", workspace, "--model", "clone", *OPTIONS)
    assert second.json["clips"] > 20
    assert "decode" not in second.json["stage_seconds"]
    assert count(workspace, "prediction") == 2 * second.json["clips"]


def test_a_damaged_cache_file_is_made_again(corpus, undisturbed, tmp_path):
    workspace = tmp_path / "w"
    _run(corpus, workspace)
    files = sorted((workspace / "features").rglob("*.safetensors"))
    assert files
    for number, file in enumerate(files):
        file.write_bytes(file.read_bytes()[: 50 * number])
    (workspace / "annotate.db").unlink()
    assert _run(corpus, workspace).code == 1
    _same(rows(workspace), undisturbed)


def test_other_transcripts_are_answered_anew(corpus, tmp_path):
    """What the database says depends on the last command, not on those before it."""
    workspace, fresh = tmp_path / "w", tmp_path / "fresh"
    _run(corpus, workspace)
    changed = annotate("run", corpus, "--workspace", workspace, "--transcripts", "none", *OPTIONS)
    assert changed.json["clips"] > 20
    annotate("run", corpus, "--workspace", fresh, "--transcripts", "none", *OPTIONS)
    _same(rows(workspace), rows(fresh))
