"""Each thing that may be wrong with ffmpeg and with the installation, and what it says."""

import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from annotator.doctor import installation, programs
from annotator.doctor.check import attempt
from annotator.doctor.device import Devices, judge

FULL = "A..... aac x\n V....D libx264 x\n" + "\n".join(
    f" V....D {name} x" for name in programs.DECODERS
)


def program(path, listing):
    path.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -version ]; then echo ffmpeg version 7.7 Copyright; exit; fi\n'
        f"cat <<'END'\n{listing}\nEND\n"
    )
    path.chmod(0o755)
    return str(path)


def states(checks):
    return {check.name: check.state for check in checks}


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    def pretend(listing):
        monkeypatch.setenv("ANNOTATE_FFMPEG", program(tmp_path / "ffmpeg", listing))
        return {check.name: check for check in attempt("ffmpeg", programs.checks)}

    return pretend


def test_a_full_ffmpeg_is_ok(pretended):
    found = pretended(FULL)
    assert states(found.values()) == dict.fromkeys(
        ("probe", "ffmpeg", "decoders", "encoders"), "ok"
    )
    assert found["ffmpeg"].found.startswith("7.7, ")


def test_the_ffmpeg_in_use_here_is_ok():
    assert set(states(programs.checks()).values()) == {"ok"}


@pytest.mark.parametrize(
    ("lost", "state"), [("h264", "failed"), ("aac", "failed"), ("opus", "warning")]
)
def test_a_decoder_that_is_missing(pretended, lost, state):
    found = pretended(FULL.replace(f" {lost} x", " other x"))
    assert found["decoders"].state == state
    assert lost in found["decoders"].found
    assert "ANNOTATE_FFMPEG" in found["decoders"].remedy


def test_no_encoder_for_pictures_or_for_sound(pretended):
    assert "no H.264 encoder" in pretended(FULL.replace("libx264", "h264_nvenc"))["ffmpeg"].remedy


def test_no_encoder_for_sound(tmp_path, monkeypatch):
    path = tmp_path / "ffmpeg"
    program(path, FULL)
    text = path.read_text().replace(
        "cat <<", 'if [ "$2" = -encoders ]; then echo " V.. libx264 x"; exit; fi\ncat <<'
    )
    path.write_text(text)
    monkeypatch.setenv("ANNOTATE_FFMPEG", str(path))
    found = {check.name: check for check in programs.checks()}
    assert found["decoders"].state == "ok"
    assert (found["encoders"].state, found["encoders"].found[:6]) == ("failed", "no AAC")


def test_no_ffmpeg_at_all(tmp_path, monkeypatch):
    import imageio_ffmpeg

    def none() -> str:
        raise RuntimeError("No ffmpeg exe could be found")

    monkeypatch.delenv("ANNOTATE_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    *_, last = attempt("ffmpeg", programs.checks)
    assert (last.name, last.state) == ("ffmpeg", "failed")
    assert last.remedy.startswith("no ffmpeg found: install it")


def test_an_ffmpeg_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("ANNOTATE_FFMPEG", "/nowhere/ffmpeg")
    *_, last = attempt("ffmpeg", programs.checks)
    assert last.state == "failed"
    assert "ANNOTATE_FFMPEG names" in last.remedy


def test_packages_and_extras_as_they_are_here():
    found = states(installation.checks())
    assert (found["Python"], found["packages"]) == ("ok", "ok")
    assert {"extra hub", "extra opensmile", "extra experiments"} <= found.keys()


def test_a_package_that_is_missing_or_too_old(monkeypatch):
    asked = ["click>=8", "no-such-package>=1", "numpy>=99", 'also-missing>=1; extra == "hub"']
    monkeypatch.setattr(metadata, "requires", lambda _: asked)
    found = {check.name: check for check in installation.checks()}
    assert found["packages"].state == "failed"
    assert "no-such-package is missing; numpy is " in found["packages"].found
    assert found["extra hub"].state == "ok"
    assert found["extra hub"].remedy == "pip install 'annotate-emotions[hub]'"


def test_an_extra_of_another_version_is_a_warning(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda _: ['numpy>=99; extra == "hub"'])
    found = {check.name: check for check in installation.checks()}
    assert found["extra hub"].state == "warning"
    assert "annotate-emotions[hub]" in found["extra hub"].remedy


def test_without_an_installation_it_says_how_to_install(monkeypatch):
    def none(_):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", none)
    assert [check.state for check in installation.checks()] == ["ok", "warning"]


def test_a_python_that_is_too_old(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    first = next(iter(installation.checks()))
    assert (first.state, first.remedy) == ("failed", "install Python 3.11 or newer")


def test_a_prerelease_counts_as_its_version(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda _: "2.14.0.dev1")
    assert installation.unfit([Requirement("torch>=2.6")]) == []


@pytest.mark.parametrize(
    ("seen", "state", "words"),
    [
        (Devices("2+cu", "12.8", ("H100",), mps=False, nvidia=True), "ok", "H100"),
        (Devices("2+cpu", None, (), mps=False, nvidia=True), "warning", "CUDA build of torch"),
        (
            Devices("2+cu", "12.8", (), mps=False, nvidia=True),
            "warning",
            "driver that knows CUDA 12.8",
        ),
        (Devices("2", None, (), mps=True, nvidia=False), "ok", "--device mps"),
        (Devices("2+cpu", None, (), mps=False, nvidia=False), "ok", "CPU"),
    ],
)
def test_what_the_devices_mean(seen, state, words):
    check = judge(seen)
    assert check.state == state
    assert words in f"{check.found} {check.remedy}"
