"""A look into the database sees what was committed, writes nothing and leaves nothing."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from annotator.store.engine import open_store
from annotator.store.readonly import health, reading


@pytest.fixture
def database(tmp_path):
    open_store(tmp_path / "annotate.db").close()
    return tmp_path / "annotate.db"


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_cannot_write(database):
    with reading(database) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM alembic_version")


def test_what_another_has_committed_is_seen_while_it_is_open(database):
    with closing(sqlite3.connect(database)) as other:
        other.execute("UPDATE alembic_version SET version_num = 'seen'")
        other.commit()
        assert database.with_name("annotate.db-wal").stat().st_size > 0
        assert health(database).revision == "seen"


def test_what_a_killed_writer_left_is_read_and_stays(database, tmp_path):
    left = tmp_path / "left"
    left.mkdir()
    with closing(sqlite3.connect(database)) as other:
        other.execute("UPDATE alembic_version SET version_num = 'late'")
        other.commit()
        for path in tmp_path.glob("annotate.db*"):
            shutil.copy(path, left)
    before = files(left)
    assert health(left / "annotate.db").revision == "late"
    assert files(left).keys() == before.keys()
    assert all(files(left)[name] == before[name] for name in before if not name.endswith("-shm"))


def test_an_empty_file_has_no_revision(tmp_path):
    (tmp_path / "annotate.db").touch()
    assert health(tmp_path / "annotate.db").revision is None
    assert [path.name for path in tmp_path.iterdir()] == ["annotate.db"]


@pytest.mark.parametrize("name", ["a b", "50%", "what?#x"])
def test_any_path_is_the_path_it_is(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    open_store(folder / "annotate.db").close()
    assert health(folder / "annotate.db").damage == ""
    assert [path.name for path in folder.iterdir()] == ["annotate.db"]
