"""annotate export, on what a real run has left."""

import csv
import io
import json
import os
import subprocess
from pathlib import Path

import pytest

import media_samples
from annotator.acquisition.named import SCORES
from annotator.commands.options import SCORE_NAMES, STORED_SCORES
from annotator.store.records import SCORES as STORED
from commands import COMMAND, annotate

NAME = os.fsdecode(b"caf\xe9, two.wav")
TEXT = '=1+1 "quoted", and more'


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A folder with three annotated clips, and its workspace."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in ("a.wav", "b.wav", NAME):
        media_samples.audio(folder / "made.wav", seconds=1.0).rename(folder / name)
    (folder / "a.txt").write_text(TEXT)
    (folder / "manifest.csv").write_text("path,start,end,speaker,split\nb.wav,0.25,0.75,ann,val\n")
    for what in ("a.wav", "manifest.csv", NAME):
        done = annotate("run", folder / what, "--transcripts", "sidecar", "--segment", "auto",
                        "--workspace", folder / "ws")  # fmt: skip
        assert done.code == 0, done.err
    return folder


def export(corpus: Path, *options: object):
    return annotate("export", "--workspace", corpus / "ws", *options)


def listed(corpus: Path, *options: object):
    return annotate("list", "--json", "--workspace", corpus / "ws", *options).json["clips"]


def test_numbers_of_random_weights_are_called_noise(corpus, tmp_path):
    named = ("--model", "untrained", "--workspace", tmp_path / "ws")
    assert "UNTRAINED" in annotate("run", corpus / "a.wav", *named).err
    done = annotate("export", *named, "--out", tmp_path / "a.csv", "--json")
    assert "UNTRAINED" in done.err
    assert done.json["trained"] is False


def test_csv_says_what_list_says(corpus, tmp_path):
    done = export(corpus, "--out", tmp_path / "a.csv", "--json")
    assert done.code == 0
    assert done.json == {
        "rows": 3,
        "out": str(tmp_path / "a.csv"),
        "model": "starter",
        "trained": True,
    }
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    clips = listed(corpus)
    assert len(rows) == len(clips) == 3
    for row, clip in zip(rows, clips, strict=True):
        assert row["path"].encode() == clip["path"].encode("utf-8", "backslashreplace")
        assert float(row["start"]) == clip["start_ms"] / 1000
        assert float(row["end"]) == clip["end_ms"] / 1000
        for label in clip["scores"]["labels"]:
            assert float(row[label["label"]]) == label["p"]
        for score in ("variance", "entropy", "margin"):
            assert float(row[score]) == clip["scores"][score]
        assert row["bald"] == ""
        assert row["transcript"] == (clip["text"] or "")
        assert row["tool_version"] == clip["tool_version"]
        assert (row["model"], row["trained"]) == ("starter", "true")
        assert row["audio_extractor"] == "whisper@1"
        assert len(row["weights_sha256"]) == 64
    (of_manifest,) = [row for row in rows if row["speaker"]]
    found = [of_manifest[name] for name in ("start", "end", "speaker", "split")]
    assert found == ["0.25", "0.75", "ann", "val"]
    assert TEXT in {row["transcript"] for row in rows}
    assert any(row["path"].endswith(r"caf\udce9, two.wav") for row in rows)


def test_json_lines_keep_every_byte_of_a_name(corpus):
    done = export(corpus, "--out", "-", "--format", "jsonl")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert {row["path"] for row in rows} == {clip["path"] for clip in listed(corpus)}
    assert str(corpus / NAME) in {row["path"] for row in rows}
    assert all(row["bald"] is None and row["trained"] is True for row in rows)


@pytest.mark.parametrize(
    "options",
    [
        ("--uncertain-top", 1),
        ("--by", "entropy"),
        ("--by", "margin", "--uncertain-top", 2),
        ("--label", "sad"),
        ("--split", "val"),
    ],
)
def test_the_clips_and_their_order_are_those_of_list(corpus, options):
    done = export(corpus, "--out", "-", *options)
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    expected = [(clip["start_ms"] / 1000, clip["text"] or "") for clip in listed(corpus, *options)]
    assert [(float(row["start"]), row["transcript"]) for row in rows] == expected


