"""A file is replaced as a whole or stays as it was."""

import os
import sys

import pytest

from annotator.errors import EnvironmentFault, UsageError
from annotator.export.destination import destination


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
