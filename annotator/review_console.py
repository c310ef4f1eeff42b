"""How a review looks: progress of sending and fetching, what came of it, and agreement."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from annotator.console import literal, print_json, progress_console, say
from annotator.labelstudio.pull import Pull
from annotator.store.review_records import ReviewProject

MAX_PROBLEMS = 20  # lines; --json has all of them


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on the error stream of a terminal; yields what is told how many more are done."""
    console = progress_console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task(what, total=total)
    with bar:
        yield lambda count: bar.advance(task, count)


def print_pulled(pulled: Sequence[tuple[ReviewProject, Pull]], *, as_json: bool) -> None:
    """What came back from each project, and what was left alone and why."""
    if as_json:
        print_json({"projects": [_pulled(project, pull) for project, pull in pulled]})
        return
    for project, pull in pulled:
        answers = pull.answers
        lost = f", {pull.gone} tasks are gone from the server" if pull.gone else ""
        say(
            f"project {project.number} {project.title!r}: {answers.new} new answers, "
            f"{answers.changed} changed, {answers.deleted} deleted{lost}."
        )
        print_problems(pull.problems)


def print_problems(problems: Sequence[str]) -> None:
    """A line each on the error stream, at most MAX_PROBLEMS."""
    console = progress_console()
    for problem in problems[:MAX_PROBLEMS]:
        console.print(literal(f"note: {problem}"), highlight=False)
    if len(problems) > MAX_PROBLEMS:
        console.print(f"note: {len(problems) - MAX_PROBLEMS} more; --json lists all of them")


def _pulled(project: ReviewProject, pull: Pull) -> dict[str, object]:
    return {
        "project": project.number,
        "title": project.title,
        "server": project.server,
        "new": pull.answers.new,
        "changed": pull.answers.changed,
        "deleted": pull.answers.deleted,
        "known": pull.answers.known,
        "tasks": pull.tasks,
        "gone": pull.gone,
        "problems": list(pull.problems),
    }
