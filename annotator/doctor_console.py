"""How the doctor's checks look."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from annotator.console import literal, out_console, print_json, say
from annotator.doctor.check import Check

STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def print_checks(checks: Sequence[Check], *, as_json: bool) -> None:
    """A row a check, with what to do below what was found; at the end how it went."""
    if as_json:
        print_json(list(checks))
        return
    table = Table("check", "state", "found, and what to do")
    for check in checks:
        lines = literal(check.found) + (f"\n→ {literal(check.remedy)}" if check.remedy else "")
        table.add_row(literal(check.name), f"[{STYLES[check.state]}]{check.state}", lines)
    out_console().print(table)
    counts = Counter(check.state for check in checks)
    say(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed.")
