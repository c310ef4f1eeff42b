"""Completion: the scripts, and values that come quickly, quietly and without a trace."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

import cli
from annotator.commands.completion import SHELLS
from annotator.workspace import open_workspace
from commands import COMMAND, annotate


def completed(*words):
    """What the last of the words may become."""
    complete = ShellComplete(cli.main, {}, "annotate", "_ANNOTATE_COMPLETE")
    return {item.value for item in complete.get_completions(list(words[:-1]), words[-1])}


@pytest.fixture
def workspace(tmp_path):
    made = open_workspace(tmp_path / ".annotate", create=True)
    made.open_store().close()
    model = made.models / "mine"
    model.mkdir()
    (model / "model.json").write_text(json.dumps({"config": {"labels": ["joy", "a b", "$(id)"]}}))
    (made.models / ".draft").mkdir()
    with closing(sqlite3.connect(made.database)) as raw, raw:
        raw.execute("INSERT INTO project VALUES (1, 'http://ls', 7, 'my\nproject', '[]', 0, NULL)")
    return made


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_that_its_shell_reads(shell):
    done = annotate("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "_ANNOTATE_COMPLETE" in done.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.out.encode(), check=True)


def test_bash_completes_with_it(workspace):
    script = """
        eval "$(annotate completion bash)"
        COMP_WORDS=(annotate models show mi); COMP_CWORD=3; COMPREPLY=()
        _annotate_completion annotate; echo "${COMPREPLY[@]}"
    """
    path = f"{Path(COMMAND).parent}:/usr/bin:/bin"
    environ = {**os.environ, "PATH": path}
    done = subprocess.run(["bash", "-c", script], capture_output=True, env=environ, check=True)
    assert done.stdout == b"mine\n", done.stderr


def test_commands_and_options():
    assert completed("doc") == {"doctor"}
    assert completed("completion", "") == set(SHELLS)
    assert "--model" in completed("list", "--mo")


def test_models_labels_and_projects_of_the_workspace(workspace):
    assert completed("run", "--model", "") == {"mine", "starter", "untrained"}
    assert completed("models", "show", "m") == {"mine"}
    assert {"joy", "happy"} <= completed("list", "--label", "")
    assert not completed("list", "--label", "$") | completed("list", "--label", "a ")
    assert completed("pull", "--project", "") == {"7"}
    assert completed("list", "--split", "") == set()


def test_the_workspace_that_is_named_counts(workspace, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert "mine" not in completed("list", "--model", "")
    assert "mine" in completed("list", "--workspace", str(workspace.root), "--model", "")


def test_nothing_is_made(tmp_path):
    for command in ("run", "init", "list", "export"):
        completed(command, "--workspace", str(tmp_path / "w"), "--")
        completed(command, "--")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"config": 3}', b"\xff", b"[" * 100_000, b'{"config": {"labels": 5}}'],
)
def test_what_is_damaged_completes_to_nothing(workspace, content):
    (workspace.models / "mine" / "model.json").write_bytes(content)
    workspace.database.write_bytes(content or b"no database")
    assert completed("list", "--label", "") == set()
    assert completed("pull", "--project", "") == set()
    assert completed("list", "--split", "") == set()


def test_a_model_may_be_completed_wherever_it_is_named():
    for names, command in commands(cli.main):
        for parameter in command.params:
            if "--model" in parameter.opts:
                assert parameter._custom_shell_complete, names


def commands(group: click.Group, prefix=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


def test_it_loads_nothing_heavy(workspace):
    code = (
        "import sys, cli\n"
        "from click.shell_completion import ShellComplete\n"
        "made = ShellComplete(cli.main, {}, 'annotate', 'X')\n"
        "for option in ('--model', '--label', '--split'):\n"
        "    made.get_completions(['list', option], '')\n"
        "made.get_completions(['pull', '--project'], '')\n"
        "print([n for n in ('torch', 'numpy', 'sqlalchemy', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
