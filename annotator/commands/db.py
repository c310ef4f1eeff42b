"""Commands about the database itself: db copy."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotator.commands.options import json_option
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.store.engine import Store


@click.group()
def db() -> None:
    """Move the database of a workspace.

    \b
    Examples:
      annotate db copy .annotate postgresql://me@db.example.org/emotions
    """


@db.command()
@click.argument("source")
@click.argument("destination")
@json_option
def copy(source: str, destination: str, as_json: bool) -> None:
    """Copy a database into an empty one, and check that they are the same.

    Each is a workspace folder, the file of an SQLite database, or the URL of a PostgreSQL one.
    Every number is kept. All is read back and compared before it counts: an interrupted copy leaves
    nothing. Features, models and excerpts stay where they are.

    \b
    Examples:
      annotate db copy .annotate postgresql://me@db.example.org/emotions
      annotate db copy postgresql://me@db.example.org/emotions backup.db --json
    """
    from annotator import console
    from annotator.review_console import counting
    from annotator.store.transfer import copy as copy_all

    with (
        _opened(source, create=False) as old,
        _opened(destination, create=True) as new,
        counting("rows", None) as advance,
    ):
        if old.place == new.place:
            raise UsageError(f"{old.place} is both source and destination: name two databases")
        copied = copy_all(old, new, advance)
    console.print_copied(copied, new.place, as_json=as_json)


def _opened(text: str, *, create: bool) -> "Store":
    from annotator.store.engine import open_store
    from annotator.workspace import open_workspace

    path = Path(text)
    if "://" not in text and path.is_dir():
        return open_workspace(path, create=False).open_store()
    return open_store(text if "://" in text else path.absolute(), create=create)
