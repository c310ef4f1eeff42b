import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from annotator.errors import EnvironmentFault
from annotator.store import migrate
from annotator.store.engine import open_store
from annotator.store.schema import Base

REPOSITORY = Path(__file__).resolve().parents[3]

# Rows of each revision's own schema, one of every table; a new revision adds its own.
FIRST = """
    INSERT INTO model VALUES (1, 'm', 'hash', '["happy"]', '{}', '{}', 0, 0, NULL, NULL);
    INSERT INTO run VALUES (1, 0, NULL, 1, '{}', '0.1.0', 'running', '{}', '{}');
    INSERT INTO media (id, path, size, mtime_ns, plan_key, state, seen_run)
        VALUES (1, '/c/a.mp4', 1, 2, 'key', 'planned', 1);
    INSERT INTO sighting VALUES (1, 1);
    INSERT INTO clip (id, media_id, start_ms, end_ms, origin, text, active, state)
        VALUES (1, 1, 0, 1000, 'vad', 'hello', 1, 'ready');
    INSERT INTO clip_label VALUES (1, 'happy', 'corpus', 1.0);
    INSERT INTO prediction VALUES (1, 1, 1, 1.5, 0.5, 0.1, NULL, 0);
    INSERT INTO label_prediction VALUES (1, 1, 'happy', 0.9, 0.1, 0.2, 0.3, 1.0, NULL, 2.0);
"""
ROWS = {
    "0001": FIRST,
    "0002": FIRST
    + """
        INSERT INTO project VALUES (1, 'http://ls', 3, 'emotions', '["happy"]', 0, NULL);
        INSERT INTO task VALUES (1, 'sample', 1, 1, 7, 'there', 1, 0);
        INSERT INTO annotation VALUES (1, 1, 5, 7, 1, 'ann', 'labelled', 0, NULL, 2.5, 1, '[]',
            0, 0, 0, NULL, 1);
        INSERT INTO annotation_label VALUES (1, 'happy', 4, 'manual');
    """,
}
ROWS["0003"] = (
    ROWS["0002"]
    .replace("NULL, 0);\n    INSERT INTO label", "NULL, 0, x'003C');\n    INSERT INTO label")
    .replace("'there', 1, 0)", "'there', 1, 0, 'audit')")
)
ROWS["0004"] = (
    ROWS["0003"]
    + """
    INSERT INTO claim VALUES (1, 1, 'host:1:a', 0);
"""
)

# A revision of the kind that loses rows if it is run carelessly: it rebuilds a parent table.
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"


def upgrade() -> None:
    with op.batch_alter_table("clip", recreate="always") as clip:
        clip.add_column(sa.Column("note", sa.Text(), nullable=True))
    {more}
