"""The command line: help with examples everywhere, quick, and without heavy imports."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import cli
import media_samples
from commands import annotate

HEAVY = (
    "torch",
    "numpy",
    "sqlalchemy",
    "alembic",
    "rich",
    "cv2",
    "onnxruntime",
    "label_studio_sdk",
)


def _commands(group: click.Group, prefix: tuple[str, ...] = ()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*prefix, name))
        else:
            yield pytest.param((*prefix, name), id=" ".join((*prefix, name)))


@pytest.mark.parametrize("names", list(_commands(cli.main)))
def test_every_command_has_help_with_an_example(names):
    shown = CliRunner().invoke(cli.main, [*names, "--help"])
    assert shown.exit_code == 0
    assert f"annotate {' '.join(names)}" in shown.output.split("Example", 1)[1]


def test_every_option_is_explained():
    for parameter in _commands(cli.main):
        command: click.Command = cli.main
        for name in parameter.values[0]:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        for option in command.params:
            assert isinstance(option, click.Argument) or option.help, (command.name, option.name)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == "[]"


def test_version_and_unknown_command():
    assert annotate("--version").out.startswith("annotate, version ")
    assert annotate("frobnicate").code == 2


def test_a_package_that_is_missing_is_a_line_with_a_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.delitem(sys.modules, "annotator.console", raising=False)
    monkeypatch.delitem(sys.modules, "annotator.doctor_console", raising=False)
    monkeypatch.delattr("annotator.console", raising=False)
    shown = CliRunner().invoke(cli.main, ["doctor"])
    assert shown.exit_code == 3
    assert shown.output.startswith("Error: the package rich is missing: ")
    assert "pip" in shown.output


def test_init_makes_a_workspace_here_even_below_another(tmp_path, monkeypatch):
    below = tmp_path / "below"
    below.mkdir()
    for folder in (tmp_path, below):
        monkeypatch.chdir(folder)
        assert annotate("init").out.strip() == f"Workspace: {folder / '.annotate'}"
        assert (folder / ".annotate" / "annotate.db").is_file()


def test_a_file_that_failed_says_why_where_its_clips_would_be(tmp_path):
    (tmp_path / "zero.mp4").touch()
    assert annotate("run", tmp_path).code == 1
    done = annotate("show", tmp_path / "zero.mp4")
    assert (done.code, done.out) == (2, "")
    assert "zero.mp4 has no clips, as it failed in probe: empty file (0 bytes)" in done.err


def test_nobody_is_told_of_a_run(tmp_path):
    """Of onnxruntime's telemetry, which leaves a device's id in HOME before it sends anything."""
    home = tmp_path / "home"
    home.mkdir()
    media_samples.audio(tmp_path / "a.wav", seconds=1)
    done = annotate("run", tmp_path / "a.wav", HOME=str(home), XDG_CACHE_HOME="")
    assert done.code == 0, done.err
    assert [path for path in home.rglob("*") if "microsoft" in str(path).lower()] == []


def test_a_folder_without_media_is_told_from_one_that_is_done(tmp_path):
    (tmp_path / "corpus").mkdir()
    done = annotate("run", tmp_path / "corpus")
    assert done.code == 0
    assert "No media were found there." in done.out
