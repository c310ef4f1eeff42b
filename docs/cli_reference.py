"""The reference of the command line, made of the commands themselves.

    python docs/cli_reference.py

writes docs/reference.md; a test fails where that is not what the commands say.
"""

import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

import cli

OUT = Path(__file__).with_name("reference.md")
EXAMPLES = re.compile(r"\x08\nExamples?:\n(.*)", re.DOTALL)
EXIT_CODES = "Exit codes: "
HEAD = """\
# The commands

Made by `python docs/cli_reference.py` from what `annotate COMMAND --help` says; do not edit.

Every command has `--help`. What reports has `--json`: one JSON document on the output stream
(`train` and `finetune`: one a line, for every epoch and at the end), and nothing else there; what
is said meanwhile goes to the error stream. `NO_COLOR` in the environment turns colours off, and a
pipe never gets any. Where there is none of its own, the exit codes of a command are:

| code | means |
|---|---|
| 0 | done |
| 1 | done, but some clips failed |
| 2 | wrong use: an option, a file or a name that cannot be |
| 3 | the environment's fault: no ffmpeg, a full disk, a locked database, a server that is down |
| 130 | interrupted; the same command goes on from there |
"""


def reference(group: click.Group) -> str:
    """The whole page in Markdown: a list of commands, then a section for each."""
    commands = list(_walk(group, "annotate"))
    rows = [f"- [`{name}`](#{_anchor(name)}): {_parts(found)[0]}" for name, found in commands]
    sections = [_section(name, found) for name, found in commands]
    return "\n".join([HEAD, *rows, "", *sections]).rstrip() + "\n"


def _walk(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _walk(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    synopsis = " ".join([name, *command.collect_usage_pieces(context)])
    summary, paragraphs, examples = _parts(command)
    codes = [text.removeprefix(EXIT_CODES) for text in paragraphs if text.startswith(EXIT_CODES)]
    described = [text for text in paragraphs if not text.startswith(EXIT_CODES)]
    parts = [
        f"## {name}",
        summary,
        f"```\n{synopsis}\n```",
        *described,
        _options(command, context),
        f"Examples:\n\n```sh\n{examples}\n```",
        *(f"Exit codes: {text}" for text in codes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _parts(command: click.Command) -> tuple[str, list[str], str]:
    """Of the help: its first sentence, the paragraphs that follow, and the examples."""
    text = inspect.cleandoc(command.help or "")
    found = EXAMPLES.search(text)
    examples = inspect.cleandoc(found[1]) if found else ""
    summary, *paragraphs = (EXAMPLES.sub("", text)).strip().split("\n\n")
    return summary, paragraphs, examples


def _options(command: click.Command, context: click.Context) -> str:
    """A row an option; arguments stand in the synopsis, and --help is everywhere."""
    options = [option for option in command.params if isinstance(option, click.Option)]
    records = [option.get_help_record(context) for option in options]
    rows = [_row(record) for record in records if record]
    return "\n".join(["| option | |", "|---|---|", *rows]) if rows else ""


def _row(record: Iterable[str]) -> str:
    option, text = (re.sub(r"\s+", " ", part).replace("|", "\\|") for part in record)
    return f"| `{option}` | {text} |"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def main() -> None:
    """Write the page."""
    OUT.write_text(reference(cli.main), encoding="utf-8")
    print(f"wrote {os.path.relpath(OUT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
