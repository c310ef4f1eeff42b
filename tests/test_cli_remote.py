"""A corpus on S3 is annotated, shown, drawn and exported as the same files are here."""

import csv
import io
from pathlib import Path

import pytest

import media_samples
import s3_server
from annotator.labelstudio.excerpts import ExcerptCache, ExcerptRequest
from annotator.media.filesystem import filesystem
from annotator.media.remote import RemotePath
from commands import annotate, rows

CORPUS = "s3://corpora/talks"
OPTIONS = ("--segment", "windows", "--window", "2", "--workers", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, s3) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    for name in ("a.mp4", "sub/b c.mkv"):
        (folder / name).parent.mkdir(exist_ok=True)
        media_samples.video(folder / name, seconds=4)
    (folder / "a.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nI am so happy\n")
    (folder / "broken.mp4").write_bytes(b"no film")
    s3_server.put_tree("corpora", folder, "talks")
    return folder


@pytest.fixture(scope="module")
def here(folder, tmp_path_factory) -> dict[tuple[object, ...], dict[str, list[float | None]]]:
    workspace = tmp_path_factory.mktemp("here") / "w"
    assert annotate("run", folder, "--workspace", workspace, *OPTIONS).code == 1
    return by_name(rows(workspace), str(folder))


@pytest.fixture(scope="module")
def workspace(folder, tmp_path_factory) -> Path:
    workspace = tmp_path_factory.mktemp("there") / "w"
    done = annotate("run", CORPUS, "--workspace", workspace, *OPTIONS, "--json")
    assert (done.code, done.json["failures"]) == (1, 1), done.err
    return workspace


def by_name(found, root: str):
    return {(clip[0].removeprefix(root), *clip[1:]): numbers for clip, numbers in found.items()}


def test_the_rows_are_those_of_the_same_files_here(here, workspace):
    assert by_name(rows(workspace), CORPUS) == here
    assert len(here) == 4
    failures = annotate("list", "--failed", "--workspace", workspace, "--json").json
    assert [failure["path"] for failure in failures] == [f"{CORPUS}/broken.mp4"]


def test_a_second_run_fetches_nothing(workspace):
    done = annotate("run", CORPUS, "--workspace", workspace, *OPTIONS, "--json")
    assert (done.code, done.json["files"]) == (0, 0)
    assert "fetch" not in done.json["stage_seconds"]


def test_cached_features_are_not_fetched_again(workspace):
    done = annotate("run", CORPUS, "--workspace", workspace, *OPTIONS, "--json",
                    "--model", "untrained")  # fmt: skip
    assert done.json["clips"] == 4
    assert "fetch" not in done.json["stage_seconds"]


def test_the_clips_are_shown_by_their_url(workspace):
    clips = annotate("show", f"{CORPUS}/a.mp4", "--workspace", workspace, "--json").json
    assert {clip["path"] for clip in clips} == {f"{CORPUS}/a.mp4"}
    drawn = annotate("show", f"{CORPUS}/sub/b c.mkv", "--plot", "--workspace", workspace)
    assert (drawn.code, "│ sound " in drawn.out) == (0, True), drawn.err


def test_exports_name_the_url_and_imports_find_it(workspace, tmp_path):
    table = annotate("export", "--out", "-", "--format", "csv", "--workspace", workspace).out
    paths = [row["path"] for row in csv.DictReader(io.StringIO(table))]
    assert set(paths) == {f"{CORPUS}/a.mp4", f"{CORPUS}/sub/b c.mkv"}
    answers = tmp_path / "answers.csv"
    answers.write_text(f"path,start,end,happy\n{CORPUS}/a.mp4,0,2,1\n")
    done = annotate("import", "labels", answers, "--annotator", "ann", "--workspace", workspace)
    assert "1 new answer" in done.out + done.err
    done = annotate("export", "--format", "elan", "--out", tmp_path / "e", "--workspace", workspace)
    assert done.code == 0, done.err
    assert f'MEDIA_URL="{CORPUS}/a.mp4"' in (tmp_path / "e" / "a.eaf").read_text()


def test_clips_are_cut_from_one_copy(folder, tmp_path, monkeypatch):
    system, _ = filesystem(CORPUS)
    fetch, fetched = system.get_file, []
    monkeypatch.setattr(
        system,
        "get_file",
        lambda name, *rest, **how: fetched.append(name) or fetch(name, *rest, **how),
    )
    names = ("a.mp4", "a.mp4", "a.mp4", "sub/b c.mkv", "broken.mp4", "a.mp4")
    requests = [
        ExcerptRequest(f"sample-{n}", RemotePath(f"{CORPUS}/{name}"), "hash", 0, 500 + n)
        for n, name in enumerate(names)
    ]
    results = list(ExcerptCache(tmp_path / "excerpts").make(requests))
    assert [one.request for one in results] == requests
    assert [one.made for one in results] == [name != "broken.mp4" for name in names]
    once = ["a.mp4", "sub/b c.mkv", "broken.mp4", "a.mp4"]
    assert fetched == [f"corpora/talks/{name}" for name in once]


def test_the_nodes_of_a_cluster_fetch_for_themselves(here, tmp_path):
    pytest.importorskip("ray")
    done = annotate("run", CORPUS, "--workspace", tmp_path / "w", *OPTIONS, "--engine", "ray")
    assert done.code == 1, done.err
    assert by_name(rows(tmp_path / "w"), CORPUS).keys() == here.keys()


def test_a_server_that_is_away_is_told_in_a_line(tmp_path):
    done = annotate("run", CORPUS, "--workspace", tmp_path / "w",
                    AWS_ENDPOINT_URL="http://127.0.0.1:9")  # fmt: skip
    assert done.code == 3
    assert "cannot list s3://corpora/talks" in done.err
    assert "Traceback" not in done.err
