"""The reference in docs/ is what the commands say, and says what the commands do."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import cli

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def made():
    spec = importlib.util.spec_from_file_location("cli_reference", DOCS / "cli_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_what_the_commands_say(made):
    now = made.reference(cli.main)
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == now, (
        "docs/reference.md is out of date: python docs/cli_reference.py"
    )


def test_every_command_and_every_option_is_in_it(made):
    page = made.reference(cli.main)
    for name, command in walk(cli.main, "annotate"):
        _, _, section = page.partition(f"\n## {name}\n")
        section = section.partition("\n## ")[0]
        assert f"\n```\n{name} [OPTIONS]" in section
        assert "\nExamples:\n\n```sh\n" in section
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0] in section, (name, parameter.name)
            else:
                assert parameter.make_metavar(click.Context(command)) in section


def test_its_links_lead_somewhere(made):
    page = made.reference(cli.main)
    titles = re.findall(r"^## (.*)$", page, re.MULTILINE)
    anchors = re.findall(r"\]\(#([^)]*)\)", page)
    assert anchors == [title.replace(" ", "-") for title in titles]


def test_exit_codes_of_its_own_come_last(made):
    page = made.reference(cli.main)
    section = page.partition("\n## annotate doctor\n")[2].partition("\n## ")[0]
    assert section.rstrip().endswith(
        "Exit codes: 0 nothing failed, 2 wrong use, 3 something failed."
    )


def test_the_command_that_updates_it_writes_the_same_whatever_the_terminal(tmp_path):
    script = tmp_path / "cli_reference.py"
    script.write_text((DOCS / "cli_reference.py").read_text())
    for columns in ("40", "200"):
        subprocess.run(
            [sys.executable, script], check=True, env=environ(COLUMNS=columns), capture_output=True
        )
        written = (tmp_path / "reference.md").read_text(encoding="utf-8")
        assert written == (DOCS / "reference.md").read_text(encoding="utf-8")


def environ(**changed):
    return {**os.environ, "PYTHONPATH": str(DOCS.parent), **changed}


def walk(group, prefix):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from walk(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command
