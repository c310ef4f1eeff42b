"""Shell completion: the command that prints the script, and what completes values."""

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
VARIABLE = "_ANNOTATE_COMPLETE"  # how the script asks; click reads it
SHIPPED = ("starter", "untrained")  # models that any workspace has; `registry` would load numpy
STARTER = Path(__file__).parents[1] / "models" / "starter" / "model.json"
MAX_JSON_BYTES = 1 << 20
# Other values are left out: shells would split them, or take a part of them for a command.
_PLAIN = re.compile(r"\w[\w.+@:-]*")

Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the script that completes commands in a shell.

    Besides commands and options it completes the models, labels, splits and projects of the
    workspace. bash needs to be 4.4 or newer.

    \b
    Examples:
      eval "$(annotate completion bash)"     # in ~/.bashrc
      eval "$(annotate completion zsh)"      # in ~/.zshrc, after compinit
      annotate completion fish > ~/.config/fish/completions/annotate.fish
    """
    made = SHELLS[shell](click.Command("annotate"), {}, "annotate", VARIABLE)
    click.echo(made.source_template % made.source_vars())


def completer(values: Callable[[Path], Iterable[tuple[str, str]]]) -> Completer:
    """Complete from what is found in the workspace's folder; nothing where it cannot be read.

    Args:
        values: of the folder: each value and a word about it, which zsh and fish show.
    """

    def complete(
        ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from annotator.workspace import locate

        try:
            found = dict(values(locate(_named(ctx), os.environ, Path.cwd())))
        except (OSError, ValueError, LookupError, TypeError, RecursionError, sqlite3.Error):
            return []  # whoever presses the tab key wants no error
        fit = (value for value in found if _PLAIN.fullmatch(value))
        return [
            CompletionItem(value, help=_line(found[value]))
            for value in sorted(fit)
            if value.startswith(incomplete)
        ]

    return complete


def _named(ctx: click.Context) -> Path | None:
    """The workspace on the line that is being typed."""
    named = ctx.params.get("workspace")
    return named if isinstance(named, Path) else None


def _line(text: str) -> str | None:
    return "".join(c for c in text if c.isprintable()) or None


def _models(root: Path) -> Iterable[tuple[str, str]]:
    yield from ((name, "") for name in SHIPPED)
    yield from ((folder.name, "") for folder in root.glob("models/[!.]*/"))


def _labels(root: Path) -> Iterable[tuple[str, str]]:
    for description in (STARTER, *root.glob("models/[!.]*/model.json")):
        if description.stat().st_size <= MAX_JSON_BYTES:
            labels = json.loads(description.read_bytes())["config"]["labels"]
            yield from ((str(label), f"of model {description.parent.name}") for label in labels)


def _asked(query: str) -> Callable[[Path], Iterable[tuple[str, str]]]:
    """What the database answers with two columns, a value and a word about it."""

    def values(root: Path) -> Iterable[tuple[str, str]]:
        from annotator.store.readonly import reading

        with reading(root / "annotate.db") as database:
            return [(str(value), str(about)) for value, about in database.execute(query)]

    return values


complete_models = completer(_models)
complete_labels = completer(_labels)
complete_splits = completer(
    _asked("SELECT DISTINCT split, '' FROM clip WHERE split IS NOT NULL LIMIT 100")
)
complete_projects = completer(_asked("SELECT number, title FROM project LIMIT 1000"))
