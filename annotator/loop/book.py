"""The record of a workspace's loops: a file that is only added to, a line a finished step."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from annotator import journal
from annotator.errors import UsageError
from annotator.loop.records import Entry, Fact, Round, Step, fact_of, rounds_of
from annotator.workspace import Workspace

FILE = "loop.jsonl"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Book:
    """One loop's part of the record: that of the project it asks in."""

    file: Path
    project: str
    now: Callable[[], datetime] = _now

    def rounds(self) -> list[Round]:
        """Its rounds, the last of which may be under way.

        Raises:
            UsageError: the record is damaged.
        """
        return rounds_of(read(self.file), self.project)

    def write(self, round_: int, step: Step, fact: Fact) -> None:
        """Write down that a step is done.

        Raises:
            EnvironmentFault: the disk is full, or the workspace cannot be written to.
        """
        entry = Entry(self.project, round_, step, fact, self.now().isoformat())
        journal.append(self.file, asdict(entry))


def book_of(workspace: Workspace, project: str) -> Book:
    """The record of the loop of a project, named as it was on the command line."""
    return Book(workspace.root / FILE, project)


def loops(workspace: Workspace, project: str | None) -> dict[str, list[Round]]:
    """The rounds of the loop of a project, or of every loop, the oldest first.

    Raises:
        UsageError: there is no such loop, or the record is damaged.
    """
    entries = read(workspace.root / FILE)
    known = list(dict.fromkeys(entry.project for entry in entries))
    if project is not None and project not in known:
        names = ", ".join(map(repr, known)) or "none"
        raise UsageError(f"no loop in project {project!r}: expected one of {names}")
    return {name: rounds_of(entries, name) for name in known if project in {None, name}}


def read(file: Path) -> list[Entry]:
    """All entries, the oldest first.

    Raises:
        UsageError: a line is none.
    """
    return [_entry(found, file, number) for number, found in journal.entries(file)]


def _entry(found: object, file: Path, number: int) -> Entry:
    try:
        if not isinstance(found, dict):
            raise ValueError("no object")
        project, round_, step, at = (found.get(k) for k in ("project", "round", "step", "at"))
        if not (isinstance(project, str) and isinstance(at, str)):
            raise ValueError("no project or time")
        if type(round_) is not int or round_ < 1:
            raise ValueError("no round")
        return Entry(project, round_, step, fact_of(step, found.get("fact")), at)  # type: ignore[arg-type]
    except ValueError as error:
        raise UsageError(
            f"line {number} of {file} is no step of a loop ({error}): take the line out, and the "
            "step is done again"
        ) from error
