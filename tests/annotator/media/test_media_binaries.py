import shutil

import pytest

from annotator.errors import EnvironmentFault
from annotator.media.binaries import ffmpeg_path, ffmpeg_version, h264_encoder


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_variable_comes_first(tmp_path, monkeypatch):
    chosen = program(tmp_path / "mine", "echo ffmpeg version 7.7-test Copyright")
    monkeypatch.setenv("ANNOTATE_FFMPEG", str(chosen))
    assert ffmpeg_path() == str(chosen)
    assert ffmpeg_version() == "7.7-test"


def test_then_the_path(tmp_path, monkeypatch):
    monkeypatch.delenv("ANNOTATE_FFMPEG", raising=False)
    on_path = program(tmp_path / "ffmpeg", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg_path() == str(on_path)


def test_then_the_carried_one(tmp_path, monkeypatch):
    monkeypatch.delenv("ANNOTATE_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which(ffmpeg_path())
    assert ffmpeg_version()


def test_a_variable_that_names_nothing(monkeypatch):
    monkeypatch.setenv("ANNOTATE_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(EnvironmentFault, match="ANNOTATE_FFMPEG names '/nowhere/ffmpeg'"):
        ffmpeg_path()


def test_no_ffmpeg_at_all(tmp_path, monkeypatch):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")

    def none() -> str:
        raise RuntimeError("No ffmpeg exe could be found")

    monkeypatch.delenv("ANNOTATE_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(EnvironmentFault, match="no ffmpeg found: install it"):
        ffmpeg_path()


@pytest.mark.parametrize("text", ["echo hello", "exit 3"])
def test_a_program_that_is_not_ffmpeg(tmp_path, monkeypatch, text):
    monkeypatch.setenv("ANNOTATE_FFMPEG", str(program(tmp_path / "other", text)))
    with pytest.raises(EnvironmentFault, match="ffmpeg"):
        ffmpeg_version()


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (" V....D libopenh264  H.264\n V....D libx264  H.264", "libx264"),
        (" V....D libopenh264  H.264\n A....D aac  AAC", "libopenh264"),
    ],
)
def test_the_better_encoder_is_chosen(tmp_path, monkeypatch, offered, chosen):
    pretended = program(tmp_path / "mine", f"cat <<'END'\n{offered}\nEND")
    monkeypatch.setenv("ANNOTATE_FFMPEG", str(pretended))
    assert h264_encoder() == chosen


def test_an_ffmpeg_without_h264_says_what_to_do(tmp_path, monkeypatch):
    """h264_nvenc needs a card, and libx264rgb makes what browsers do not play."""
    others = program(tmp_path / "mine", "echo ' V....D h264_nvenc NVENC'; echo ' V.. libx264rgb x'")
    monkeypatch.setenv("ANNOTATE_FFMPEG", str(others))
    with pytest.raises(EnvironmentFault, match=r"has no H\.264 encoder .* set ANNOTATE_FFMPEG"):
        h264_encoder()
