"""Copies of files that lie elsewhere: whole or not at all, and none is left behind."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import s3_server
from annotator.errors import EnvironmentFault, StageFailure
from annotator.media import local
from annotator.media.filesystem import filesystem
from annotator.media.local import LocalMedia, Stopped
from annotator.media.remote import RemotePath

CONTENT = os.urandom(100_000)


@pytest.fixture(scope="module", autouse=True)
def bucket(s3):
    client = s3_server.client()
    client.create_bucket(Bucket="media")
    for key in ("a b.mp4", f"long.{'x' * 300}"):
        client.put_object(Bucket="media", Key=key, Body=CONTENT)
    return client


@pytest.fixture(autouse=True)
def copies(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"annotate-{os.getuid()}"


def left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize("name", ["a b.mp4", f"long.{'x' * 300}"])
def test_a_copy_is_there_while_it_is_used(copies, name):
    with LocalMedia(RemotePath(f"s3://media/{name}")) as media:
        assert not copies.exists(), "nothing before it is asked for"
        path = media.path
        assert (path.read_bytes(), media.path) == (CONTENT, path)
        assert path.parent == copies
    assert left(copies) == []


def test_a_file_of_this_machine_is_itself(copies, tmp_path):
    with LocalMedia(tmp_path / "a.mp4") as media:
        assert (media.path, media.is_elsewhere) == (tmp_path / "a.mp4", False)
    assert not copies.exists()


KILLED = """
import sys, tempfile
from annotator.media.local import LocalMedia
from annotator.media.remote import RemotePath
tempfile.tempdir = sys.argv[1]
with LocalMedia(RemotePath("s3://media/a b.mp4")) as media:
    print(media.path, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_is_not(copies, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    theirs = Path(process.stdout.readline().decode().strip())
    with LocalMedia(RemotePath("s3://media/a b.mp4")) as media:
        ours = media.path
        assert set(left(copies)) == {theirs, ours}
    process.kill()
    process.communicate()
    assert left(copies) == [theirs]
    with LocalMedia(RemotePath("s3://media/a b.mp4")) as media:
        ours = media.path
        assert left(copies) == [ours]


def test_a_missing_file_is_its_own_failure(copies):
    with pytest.raises(StageFailure, match=r"fetch: cannot be fetched \(not there"):
        LocalMedia(RemotePath("s3://media/none.mp4")).path  # noqa: B018
    assert left(copies) == []


def test_a_full_disk_is_no_fault_of_the_file(copies, monkeypatch):
    monkeypatch.setattr(local, "RESERVE_BYTES", shutil.disk_usage(copies.parent).total)
    with pytest.raises(EnvironmentFault, match=r"no room in .* name another folder in TMPDIR"):
        LocalMedia(RemotePath("s3://media/a b.mp4")).path  # noqa: B018
    assert left(copies) == []


@pytest.mark.parametrize(
    ("size", "said"), [(10, "more than the 10 bytes"), (200_000, "100000 bytes came of 200000")]
)
def test_a_file_is_as_long_as_it_was_said_to_be(copies, monkeypatch, size, said):
    system, _ = filesystem("s3://media/a b.mp4")
    monkeypatch.setattr(system, "info", lambda _name: {"size": size})
    with pytest.raises(StageFailure, match=said):
        LocalMedia(RemotePath("s3://media/a b.mp4")).path  # noqa: B018
    assert left(copies) == []


def test_a_file_that_drips_is_given_up(copies, monkeypatch):
    monkeypatch.setattr(local, "GRACE_S", -10.0)
    with pytest.raises(StageFailure, match="it drips"):
        LocalMedia(RemotePath("s3://media/a b.mp4")).path  # noqa: B018
    assert left(copies) == []


def test_a_copy_is_given_up_when_asked(copies):
    with pytest.raises(Stopped), LocalMedia(RemotePath("s3://media/a b.mp4"), lambda: True) as one:
        one.path  # noqa: B018
    assert left(copies) == []


def test_a_folder_that_others_can_see_is_not_used(copies):
    copies.mkdir(mode=0o755)
    with pytest.raises(EnvironmentFault, match="not a folder of yours alone"):
        LocalMedia(RemotePath("s3://media/a b.mp4")).path  # noqa: B018


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(EnvironmentFault, match=r"gs:// needs a package .*pip install gcsfs"):
        filesystem("gs://media/a.mp4")
