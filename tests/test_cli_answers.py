"""Labels from files and exports of them, as a user types it, on what a real run has left."""

import csv
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pympi
import pytest
from click.testing import CliRunner

import cli
import media_samples
from commands import Done, annotate

LABELS = ["happy", "sad", "anger", "surprise", "disgust", "fear"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    """Four clips in two files, annotated."""
    made = tmp_path_factory.mktemp("films")
    (made / "corpus" / "sub").mkdir(parents=True)
    media_samples.audio(made / "corpus" / "a.wav", seconds=4.0)
    media_samples.audio(made / "corpus" / "sub" / "b.wav", seconds=4.0)
    done = annotate("run", made / "corpus", "--segment", "windows", "--window", 2,
                    "--transcripts", "none", "--workspace", made / "ws")  # fmt: skip
    assert done.code == 0, done.err
    return made


@pytest.fixture
def folder(ran, tmp_path) -> Path:
    """The same, of which each test may do with the answers as it likes."""
    shutil.copytree(ran / "ws", tmp_path / "ws")
    return tmp_path


def run(folder: Path, *words: object) -> Done:
    """The command in this process: a test calls it several times."""
    arguments = [str(word) for word in (*words, "--workspace", folder / "ws")]
    done = CliRunner().invoke(cli.main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def bring(folder: Path, text: str, *options: object, name: str = "answers.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return run(folder, "import", "labels", folder / name, "--json", *options)


def number(folder: Path, name: str, start_ms: int) -> int:
    """The clip's number: files are planned in whatever order they are opened."""
    clips = run(folder, "list", "--json").json["clips"]
    (found,) = [
        clip["clip_id"]
        for clip in clips
        if Path(clip["path"]).name == name and clip["start_ms"] == start_ms
    ]
    return int(found)


def answers_of(folder: Path, name: str, start_ms: int) -> dict[str, list[str]]:
    """What each person picked."""
    (shown,) = run(folder, "show", number(folder, name, start_ms), "--json").json
    given = [one["answer"] for one in shown["answers"]]
    return {one["annotator"]: [label["label"] for label in one["labels"]] for one in given}


ANSWERS = """path,start,end,annotator,happy,sad,unusable,comment
a.wav,0,2,ann,1,0,,clear
a.wav,0,2,bob,1,1,,
a.wav,2.04,3.97,ann,0,0,,
sub/b.wav,0,2,bob,,,yes,
sub/b.wav,2,4,,,,,
a.wav,1,2,ann,1,,,
"""


def test_what_fits_is_taken_and_the_rest_told(folder):
    done = bring(folder, ANSWERS)
    assert done.code == 1, done.err
    (file,) = done.json["files"]
    assert file["answers"] == {"new": 4, "changed": 0, "deleted": 0, "known": 0}
    assert file["silent"] == 1
    assert file["ignored"] == []
    (left,) = file["left_out"]
    assert left["place"] == "row 7"
    assert "no clip of 'a.wav' is within 100 ms of 1.000 to 2.000 s" in left["reason"]


def test_a_column_that_is_no_label_is_named(folder):
    done = bring(folder, "clip,joy,happy,tired\n1,1,1,\n", "--annotator", "ann")
    assert done.json["files"][0]["ignored"] == ["joy", "tired"]
    told = run(folder, "import", "labels", folder / "answers.csv", "--annotator", "ann")
    assert "columns that are no label here: joy, tired" in told.err


def test_answers_count_wherever_answers_do(folder):
    bring(folder, ANSWERS)
    (project,) = run(folder, "status", "--json").json["projects"]
    assert project["server"] == "imported"
    assert project["answers"] == {"labelled": 3, "unusable": 1}
    assert "imported: from files, answers: 3 labelled" in run(folder, "status").out
    assert answers_of(folder, "a.wav", 0) == {"ann": ["happy"], "bob": ["happy", "sad"]}
    (agreed,) = run(folder, "agreement", "--json", "--resamples", 0).json["projects"]
    people = agreed["agreement"]["annotators"]
    assert [(one["name"], one["votes"]) for one in people] == [("ann", 2), ("bob", 2)]


def test_twice_is_once_and_a_change_is_a_version(folder):
    bring(folder, ANSWERS)
    again = bring(folder, ANSWERS).json["files"][0]["answers"]
    assert again == {"new": 0, "changed": 0, "deleted": 0, "known": 4}
    changed = ANSWERS.replace("bob,1,1", "bob,0,1")
    done = bring(folder, changed).json["files"][0]["answers"]
    assert done == {"new": 0, "changed": 1, "deleted": 0, "known": 3}
    database = sqlite3.connect(folder / "ws" / "annotate.db")
    rows = database.execute(
        "SELECT current, (SELECT group_concat(label) FROM annotation_label WHERE "
        "annotation_id = annotation.id) FROM annotation WHERE annotator = 'bob' AND clip_id = ?",
        (number(folder, "a.wav", 0),),
    ).fetchall()
    database.close()
    assert sorted(rows) == [(0, "happy,sad"), (1, "sad")]


def export(folder: Path, out: str, *options: object):
    done = run(folder, "export", "--out", folder / out, *options)
    assert done.code == 0, done.err
    return folder / out


def test_tables_tell_both_once_people_have_answered(folder):
    before = export(folder, "before.csv").read_text().splitlines()[0]
    assert "human:happy" not in before
    bring(folder, ANSWERS)
    with export(folder, "a.csv").open(newline="") as file:
        rows = {(Path(row["path"]).name, row["start"]): row for row in csv.DictReader(file)}
    assert len(rows) == 4
    first, unusable, unanswered = rows["a.wav", "0.0"], rows["b.wav", "0.0"], rows["b.wav", "2.0"]
    found = [first[name] for name in ("human:happy", "human:sad", "raters")]
    assert found == ["1.0", "0.5", "2"]
    assert int(first["clip"]) == number(folder, "a.wav", 0)
    assert (unusable["human_state"], unusable["human:happy"]) == ("unusable", "")
    assert unanswered["human_state"] == ""
    assert all(float(row["happy"]) > 0 and row["model"] == "starter" for row in rows.values())
    with export(folder, "m.csv", "--labels", "model").open() as file:
        assert file.readline().rstrip("\r\n") == before


def test_parquet_says_what_json_lines_say(folder):
    bring(folder, ANSWERS)
    lines = export(folder, "a.jsonl").read_text().splitlines()
    table = pq.read_table(export(folder, "a.parquet"))
    assert table.to_pylist() == [json.loads(line) for line in lines]
    assert table.schema.metadata[b"annotate.model"] == b"starter"
    assert table.schema.field("happy").type == "double"
    assert table.schema.field("clip").type == "int64"


def test_so_many_human_labels_are_so_many_of_the_answered_clips(folder):
    _, *others = [clip["clip_id"] for clip in run(folder, "list", "--json").json["clips"]]
    bring(folder, "clip,happy\n" + "".join(f"{clip},1\n" for clip in others), "--annotator", "ann")
    for top in (1, len(others), len(others) + 5):
        table = pq.read_table(
            export(folder, f"{top}.parquet", "--labels", "human", "--uncertain-top", top)
        )
        assert table.num_rows == min(top, len(others)), "the least certain clip has no answer"


def test_a_selection_of_human_labels_is_refused(folder):
    bring(folder, ANSWERS)
    done = run(folder, "export", "--out", folder / "a.csv", "--labels", "human",
               "--uncertain-top", 2, "--select", "kcenter")  # fmt: skip
    assert done.code == 2
    assert "a selection leaves out what people have answered" in done.err


def test_human_labels_alone_are_of_clips_that_people_answered(folder):
    bring(folder, ANSWERS)
    table = pq.read_table(export(folder, "h.parquet", "--labels", "human", "--hard"))
    places = [(Path(row["path"]).name, row["start"]) for row in table.to_pylist()]
    assert places == [("a.wav", 0.0), ("a.wav", 2.0), ("b.wav", 0.0)]
    assert table["human:happy"].to_pylist() == [1, 0, None]
    assert table["human:sad"].to_pylist() == [None, 0, None]
    assert "happy" not in table.column_names
    assert table["human_open"].to_pylist() == ["tied on sad", None, None]


def test_hard_answers_of_the_model_are_by_its_thresholds(folder):
    rows = pq.read_table(export(folder, "hard.parquet", "--hard")).to_pylist()
    assert {row[label] for row in rows for label in LABELS} <= {0, 1}
    soft = {row["clip"]: row for row in pq.read_table(export(folder, "s.parquet")).to_pylist()}
    for label in LABELS:
        yes = [soft[row["clip"]][label] for row in rows if row[label]]
        no = [soft[row["clip"]][label] for row in rows if not row[label]]
        assert not yes or not no or min(yes) > max(no)


@pytest.mark.parametrize("style", ["csv", "jsonl"])
def test_an_export_of_people_comes_in_again(folder, style):
    bring(folder, ANSWERS.replace("a.wav,0,2,bob,1,1,,\n", ""))
    out = export(folder, f"h.{style}", "--labels", "human")
    options = ("--annotator", "cid", "--project", "again")
    done = run(folder, "import", "labels", out, "--json", *options)
    assert done.code == 0, done.err
    assert done.json["files"][0]["answers"]["new"] == 3
    assert answers_of(folder, "a.wav", 0)["cid"] == ["happy"]


def test_a_models_answers_are_not_taken_for_peoples(folder):
    out = export(folder, "m.csv", "--labels", "model")
    done = run(folder, "import", "labels", out, "--annotator", "ann")
    assert done.code == 2
    assert "a model's answers" in done.err


def test_elan_goes_out_and_comes_in(folder):
    bring(folder, ANSWERS.replace("a.wav,0,2,bob,1,1,,\n", ""))
    out = export(folder, "elan", "--format", "elan", "--hard")
    eaf = pympi.Elan.Eaf(str(out / "a.eaf"))
    assert eaf.get_annotation_data_for_tier("human:happy") == [(0, 2000, "happy")]
    assert {f"model:{label}" for label in LABELS} <= set(eaf.get_tier_names())
    done = run(folder, "import", "labels", out / "a.eaf", "--annotator", "dan", "--json")
    assert done.code == 0, done.err
    assert done.json["files"][0]["answers"]["new"] == 1
    again = run(folder, "import", "labels", out / "a.eaf", "--annotator", "dan", "--json")
    assert again.json["files"][0]["answers"]["known"] == 1


@pytest.mark.parametrize(("style", "suffix"), [("textgrid", ".TextGrid"), ("webvtt", ".vtt")])
def test_a_file_a_medium(folder, style, suffix):
    out = export(folder, "lines", "--format", style)
    assert sorted(path.name for path in out.iterdir()) == [f"a{suffix}", f"b{suffix}"]
    top = export(folder, f"one{suffix}", "--uncertain-top", 1)
    assert top.is_file()


def test_hugging_face_reads_the_folder_and_so_do_we(folder, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(folder / "hf"))
    import datasets

    from annotator.datasets.open import open_dataset

    bring(folder, ANSWERS)
    out = export(folder, "data", "--format", "hugging-face")
    read = datasets.load_dataset(str(out), cache_dir=str(folder / "cache"))
    rows = [row for split in read.values() for row in split]
    assert {row["id"].rpartition("/")[2] for row in rows} == {"a.wav[0-2000]", "a.wav[2000-4000]"}
    by_id = {row["id"].rpartition("/")[2]: row for row in rows}
    first = by_id["a.wav[0-2000]"]
    assert (first["label:happy"], first["label:sad"], first["raters"]) == (1.0, 0.5, 2)
    assert 0 < first["model:happy"] < 1
    assert np.array(first["audio"]).ndim == 2
    ours = open_dataset(out)
    assert ours.labels == tuple(LABELS)
    assert ours.extractors["audio"] == "whisper@1"
    again = export(folder, "data", "--format", "hugging-face")
    assert sorted(path.name for path in again.iterdir()) == ["train.parquet"]
    (out / "mine.txt").write_text("mine")
    refused = run(folder, "export", "--format", "hugging-face", "--out", out)
    assert refused.code == 2
    assert "'mine.txt'" in refused.err
    assert (out / "train.parquet").is_file()


def test_arrays_are_padded_and_know_their_lengths(folder):
    bring(folder, ANSWERS)
    with np.load(export(folder, "a.npz"), allow_pickle=False) as arrays:
        assert arrays["label_names"].tolist() == LABELS
        labels = dict(zip(arrays["train/id"], arrays["train/labels"], strict=True))
        assert len(labels) == 2
        assert next(v for k, v in labels.items() if "[0-2000]" in k).tolist()[:2] == [1.0, 0.5]
        audio, lengths = arrays["train/audio"], arrays["train/audio_lengths"]
        assert audio.shape[:2] == (2, lengths.max())
        assert audio.dtype == np.float16
        assert arrays["train/predictions"].shape == (2, 6)
        assert arrays["train/raters"].tolist() in ([2, 1], [1, 2])
        assert "audio=whisper@1" in arrays["extractors"].tolist()
        assert json.loads(str(arrays["about"]))["annotate.model"] == "starter"


def test_model_labels_to_train_on_need_nobody(folder):
    with np.load(export(folder, "m.npz", "--labels", "model"), allow_pickle=False) as arrays:
        count = sum(len(arrays[key]) for key in arrays if key.endswith("/id"))
        assert count == 4
        assert not any(key.endswith("predictions") for key in arrays)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--out", "a.csv", "--labels", "human"), "nobody has answered yet"),
        (("--out", "a.npz", "--labels", "human"), "nobody has answered yet"),
        (("--out", "-", "--format", "parquet"), "cannot be printed"),
        (("--out", "a.eaf"), "name a folder"),
        (("--hard",), "of files, not of label-studio"),
        (("--out", "no/a.parquet"), "there is no folder"),
    ],
)
def test_wrong_use_of_export_is_one_line(folder, options, words):
    done = run(folder, "export", *options)
    assert done.code == 2
    assert words in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("text", "name", "options", "words"),
    [
        ("x", "a.txt", (), "expected .csv, .jsonl, .ndjson, .eaf"),
        ("<a/>", "a.eaf", (), "not an ELAN annotation document"),
        ("clip,happy\n1,1\n", "a.csv", ("--annotator", " "), "--annotator needs a name"),
        ("clip,happy\n1,1\n", "a.csv", ("--project", " "), "--project needs a title"),
    ],
)
def test_wrong_use_of_import_is_one_line(folder, text, name, options, words):
    done = bring(folder, text, *options, name=name)
    assert done.code == 2
    assert words in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_a_project_keeps_its_labels(folder):
    bring(folder, "clip,joy\n1,1\n", "--labels", "joy,sorrow", "--annotator", "ann")
    done = bring(folder, "clip,joy\n1,1\n", "--labels", "joy", "--annotator", "ann")
    assert done.code == 2
    assert "has the labels joy, sorrow" in done.err
    found = bring(folder, "clip,sorrow\n2,1\n", "--annotator", "ann").json["files"][0]
    assert found["answers"]["new"] == 1
    table = pq.read_table(export(folder, "a.parquet", "--labels", "human"))
    assert sorted(table["human:joy"].to_pylist()) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [("happy, happy", "a name twice"), ("happy,", "an empty name"), (" ", "an empty name")],
)
def test_labels_that_will_not_do_are_refused_before_anything_is_written(folder, labels, reason):
    (folder / "answers.csv").write_text("path,start,end,labels\nsub/b.wav,0,2,happy\n")
    asked = ["--project", "new", "--annotator", "ann", "--labels", labels]
    done = run(folder, "import", "labels", folder / "answers.csv", *asked)
    assert done.code == 2
    assert reason in done.err
    assert run(folder, "agreement", "--project", "new").code == 2, "there is no such project"
