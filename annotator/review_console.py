"""How a review looks: progress of sending and fetching, what came of it, and agreement."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from annotator.acquisition.suggest import Suggestions
from annotator.console import literal, out_console, print_json, progress_console, say
from annotator.imports.labels import Imported
from annotator.labels.agreement import Agreement
from annotator.labels.annotators import Annotator
from annotator.labels.consensus import Consensus
from annotator.labels.figure import Figure
from annotator.labelstudio.export import Review
from annotator.labelstudio.pull import Pull
from annotator.store.review_records import ReviewProject


class Advance(Protocol):
    """Told how many more are done, and of how many in all."""

    def __call__(self, count: int, total: int | None = ..., /) -> None:
        """Move the bar."""


MAX_NAMED = 10  # of the figures that a line is about
MAX_PROBLEMS = 20  # lines; --json has all of them


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Advance]:
    """A bar on the error stream of a terminal; yields what is told how many more are done.

    It may be told the total, too, where that becomes known only then.
    """
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
        yield lambda count, total=total: bar.update(task, advance=count, total=total)


def print_imported(found: Sequence[Imported], project: ReviewProject, *, as_json: bool) -> None:
    """What came of files with answers, and what in them was left out."""
    if as_json:
        files = [{**asdict(one), "file": one.file} for one in found]
        print_json({"project": project.title, "labels": project.labels, "files": files})
        return
    console = progress_console()
    for one in found:
        for left in one.left_out[:MAX_PROBLEMS]:
            line = literal(f"left out: {one.file.name}, {left.place}: {left.reason}")
            console.print(f"[red]{line}", highlight=False)
        if len(one.left_out) > MAX_PROBLEMS:
            console.print(f"and {len(one.left_out) - MAX_PROBLEMS} more: --json has all of them")
        if one.ignored:
            line = f"{one.file.name}: columns that are no label here: {', '.join(one.ignored)}"
            console.print(f"[yellow]{literal(line)}", highlight=False)
        answers = one.answers
        silent = f", {one.silent} rows without an answer" if one.silent else ""
        say(
            f"{one.file.name}: {answers.new} new answers, {answers.changed} changed, "
            f"{answers.known} known, {len(one.left_out)} left out{silent}."
        )


def print_review(review: Review, *, shown: bool, dry_run: bool, as_json: bool) -> None:
    """Where clips went for review, or would go, and what could not be sent."""
    if as_json:
        print_json({"dry_run": dry_run, **asdict(review)})
        return
    console = progress_console()
    for failed in review.failed:
        place = f"{failed.path} [{failed.start_ms / 1000:.1f}-{failed.end_ms / 1000:.1f} s]"
        console.print(f"[red]{literal(f'failed: {place}: {failed.reason}')}", highlight=False)
    more = f"; {review.copies} copies of them left out" if review.copies else ""
    more += f"; {review.audit} of them drawn at random for the audit" if review.audit else ""
    if dry_run:
        say(
            f"Would send {review.chosen - review.there} clips to project {review.title!r}, where "
            f"{review.there} of the {review.chosen} are already{more}."
        )
    elif review.push is None:
        say(f"Wrote {review.chosen - len(review.failed)} tasks to {review.out}{more}.")
        say(
            "To have them sent, set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY (Account & Settings "
            "there) and leave --out away; or import the file in Label Studio."
        )
        if review.audit:
            say("Which clips are of the audit is not recorded: only a push to a server keeps it.")
        if review.storage is not None:
            say(
                "For the clips to play, start Label Studio with "
                "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={review.storage.parent}, and add "
                f"{review.storage} as a local storage of the project."
            )
    else:
        doubles = f", {review.push.doubles} doubles removed" if review.push.doubles else ""
        lost = review.push.completed
        completed = (
            f", {lost} of them without the model's answer, which is there now" if lost else ""
        )
        say(
            f"Sent {review.push.sent} clips to project {review.project} {review.title!r}; "
            f"{review.there} were there{completed}{doubles}{more}."
        )
    if review.unlike:
        print_problems([_unlike(review.unlike, shown=shown)])


def _unlike(count: int, *, shown: bool) -> str:
    """What is said of clips that were sent the other way before.

    >>> _unlike(3, shown=True)[:45]
    '3 of the clips are there blind, and stay so: '
    """
    how, wish = (
        ("blind", "with the model's answer")
        if shown
        else ("with the model's answer shown", "blind")
    )
    return (
        f"{count} of the clips are there {how}, and stay so: name another project with --project "
        f"to have them {wish}"
    )


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


def print_agreements(
    found: Sequence[tuple[ReviewProject, Agreement, Sequence[Consensus]]], *, as_json: bool
) -> None:
    """How far each project's people agree, and what becomes of its clips."""
    if as_json:
        print_json({"projects": [_agreed(*project) for project in found]})
        return
    for project in found:
        _print_agreement(*project)


