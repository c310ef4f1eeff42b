"""Several runs share a corpus: each file is done once, and a dead run's files are taken over."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

import media_samples
from commands import annotate, count, kill, rows, start

FILES = 6
OPTIONS = ("--segment", "windows", "--window", "2", "--workers", "1", "--transcripts", "none")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(FILES):
        media_samples.video(folder / f"{number}.mp4", seconds=4 + number)
    return folder


@pytest.fixture(scope="module")
def alone(corpus, tmp_path_factory):
    workspace = tmp_path_factory.mktemp("alone") / "w"
    assert annotate("run", corpus, "--workspace", workspace, *OPTIONS).code == 0
    return rows(workspace)


def test_two_runs_share_the_files(corpus, alone, tmp_path):
    workspace = tmp_path / "w"
    annotate("init", "--workspace", workspace)
    both = [
        start("run", corpus, "--workspace", workspace, *OPTIONS, "--claim", "--json")
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    done = [json.loads(out) for out, _err in said]
    assert sum(summary["files"] for summary in done) == FILES
    assert sum(summary["clips"] for summary in done) == count(workspace, "prediction") == len(alone)
    assert rows(workspace).keys() == alone.keys()
    assert count(workspace, "claim") == 0


def test_a_dead_runs_files_are_taken_over_when_its_lease_ends(corpus, alone, tmp_path):
    workspace = tmp_path / "w"
    claimed = ("run", corpus, "--workspace", workspace, *OPTIONS, "--claim")
    first = start(*claimed, "--lease", "3600")
    while not any((workspace / "features").rglob("*.safetensors")):
        assert first.poll() is None
        time.sleep(0.01)
    kill(first)
    assert count(workspace, "claim") > 0
    assert "claimed" in annotate("status", "--workspace", workspace).out
    second = start(*claimed)
    while b"Waiting for" not in (line := second.stderr.readline()):
        assert line, "it has ended"
    assert count(workspace, "prediction") < len(alone)
    with closing(sqlite3.connect(workspace / "annotate.db")) as raw, raw:
        raw.execute("UPDATE claim SET expires_ms = 0")
    _, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert rows(workspace).keys() == alone.keys()
    assert count(workspace, "claim") == 0


def test_a_lease_without_claims_is_refused(corpus, tmp_path):
    refused = annotate("run", corpus, "--workspace", tmp_path / "w", "--lease", "9")
    assert refused.code == 2
    assert "add --claim" in refused.err


def test_a_run_without_claims_takes_none(corpus, tmp_path):
    workspace = tmp_path / "w"
    first = start("run", corpus, "--workspace", workspace, *OPTIONS)
    while not any((workspace / "features").rglob("*.safetensors")):
        assert first.poll() is None
        time.sleep(0.01)
    assert count(workspace, "claim") == 0
    kill(first)
