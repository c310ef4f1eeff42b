import os
import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

from annotator.errors import EnvironmentFault, UsageError
from annotator.store.engine import open_store
from annotator.store.faults import translated


def fault(target, **options) -> str:
    """The one line a user gets on opening it."""
    with pytest.raises(EnvironmentFault) as caught:
        open_store(target, **options)
    assert "\n" not in str(caught.value)
    assert str(target) in str(caught.value)
    return str(caught.value)


def test_pragmas(sqlite_world):
    values = {
        name: sqlite_world.rows(f"PRAGMA {name}")[0][0]
        for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
    }
    assert values == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 1,
        "busy_timeout": 30_000,
    }


@pytest.mark.parametrize("name", ["a b#?%.db", "file:x.db", "ünï\udcff.db"])
def test_any_file_name_will_do(tmp_path, name):
    with open_store(tmp_path / name) as store:
        assert store.models() == []
    assert (tmp_path / name).is_file()


def test_a_url_and_a_path_are_the_same_database(sqlite_world):
    for target in (
        str(sqlite_world.path),
        f"sqlite:///{sqlite_world.path}",
        URL.create("sqlite", database=str(sqlite_world.path)),
    ):
        with open_store(target) as store:
            assert len(store.models()) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:secret@h/d", "SQLite or PostgreSQL"),
        ("what://", "SQLite or"),
        ("://", "cannot be read"),
    ],
)
def test_other_databases_are_refused(url, message):
    with pytest.raises(UsageError, match=message) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_a_missing_database_is_not_made_unasked(tmp_path):
    assert "annotate run" in fault(tmp_path / "a.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder(tmp_path):
    assert "folder must exist" in fault(tmp_path / "none" / "a.db")


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"RIFF" * 1000)
    assert "not an annotate database" in fault(path)
    assert path.read_bytes() == b"RIFF" * 1000


def test_somebody_elses_database(tmp_path):
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE theirs (x)")
    assert "not an annotate database" in fault(path)


def test_a_damaged_database(sqlite_world):
    sqlite_world.sync(*(f"{n}.mp4" for n in range(500)))
    sqlite_world.store.close()
    with sqlite_world.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 65_536)
    with pytest.raises(EnvironmentFault, match="damaged"), open_store(sqlite_world.path) as store:
        store.status()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_writable(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    assert "writable" in fault(folder / "a.db")


def test_a_database_that_is_not_writable(sqlite_world):
    sqlite_world.store.close()
    url = f"sqlite:///file:{sqlite_world.path}?mode=ro&uri=true"
    with open_store(url) as store:
        assert len(store.models()) == 1
        with pytest.raises(EnvironmentFault, match="cannot write"):
            store.start_run(sqlite_world.model_id, {}, "0.1.0")


def test_a_locked_database(sqlite_world):
    with closing(sqlite3.connect(sqlite_world.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_store(sqlite_world.path, timeout_s=0.05) as store:
            assert store.status().models  # reading goes on
            with pytest.raises(EnvironmentFault, match=r"locked.*retry"):
                store.start_run(sqlite_world.model_id, {}, "0.1.0")
        other.rollback()
    sqlite_world.store.start_run(sqlite_world.model_id, {}, "0.1.0")


def test_a_fresh_database_that_is_locked(tmp_path):
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in fault(path, timeout_s=0.05)


def test_a_full_disk(sqlite_world):
    with sqlite_world.store._read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(EnvironmentFault, match="no space left"):
        sqlite_world.sync(*(f"{n}.mp4" for n in range(5000)))
    assert sqlite_world.count("media") == 0


def test_a_server_that_does_not_answer_is_named_without_its_password():
    error = OperationalError("SELECT 1", {}, ConnectionError("refused\nmore"))
    with (
        pytest.raises(EnvironmentFault, match=r"^db does not answer: refused; check"),
        translated("db"),
    ):
        raise error


def test_a_bug_of_ours_is_not_hidden(world):
    with (
        pytest.raises(Exception, match=r"no such table|does not exist") as caught,
        world.store._read() as connection,
    ):
        connection.exec_driver_sql("SELECT * FROM absent")
    assert not isinstance(caught.value, EnvironmentFault)


def test_threads_share_a_store(world):
    names = [f"{n}.mp4" for n in range(40)]
    world.sync(*names)
    ids = [world.media_id(name) for name in names]

    def fail(half: list[int]) -> None:
        for media_id in half:
            world.store.fail_media(media_id, "probe", "no stream")
            assert world.store.status().failures

    threads = [threading.Thread(target=fail, args=(ids[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.store.status().media == {"failed": 40}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('FATAL:  password authentication failed for user "me"', "does not let you in"),
        ("fe_sendauth: no password supplied", "does not let you in"),
        ('FATAL:  database "x" does not exist', "createdb"),
    ],
)
def test_a_server_that_refuses_says_what_to_do(said, message):
    error = OperationalError("SELECT 1", {}, ConnectionError(said))
    with pytest.raises(EnvironmentFault, match=message), translated("db"):
        raise error


@pytest.mark.parametrize(
    ("code", "message"),
    [("53100", "no space left"), ("53300", "connection left"), ("57P01", "shutting down"),
     ("42501", "no permission"), ("25006", "cannot write"), ("28P01", "let you in")],
)  # fmt: skip
def test_postgresqls_codes_say_what_to_do(code, message):
    refusal = Exception("said")
    refusal.sqlstate = code
    with pytest.raises(EnvironmentFault, match=message), translated("db"):
        raise OperationalError("INSERT", {}, refusal)
