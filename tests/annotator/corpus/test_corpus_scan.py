"""Finding media: what is taken, what is skipped and why, under every kind of name."""

import os
import socket
from pathlib import Path

import pytest

from annotator.corpus.scan import absolute, scan
from annotator.errors import UsageError


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(result) -> list[str]:
    return [source.path.name for source in result.sources]


def test_media_are_found_in_any_case_and_depth_with_size_and_time(tmp_path):
    deep = touch(tmp_path / "a" / "b" / "c.MoV", b"12345")
    touch(tmp_path / "z.opus")
    result = scan([tmp_path])
    assert [source.path for source in result.sources] == [deep, tmp_path / "z.opus"]
    assert result.sources[0].size == 5
    assert result.sources[0].mtime_ns == deep.stat().st_mtime_ns


def test_other_files_are_counted_by_extension_not_listed(tmp_path):
    for name in ("a.srt", "b.SRT", "c.txt", "noextension"):
        touch(tmp_path / name)
    result = scan([tmp_path])
    assert (result.sources, result.skipped) == ((), ())
    assert result.other == {"": 1, ".srt": 2, ".txt": 1}


def test_hidden_names_and_the_workspace_are_passed_over(tmp_path):
    touch(tmp_path / ".hidden.mp4")
    touch(tmp_path / ".annotate" / "a.mp4")
    assert scan([tmp_path]).sources == ()


def test_a_hidden_folder_named_by_the_user_is_taken(tmp_path):
    touch(tmp_path / ".data" / "a.mp4")
    assert names(scan([tmp_path / ".data"])) == ["a.mp4"]


def test_overlapping_arguments_give_each_file_once(tmp_path):
    file = touch(tmp_path / "sub" / "a.mp4")
    result = scan([file, tmp_path, tmp_path / "sub", tmp_path / "sub" / ".." / "sub"])
    assert names(result) == ["a.mp4"]


def test_overlapping_arguments_count_each_other_file_once(tmp_path):
    file = touch(tmp_path / "a.srt")
    assert scan([file, tmp_path]).other == {".srt": 1}


def test_the_order_does_not_depend_on_the_arguments(tmp_path):
    files = [touch(tmp_path / name) for name in ("b.mp4", "a.mp4", "c/a.wav")]
    assert scan(files).sources == scan(files[::-1]).sources == scan([tmp_path]).sources


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.mp4", b"new\nline.mp4", b"-rf.mp4", "é😀.mp4".encode()]
)
def test_any_file_name_works(tmp_path, name):
    path = os.fsencode(tmp_path) + b"/" + name
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system refuses the name")
    (source,) = scan([tmp_path]).sources
    assert os.fsencode(source.path) == path


def test_relative_paths_become_absolute_and_links_stay(tmp_path, monkeypatch):
    touch(tmp_path / "real" / "a.mp4")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    (source,) = scan([Path("link")]).sources
    assert source.path == tmp_path / "link" / "a.mp4"


def test_dotdot_has_one_spelling_even_through_a_link(tmp_path):
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "link").symlink_to("x/y")
    assert absolute(tmp_path / "link" / ".." / "a.mp4") == (tmp_path / "x" / "a.mp4").resolve()


def test_a_missing_path_is_a_usage_error_in_one_line(tmp_path):
    with pytest.raises(UsageError, match="does not exist") as caught:
        scan([tmp_path / "no\nsuch"])
    assert "\n" not in str(caught.value)


def test_a_path_below_a_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError):
        scan([touch(tmp_path / "a.mp4") / "b.mp4"])


def test_a_link_to_a_file_is_followed(tmp_path):
    target = touch(tmp_path / "outside" / "take1.bin", b"123")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.mp4").symlink_to(target)
    (source,) = scan([tmp_path / "corpus"]).sources
    assert (source.path.name, source.size) == ("a.mp4", 3)


def test_a_files_own_place_wins_over_a_link_that_sorts_first(tmp_path):
    own = touch(tmp_path / "z.mp4")
    (tmp_path / "a.mp4").symlink_to(own)
    assert names(scan([tmp_path])) == ["z.mp4"]


def test_of_many_links_to_a_file_elsewhere_the_first_by_name_counts(tmp_path):
    target = touch(tmp_path / "outside.bin")
    (tmp_path / "corpus").mkdir()
    for number in range(30):
        (tmp_path / "corpus" / f"{number:02d}.mp4").symlink_to(target)
    assert names(scan([tmp_path / "corpus"])) == ["00.mp4"]


def test_hard_links_are_two_files(tmp_path):
    os.link(touch(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    assert names(scan([tmp_path])) == ["a.mp4", "b.mp4"]


def test_a_folder_reached_through_a_link_counts_once(tmp_path):
    touch(tmp_path / "real" / "a.mp4")
    (tmp_path / "again").symlink_to("real")
    (source,) = scan([tmp_path]).sources
    assert source.path == tmp_path / "real" / "a.mp4"


def test_loops_of_links_end(tmp_path):
    touch(tmp_path / "a" / "x.mp4")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "b").symlink_to("a")
    result = scan([tmp_path])
    assert names(result) == ["x.mp4"]
    assert [skip.path.name for skip in result.skipped] == ["self"]


def test_a_broken_link_is_skipped_with_its_reason(tmp_path):
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    (skip,) = scan([tmp_path]).skipped
    assert skip.path == tmp_path / "gone.mp4"
    assert "broken link" in skip.reason


def test_special_files_are_skipped_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "null.mp4").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path is limited to about 100 bytes
        try:
            server.bind("sock.mp4")
        finally:
            os.chdir(here)
        result = scan([tmp_path])
    assert result.sources == ()
    reasons = {skip.path.name: skip.reason for skip in result.skipped}
    assert reasons == {
        "null.mp4": "a device, not a regular file",
        "pipe.mp4": "a named pipe, not a regular file",
        "sock.mp4": "a socket, not a regular file",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_and_folders_are_skipped(tmp_path):
    touch(tmp_path / "file.mp4").chmod(0)
    touch(tmp_path / "folder" / "a.mp4").parent.chmod(0)
    try:
        result = scan([tmp_path])
    finally:
        (tmp_path / "folder").chmod(0o700)
    assert result.sources == ()
    assert {skip.path.name for skip in result.skipped} == {"file.mp4", "folder"}


def test_a_folder_that_refuses_its_listing_is_skipped_and_the_rest_found(tmp_path, monkeypatch):
    touch(tmp_path / "bad" / "a.mp4")
    touch(tmp_path / "good" / "b.mp4")
    real = os.scandir

    def refuse(path):
        if Path(path).name == "bad":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = scan([tmp_path])
    assert names(result) == ["b.mp4"]
    assert result.skipped[0].reason == "folder cannot be read: permission denied"


def test_a_file_without_read_permission_is_skipped(tmp_path, monkeypatch):
    touch(tmp_path / "a.mp4")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (skip,) = scan([tmp_path]).skipped
    assert skip.reason == "no permission to read it"


def test_ten_thousand_files_are_listed_with_no_call_a_file_but_stat_and_access(
    tmp_path, monkeypatch
):
    for number in range(10_000):
        (tmp_path / f"{number}.mp4").touch()
    resolved = []
    real = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: resolved.append(path) or real(path))
    assert len(scan([tmp_path]).sources) == 10_000
    assert len(resolved) == 1
