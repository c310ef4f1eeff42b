"""A workspace in every bad state; looking at it changes nothing."""

import hashlib
import os
import shutil
import sqlite3
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from annotator import registry
from annotator.doctor import models, place
from annotator.store import readonly
from annotator.store.migrate import HEAD
from annotator.workspace import Workspace, open_workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    made = open_workspace(tmp_path / "w", create=True)
    made.open_store().close()
    return made


def found(workspace):
    return {check.name: check for check in place.checks(workspace)}


def snapshot(root):
    return {
        path: (path.lstat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in root.rglob("*")
        if path.is_file()
    }


def set_revision(workspace, revision):
    with closing(sqlite3.connect(workspace.database)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    assert not workspace.database.with_name("annotate.db-wal").exists()


def test_a_sound_workspace_is_left_as_it_was(workspace):
    before = snapshot(workspace.root)
    checks = found(workspace)
    assert {check.state for check in checks.values()} == {"ok"}
    assert checks["database"].found.endswith(f"schema {HEAD}, sound")
    assert snapshot(workspace.root) == before


def test_where_there_is_none_none_is_made(tmp_path):
    checks = found(Workspace(tmp_path / "deep" / "w"))
    assert checks["workspace"].state == "ok"
    assert "annotate init" in checks["workspace"].remedy
    assert list(tmp_path.iterdir()) == []


def test_an_older_schema_is_not_upgraded_by_looking(workspace):
    set_revision(workspace, "0001")
    before = snapshot(workspace.root)
    check = found(workspace)["database"]
    assert (check.state, "keeps a backup" in check.remedy) == ("warning", True)
    assert snapshot(workspace.root) == before


def test_a_newer_schema(workspace):
    set_revision(workspace, "9999")
    check = found(workspace)["database"]
    assert check.state == "failed"
    assert "pip install --upgrade annotate-emotions" in check.remedy


def test_a_database_of_somebody_else(workspace):
    workspace.database.unlink()
    with closing(sqlite3.connect(workspace.database)) as raw, raw:
        raw.execute("CREATE TABLE theirs (x)")
    assert "is not an annotate database" in found(workspace)["database"].remedy


def test_no_database_at_all(workspace):
    workspace.database.write_bytes(b"these are no pages of SQLite" * 100)
    check = found(workspace)["database"]
    assert (check.state, "is not an annotate database" in check.remedy) == ("failed", True)


def test_a_damaged_database(workspace):
    content = bytearray(workspace.database.read_bytes())
    for page in range(2, len(content) // 4096):  # the schema and the revision stay readable
        content[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    workspace.database.write_bytes(content)
    check = found(workspace)["database"]
    assert check.state == "failed"
    assert "damaged" in check.found + check.remedy
    assert "restore a backup" in check.remedy


def test_a_locked_database(workspace, monkeypatch):
    monkeypatch.setattr(readonly, "WAIT_S", 0.05)
    with closing(sqlite3.connect(workspace.database)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE").close()
        other.execute("UPDATE alembic_version SET version_num = version_num").close()
        other.commit()
        check = found(workspace)["database"]
    assert (check.state, "is locked" in check.remedy) == ("failed", True)


def test_a_run_that_writes_meanwhile_is_no_fault(workspace):
    with closing(sqlite3.connect(workspace.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE").close()
        other.execute("UPDATE alembic_version SET version_num = version_num").close()
        assert found(workspace)["database"].state == "ok"
        other.execute("ROLLBACK").close()


def test_a_database_too_large_to_look_through(workspace, monkeypatch):
    monkeypatch.setattr(readonly, "LOOK_S", -1.0)
    monkeypatch.setattr(readonly, "STEPS", 1)
    check = found(workspace)["database"]
    assert (check.state, "too large" in check.found) == ("ok", True)


def test_a_folder_that_cannot_be_written_to(workspace, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != workspace.features)
    check = found(workspace)["workspace"]
    assert (check.state, str(workspace.features) in check.found) == ("failed", True)
    assert "--workspace" in check.remedy


@pytest.mark.parametrize(("free", "state"), [(1 << 20, "failed"), (1 << 30, "warning")])
def test_a_disk_that_is_nearly_full(workspace, monkeypatch, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    check = found(workspace)["disk"]
    assert (check.state, "free some space" in check.remedy) == (state, True)


@pytest.mark.parametrize("name", ["features/ab/.x1.tmp", "models/.mine.0af", "excerpts/.c.mp4.0af"])
def test_drafts_of_killed_processes(workspace, name):
    draft = workspace.root / name
    draft.parent.mkdir(exist_ok=True)
    draft.touch()
    assert found(workspace)["drafts"].state == "ok"  # somebody may be writing it now
    os.utime(draft, (time.time() - 2 * place.DRAFT_AGE_S,) * 2)
    check = found(workspace)["drafts"]
    assert (check.state, str(draft) in check.found) == ("warning", True)
    assert draft.exists()


def model_checks(workspace):
    return {check.name: check for check in models.checks(workspace)}


@pytest.fixture
def mine(workspace):
    shutil.copytree(registry.SHIPPED / "starter", workspace.models / "mine")
    return workspace.models / "mine"


def describe(folder, old, new):
    description = folder / "model.json"
    text = description.read_text()
    assert old in text
    description.write_text(text.replace(old, new))


def test_models_that_fit(workspace, mine):
    checks = model_checks(workspace)
    assert {name: check.state for name, check in checks.items()} == {
        "model mine": "ok",
        "model starter": "ok",
    }


@pytest.mark.parametrize("harm", ["description", "weights"])
def test_a_damaged_model_costs_no_other(workspace, mine, harm):
    file = mine / ("model.json" if harm == "description" else "model.safetensors")
    content = bytearray(file.read_bytes())
    content[-40] ^= 1
    file.write_bytes(b"{" if harm == "description" else content)
    checks = model_checks(workspace)
    assert (checks["model mine"].state, checks["model starter"].state) == ("failed", "ok")
    assert "damaged" in checks["model mine"].remedy


def test_a_model_of_other_extractors(workspace, mine):
    describe(mine, "faces@1", "faces@0")
    check = model_checks(workspace)["model mine"]
    assert check.state == "failed"
    assert "faces@0" in check.remedy


def test_an_untrained_model(workspace, mine):
    describe(mine, '"trained": true', '"trained": false')
    assert model_checks(workspace)["model mine"].state == "warning"


@pytest.mark.parametrize("installed", [True, False])
def test_a_model_of_the_hub_asks_no_network(workspace, mine, monkeypatch, installed):
    describe(mine, "minilm@2", "hub-text:org/name@abc@1")
    monkeypatch.setattr(models, "find_spec", lambda _: object() if installed else None)
    check = model_checks(workspace)["model mine"]
    assert check.state == ("ok" if installed else "warning")


def test_a_model_for_features_made_elsewhere(workspace, mine):
    from annotator.learning.dataset import FOREIGN

    for extractor in ("faces@1", "whisper@1", "minilm@2"):
        describe(mine, extractor, f"{FOREIGN} mosei")
    assert "made elsewhere" in model_checks(workspace)["model mine"].found