def _agreed(
    project: ReviewProject, found: Agreement, clips: Sequence[Consensus]
) -> dict[str, object]:
    return {
        "project": project.number,
        "title": project.title,
        "server": project.server,
        "agreement": asdict(found),
        "clips": [asdict(clip) for clip in clips],
    }


def _print_agreement(project: ReviewProject, found: Agreement, clips: Sequence[Consensus]) -> None:
    states = Counter(clip.state for clip in clips)
    say(
        f"project {project.number} {project.title!r}: {found.votes} answers to "
        f"{found.clips} clips; {states['labelled']} decided, {states['open']} open, "
        f"{states['unusable']} unusable."
    )
    if not found.votes:
        return
    out = out_console()
    alphas = Table("label", "alpha", "95 %", "clips", title="Krippendorff's alpha")
    for label, figure in {**found.alpha, "(whole answer)": found.alpha_sets}.items():
        alphas.add_row(literal(label), _value(figure), _interval(figure), str(figure.clips))
    out.print(alphas)
    _print_reasons("alpha", {**found.alpha, "(whole answer)": found.alpha_sets})
    if found.pairs:
        pairs = Table("pair", "clips", *found.alpha, "mean", title="Cohen's kappa")
        for pair in found.pairs:
            kappas = [_value(pair.kappa[label]) for label in found.alpha]
            who = literal(f"{pair.first} and {pair.second}")
            pairs.add_row(who, str(pair.clips), *kappas, _value(pair.mean))
        out.print(pairs)
        _print_reasons(
            "kappa",
            {
                f"{pair.first} and {pair.second}, {label}": kappa
                for pair in found.pairs
                for label, kappa in pair.kappa.items()
            },
        )
    people = Table("person", "answers", *_OF_PEOPLE)
    for person in found.annotators:
        figures = [figure_of(person) for figure_of in _OF_PEOPLE.values()]
        people.add_row(literal(person.name), str(person.votes), *map(_value, figures))
    out.print(people)
    by_name = {person.name: person for person in found.annotators}
    for what, figure_of in _OF_PEOPLE.items():
        _print_reasons(what, {name: figure_of(person) for name, person in by_name.items()})


_OF_PEOPLE: Mapping[str, Callable[[Annotator], Figure]] = {
    "like the others": lambda person: person.overall.share,
    "kappa": lambda person: person.overall.kappa,
    "seconds": lambda person: person.seconds,
    "unchanged": lambda person: person.unchanged,
    "unusable": lambda person: person.unusable,
}


def _print_reasons(what: str, figures: Mapping[str, Figure]) -> None:
    """Why figures of a table are unknown, a line a reason."""
    named: dict[str, list[str]] = {}
    for name, figure in figures.items():
        if figure.reason is not None:
            named.setdefault(figure.reason, []).append(name)
    for reason, names in named.items():
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        say(f"{what} unknown of {'; '.join(names[:MAX_NAMED])}{more}: {reason}.")


def _value(figure: Figure) -> str:
    return "unknown" if figure.value is None else f"{figure.value:.3f}"


def _interval(figure: Figure) -> str:
    return "" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"


def print_suggestions(found: Suggestions, *, as_json: bool) -> None:
    """Clips that need another rater or a first one, a reason a line."""
    if as_json:
        print_json({"by": found.by, "notes": found.notes, "suggestions": found.suggestions})
        return
    for one in found.suggestions:
        place = f"{one.path.name} {one.start_ms / 1000:.1f} to {one.end_ms / 1000:.1f} s"
        say(f"{one.needs} rater: clip {one.clip_id}, {place}: {one.reason}")
    if not found.suggestions:
        say("No clip needs a rater.")
    print_problems(found.notes)


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
