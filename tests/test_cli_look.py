"""One look across all commands: help, JSON, colours. New commands are in it by themselves."""

import ast
import inspect
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import annotator
import cli
from annotator.workspace import open_workspace
from commands import COMMAND, annotate

# Commands without --json or --format json, and why.
SAYS_NO_MORE_THAN_A_LINE = "it makes a workspace and says where"
IS_A_SERVER = "it says where it listens and goes on until Ctrl-C"
WITHOUT_JSON = {
    "init": SAYS_NO_MORE_THAN_A_LINE,
    "serve": IS_A_SERVER,
    "serve-media": IS_A_SERVER,
    "completion": "it prints a script for a shell",
}
HEAVY = ("torch", "numpy", "sqlalchemy", "alembic", "rich", "cv2", "onnxruntime", "av",
         "label_studio_sdk", "matplotlib", "sklearn", "pyarrow")  # fmt: skip
COLOUR = re.compile(rb"\x1b\[[0-9;]*?(?:3|4|9|10)[0-7](?:;|m)")
READ = (["status"], ["list"], ["list", "--failed"], ["models", "list"], ["doctor"], ["show", "9"])


def walk(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command and group by its full name."""
    for name, command in group.commands.items():
        full = f"{prefix}{name}"
        yield full, command
        if isinstance(command, click.Group):
            yield from walk(command, f"{full} ")


ALL = dict(walk(cli.main))
COMMANDS = {name: found for name, found in ALL.items() if not isinstance(found, click.Group)}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_a_sentence_that_fits_an_explanation_and_examples(name):
    text = inspect.cleandoc(COMMANDS[name].help or "")
    first, *rest = text.split("\n\n")
    assert "\n" not in first
    assert re.fullmatch(r"[A-Z][^.!?]*(\([^)]*\))?[.?]", first), first
    examples = rest[-1]
    assert re.match(r"\x08\nExamples?:\n  ", examples), "examples come last, under \\b"
    assert any(line.startswith(f"  annotate {name}") for line in examples.splitlines())
    shown = CliRunner().invoke(cli.main, [*name.split(), "--help"], terminal_width=80)
    assert shown.exit_code == 0
    assert max(map(len, shown.output.splitlines())) <= 90  # examples are never wrapped


@pytest.mark.parametrize("group", ["", *(n for n, c in ALL.items() if isinstance(c, click.Group))])
def test_no_list_of_commands_is_cut_off(group):
    shown = CliRunner().invoke(cli.main, [*group.split(), "--help"], terminal_width=80)
    assert "..." not in shown.output.split("Commands:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_what_reports_has_json(name):
    options = {option.name: option for option in COMMANDS[name].params}
    style = options.get("style")
    formats = style.type.choices if style and isinstance(style.type, click.Choice) else ()
    assert ("as_json" in options or "json" in formats) != (name in WITHOUT_JSON)


def test_every_exception_is_a_command():
    assert WITHOUT_JSON.keys() <= COMMANDS.keys()


def test_no_help_imports_anything_heavy():
    """All in one process: what one of them imports would show."""
    code = (
        "import sys, cli\n"
        f"for names in {[name.split() for name in ALL]!r}:\n"
        "    cli.main([*names, '--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == "[]"


def test_all_that_is_printed_goes_through_one_door():
    """`annotator.console` alone decides about colours: none of its own making, no click styles."""
    for path in Path(annotator.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"click.secho", "click.style", "rich.print"}, path
                assert called != "Console" or path.name == "console.py", path


@pytest.fixture
def workspace(tmp_path):
    made = open_workspace(tmp_path / ".annotate", create=True)
    made.open_store().close()
    return made


@pytest.mark.parametrize("words", READ, ids=" ".join)
def test_a_pipe_gets_no_escapes(workspace, words):
    done = annotate(*words)
    assert done.out + done.err
    assert "\x1b" not in done.out + done.err


def on_terminal(words: list[str], **environ: str) -> bytes:
    """What a command writes to a terminal."""
    terminal, end = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in environ}
    process = subprocess.Popen(
        [COMMAND, *words], stdout=end, stderr=end, stdin=end,
        env=clean | {"TERM": "xterm-256color"} | environ,
    )  # fmt: skip
    os.close(end)
    written = b""
    try:
        while part := os.read(terminal, 65536):
            written += part
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(terminal)
        process.wait(timeout=60)
    return written


@pytest.mark.parametrize("words", READ, ids=" ".join)
def test_no_color_is_obeyed(workspace, words):
    assert not COLOUR.search(on_terminal(words, NO_COLOR="1"))


def test_a_terminal_without_it_has_colours(workspace):
    assert COLOUR.search(on_terminal(["doctor"], LABEL_STUDIO_URL="", LABEL_STUDIO_API_KEY=""))
