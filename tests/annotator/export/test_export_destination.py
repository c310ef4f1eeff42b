"""A file is replaced as a whole or stays as it was."""

import os
import sys

import pytest

from annotator.errors import EnvironmentFault, UsageError
from annotator.export.destination import binary_destination, destination, folder_destination


def test_a_file_of_that_name_is_replaced(tmp_path):
    file = tmp_path / "out.csv"
    file.write_text("old")
    with destination(file) as text:
        text.write("new\r\n")
        assert file.read_text() == "old"
    assert file.read_bytes() == b"new\r\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.csv"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError])
def test_the_old_file_stays_where_writing_ends_early(tmp_path, fault):
    file = tmp_path / "out.csv"
    file.write_text("old")
    with pytest.raises(fault), destination(file) as text:
        text.write("new" * 100_000)
        raise fault
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.csv"]


def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    link.symlink_to(real)
    with destination(link) as text:
        text.write("x")
    assert link.is_symlink()
    assert real.read_text() == "x"


def test_bytes_that_are_not_utf8_are_spelled_out(tmp_path):
    with destination(tmp_path / "out.csv") as text:
        text.write(os.fsdecode(b"caf\xe9 \xc3\xa9"))
    assert (tmp_path / "out.csv").read_bytes() == b"caf\\udce9 \xc3\xa9"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no folder"), destination(tmp_path / "a" / "b"):
        pass


def test_what_is_no_file(tmp_path):
    with pytest.raises(UsageError, match="it is no file"), destination(tmp_path):
        pass
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="it is no file"), destination(tmp_path / "pipe"):
        pass


def test_a_full_disk_is_the_environments_fault(tmp_path, monkeypatch):
    def refuse(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("annotator.export.destination.os.fsync", refuse)
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(EnvironmentFault, match="No space left"), destination(tmp_path / "out.csv"):
        pass
    assert (tmp_path / "out.csv").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.csv"]


def test_standard_output_stays_open(capfdbinary):
    with destination(None) as text:
        text.write("é\r\n")
    sys.stdout.write("after")
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == "é\r\nafter".encode()


def test_bytes_replace_a_file_as_text_does(tmp_path):
    (tmp_path / "out").write_bytes(b"old")
    with binary_destination(tmp_path / "out") as file:
        file.write(b"\x00new")
        assert (tmp_path / "out").read_bytes() == b"old"
    assert (tmp_path / "out").read_bytes() == b"\x00new"


def fill(folder, text: str, fault: type[BaseException] | None = None) -> None:
    with folder_destination(folder, {"a", "b"}) as draft:
        (draft / text).write_text(text)
        if fault:
            raise fault


def test_a_folder_is_replaced_by_one_that_is_complete(tmp_path):
    fill(tmp_path / "out", "a")
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "out", "b", KeyboardInterrupt)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
    fill(tmp_path / "out", "b")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_anything_else_in_it_stays(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match=r"holds 'thesis\.tex'"):
        fill(tmp_path / "out", "a")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="it is no folder"):
        fill(tmp_path / "file", "a")
    with pytest.raises(UsageError, match="there is no folder"):
        fill(tmp_path / "no" / "such", "a")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "mine"
