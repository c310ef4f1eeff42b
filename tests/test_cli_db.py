"""A workspace whose database is PostgreSQL, and moving one there and back."""

import stat

import pytest

import media_samples
from annotator.workspace import Workspace
from commands import annotate, rows


@pytest.fixture
def url(postgres) -> str:
    return postgres.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    """A small corpus and the workspace of a run over it."""
    folder = tmp_path_factory.mktemp("corpus")
    media_samples.video(folder / "a.mp4", seconds=4)
    workspace = folder / "w"
    done = annotate(
        "run", folder, "--workspace", workspace, "--segment", "windows", "--window", "2",
        "--transcripts", "none",
    )  # fmt: skip
    assert done.code == 0, done.err
    return folder, workspace


def test_a_run_into_postgresql_is_that_into_sqlite(annotated, url, tmp_path):
    folder, workspace = annotated
    made = annotate("init", "--workspace", tmp_path / "w", "--database", url)
    assert made.code == 0, made.err
    kept = tmp_path / "w" / "database.url"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    options = ("--segment", "windows", "--window", "2", "--transcripts", "none", "--json")
    done = annotate("run", folder, "--workspace", tmp_path / "w", *options)
    assert (done.code, done.json["clips"]) == (0, 2), done.err
    there = annotate("list", "--workspace", tmp_path / "w", "--json").json["clips"]
    here = annotate("list", "--workspace", workspace, "--json").json["clips"]
    assert [(clip["path"], clip["start_ms"]) for clip in there] == [
        (clip["path"], clip["start_ms"]) for clip in here
    ]
    assert [clip["score"] for clip in there] == pytest.approx([clip["score"] for clip in here])
    assert not (tmp_path / "w" / "annotate.db").exists()
    assert annotate("run", folder, "--workspace", tmp_path / "w", *options).json["files"] == 0


def test_db_copy_moves_a_workspace_there_and_back(annotated, url, tmp_path):
    _folder, workspace = annotated
    there = annotate("db", "copy", workspace, url, "--json")
    assert there.code == 0, there.err
    counts = {table["table"]: table["rows"] for table in there.json["tables"]}
    assert (counts["clip"], counts["media"]) == (2, 1)
    back = Workspace(tmp_path / "back")
    back.root.mkdir()
    again = annotate("db", "copy", url, back.database, "--json")
    assert again.json["tables"] == there.json["tables"]
    assert rows(back.root) == rows(workspace)
    refused = annotate("db", "copy", workspace, url)
    assert refused.code == 2
    assert "already" in refused.err
    shown = annotate("status", "--workspace", workspace, ANNOTATE_DATABASE=url)
    assert "2 ready" in shown.out


def test_the_same_database_is_refused(annotated):
    _folder, workspace = annotated
    refused = annotate("db", "copy", workspace, workspace / "annotate.db")
    assert refused.code == 2
    assert "both source and destination" in refused.err


@pytest.mark.parametrize(
    ("change", "message", "code"),
    [
        ({"database": "missing"}, "is not there: make it", 3),
        ({"host": "127.0.0.1", "port": 1, "query": {}}, "does not answer", 3),
        ({"drivername": "mysql"}, "SQLite or PostgreSQL", 2),
    ],
)
def test_what_does_not_answer_is_one_line_without_the_password(
    postgres, tmp_path, change, message, code
):
    url = postgres.set(password="sesame").set(**change)
    done = annotate(
        "init", "--workspace", tmp_path / "w",
        "--database", url.render_as_string(hide_password=False),
    )  # fmt: skip
    assert done.code == code
    assert message in done.err
    assert "sesame" not in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "w" / "database.url").exists()


def test_the_doctor_looks_at_it_and_changes_nothing(url, tmp_path):
    annotate("init", "--workspace", tmp_path / "w")
    looked = ("doctor", "--workspace", tmp_path / "w", "--json")
    (before,) = (
        c for c in annotate(*looked, ANNOTATE_DATABASE=url).json if c["name"] == "database"
    )
    assert (before["state"], "schema none" in before["found"]) == ("warning", True)
    annotate("init", "--workspace", tmp_path / "w", "--database", url)
    (after,) = (check for check in annotate(*looked).json if check["name"] == "database")
    assert after["state"] == "ok"