def test_a_score_that_no_clip_has_is_refused_and_the_older_file_stays(corpus, tmp_path):
    out = tmp_path / "mine.csv"
    out.write_text("mine")
    done = export(corpus, "--out", out, "--by", "bald")
    assert (done.code, out.read_text()) == (2, "mine")
    assert "`annotate run --mc-dropout 20` gives it" in done.err


def test_standard_output_holds_rows_and_nothing_else(corpus):
    lines = export(corpus, "--out", "-", "--split", "test").out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("path,start,end,happy,sad,anger,surprise,disgust,fear,variance,")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--out", "-", "--json"), "name a file with --out"),
        (("--out", "no/such/a.csv"), "there is no folder"),
        (("--out", "."), "it is no file"),
        (("--out", "a.csv", "--label", "nosuch"), "has no label 'nosuch'"),
        (("--out", "a.csv", "--model", "nosuch"), "no model 'nosuch'"),
        (("--out", "a.xlsx", "--format", "xlsx"), "'xlsx'"),
        (("--format", "csv"), "--out"),
        ((), "--uncertain-top"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_no_file(corpus, options, words, tmp_path):
    done = export(corpus, *options)
    assert done.code == 2
    assert words in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_behind_standard_output_is_one_line(corpus):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, "export", "--workspace", corpus / "ws", "--out", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 3
    assert b"cannot write to standard output (No space left on device)" in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_names_of_scores_are_those_of_the_registry():
    assert set(SCORE_NAMES) == set(SCORES)
    assert STORED_SCORES == STORED


@pytest.mark.parametrize("by", ["random", "least-confidence", "disagreement", "cardinality"])
def test_clips_come_by_scores_that_are_made_when_asked_for(corpus, by):
    clips = listed(corpus, "--by", by)
    scores = [clip["score"] for clip in clips]
    assert len(clips) == 3
    assert scores == sorted(scores, reverse=True)
    done = export(corpus, "--out", "-", "--by", by, "--uncertain-top", 2)
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert [row["path"].encode() for row in rows] == [
        clip["path"].encode("utf-8", "backslashreplace") for clip in clips[:2]
    ]


@pytest.mark.parametrize("select", ["top", "power", "kcenter", "kmeans"])
def test_a_selection_is_made_by_name_and_repeats_itself(corpus, select):
    options = ("--out", "-", "--format", "jsonl", "--uncertain-top", 2, "--select", select,
               "--audit", 0.5, "--seed", 3)  # fmt: skip
    first, second = export(corpus, *options), export(corpus, *options)
    assert first.code == 0, first.err
    assert len(first.out.splitlines()) == 2
    assert first.out == second.out


def test_a_short_selection_says_why(corpus):
    options = ("--out", "-", "--uncertain-top", 5, "--per-video", 1, "--audit", 0)
    done = export(corpus, *options)
    assert len(done.out.splitlines()) == 1 + 1  # all files have one content
    assert "note: the pool has 2 candidates" in done.err
    assert "note: 1 of the other candidates are over the 1 a video" in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--select", "kcenter"), "say how many clips"),
        (("--uncertain-top", 2, "--balance", "--label", "sad"), "--label ranks by one label"),
        (("--by", "random", "--label", "sad"), "--label ranks by one label"),
        (("--by", "luck"), "'luck'"),
        (("--uncertain-top", 2, "--audit", 1.5), "1.5"),
        (("--uncertain-top", 2, "--near", 0), "--near"),
        (("--uncertain-top", 2, "--by", "bald", "--balance"), "--mc-dropout"),
        (("--by", "ensemble"), "two trained model versions"),
    ],
)
def test_selections_that_cannot_be_are_refused(corpus, options, words, tmp_path):
    done = export(corpus, "--out", tmp_path / "a.csv", *options)
    assert done.code == 2
    assert words in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("style", ["csv", "elan", "webvtt", "textgrid", "arrays"])
def test_no_format_passes_a_selection_over(corpus, style, tmp_path):
    done = export(corpus, "--out", tmp_path / "a", "--format", style, "--select", "top")
    assert done.code == 2
    assert "say how many clips" in done.err
    assert list(tmp_path.iterdir()) == []
