"""The command line: help with examples everywhere, quick, and without heavy imports."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import cli
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