"""


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    return ScriptDirectory.from_config(config)


def make_old(path: Path, revision: str, monkeypatch) -> None:
    """A database as the version of that revision left it, with rows."""
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "HEAD", revision)
        open_store(path).close()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.executescript(ROWS[revision])


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as raw:
        tables = [
            name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {name: sorted(raw.execute(f"SELECT * FROM {name}"), key=str) for name in tables}


@pytest.fixture
def next_version(tmp_path, monkeypatch):
    """Makes this the version after the present one, whose revision ends with the given line."""

    def make(more: str = "") -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(
            migrations.__path__[0], folder, ignore=shutil.ignore_patterns("__pycache__")
        )
        script = NEXT.format(head=migrate.HEAD, more=more)
        (folder / "versions" / "next.py").write_text(script)
        monkeypatch.setattr(migrate, "SCRIPTS", folder)
        monkeypatch.setattr(migrate, "HEAD", "next")

    return make


def test_models_and_migrations_agree(sqlite_world):
    with sqlite_world.store._read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        made = {
            name: sql
            for name, sql in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master")
            if name in Base.metadata.tables
        }
    for table in Base.metadata.sorted_tables:  # what Alembic does not compare
        for constraint in table.constraints:
            assert f"CONSTRAINT {constraint.name} " in made[table.name]
        rowid = table.dialect_options["sqlite"]["with_rowid"]
        assert ("WITHOUT ROWID" in made[table.name]) == (not rowid)


def test_head_is_the_newest_revision():
    assert scripts().get_current_head() == migrate.HEAD


def test_every_revision_has_rows_to_test_with():
    assert {script.revision for script in scripts().walk_revisions()} == set(ROWS)


@pytest.mark.parametrize("revision", sorted(ROWS))
def test_rows_of_every_revision_survive(tmp_path, monkeypatch, revision):
    path = tmp_path / "a.db"
    make_old(path, revision, monkeypatch)
    with open_store(path) as store:
        (shown,) = store.show(1)
        assert shown.segment.text == "hello"
        assert shown.predictions[0].scores.labels[0].p == 0.9
        assert [media.clips for media in store.pending(1, 2)] == [1]


def test_a_fresh_database_has_no_backup(tmp_path):
    open_store(tmp_path / "annotate.db").close()
    assert [path.name for path in tmp_path.iterdir()] == ["annotate.db"]


def test_upgrade_keeps_rows_and_makes_a_restorable_backup(tmp_path, monkeypatch, next_version):
    path = tmp_path / "annotate.db"
    make_old(path, migrate.HEAD, monkeypatch)
    before, head = dump(path), migrate.HEAD
    next_version()
    open_store(path).close()
    after = dump(path)
    assert after.pop("clip") == [(*row, None) for row in before["clip"]]
    assert after.pop("alembic_version") == [("next",)]
    assert after == {name: before[name] for name in after}

    (backup,) = tmp_path.glob("annotate.db.backup-*")
    assert re.fullmatch(rf"annotate\.db\.backup-{head}-\d{{8}}T\d{{6}}Z", backup.name)
    assert dump(backup) == before
    monkeypatch.undo()
    with open_store(backup) as restored:
        assert restored.show(1)[0].segment.text == "hello"


@pytest.mark.parametrize(
    "more",
    ['raise RuntimeError("half way")', 'op.execute("DELETE FROM model")'],
    ids=["crash", "dangling rows"],
)
def test_an_upgrade_that_fails_leaves_the_database_as_it_was(
    tmp_path, monkeypatch, next_version, more
):
    path = tmp_path / "annotate.db"
    make_old(path, migrate.HEAD, monkeypatch)
    before = dump(path)
    next_version(more)
    with pytest.raises((RuntimeError, EnvironmentFault), match=r"half way|refer to missing"):
        open_store(path)
    assert dump(path) == before


def test_the_next_version_is_refused_by_this_one(tmp_path, monkeypatch, next_version):
    path = tmp_path / "annotate.db"
    with monkeypatch.context():
        next_version()
        open_store(path).close()
        monkeypatch.undo()
    before = dump(path)
    with pytest.raises(EnvironmentFault, match=r"newer version.*pip install --upgrade") as caught:
        open_store(path)
    assert "\n" not in str(caught.value)
    assert dump(path) == before
    assert not list(tmp_path.glob("*.backup-*"))


OPEN = """
import sys
sys.path.insert(0, {repository!r})
from pathlib import Path
from annotator.store import migrate
from annotator.store.engine import open_store

migrate.SCRIPTS, migrate.HEAD = Path({scripts!r}), {head!r}
print("ready", flush=True)
sys.stdin.readline()
open_store("annotate.db").close()
"""


@pytest.mark.parametrize("fresh", [True, False])
def test_of_processes_that_open_at_once_one_migrates(tmp_path, monkeypatch, next_version, fresh):
    path = tmp_path / "annotate.db"
    if not fresh:
        make_old(path, migrate.HEAD, monkeypatch)
    next_version()
    script = OPEN.format(
        repository=str(REPOSITORY), scripts=str(migrate.SCRIPTS), head=migrate.HEAD
    )
    command = [sys.executable, "-c", script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    opening = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in opening:
        assert process.stdout.readline() == "ready\n"
    for process in opening:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in opening:
        process.communicate(timeout=60)
    assert [process.returncode for process in opening] == [0, 0]
    assert dump(path)["alembic_version"] == [("next",)]
    assert len(list(tmp_path.glob("annotate.db.backup-*"))) == (0 if fresh else 1)


def test_a_task_is_sent_by_score_or_for_the_audit_and_older_ones_say_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    make_old(path, "0002", monkeypatch)
    open_store(path).close()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT reason FROM task").fetchall() == [(None,)]
        assert raw.execute("SELECT latent FROM prediction").fetchall() == [(None,)]
        with pytest.raises(sqlite3.IntegrityError, match="ck_task_reason"):
            raw.execute("UPDATE task SET reason = 'luck'")
