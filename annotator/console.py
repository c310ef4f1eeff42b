"""How results look: tables for people, JSON for machines, progress on the error stream."""

import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from annotator.export.exported import Exported
from annotator.registry import ModelVersion
from annotator.store.records import (
    ClipDetail,
    Failure,
    RankedClip,
    Status,
    StoredPrediction,
)
from annotator.store.review_records import IMPORTED, ClipAnswer, ProjectCounts
from annotator.types import MODALITIES
from annotator.workspace import Workspace

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from annotator.store.transfer import Copied

PIPE_WIDTH = 140  # columns of a table where nobody says how wide the page is

UNTRAINED = (
    "The model {name!r} is UNTRAINED: its weights are random, and every probability and "
    "uncertainty from it is noise."
)


def printable(text: object) -> str:
    """Text that any terminal can show: undecodable bytes and line breaks are escaped.

    >>> len(printable(chr(10)))
    2
    """
    escaped = str(text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped)


def literal(text: object) -> str:
    r"""Text that rich prints as it is: without control characters, and with no markup in it.

    >>> print(literal("[red]x.mp4"))
    \[red]x.mp4
    """
    return escape(printable(text))


def print_json(data: object) -> None:
    """One JSON document on the output stream.

    It is ASCII: a byte of a path that is not UTF-8 comes as Python has it, a lone surrogate.
    """
    sys.stdout.write(json.dumps(data, default=_plain, indent=2) + "\n")


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return members(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def members(value: "DataclassInstance") -> dict[str, object]:
    """The fields by name, one level deep: `asdict` cannot copy read-only mappings."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def say(text: str) -> None:
    """A line for people, on the output stream."""
    out_console().print(literal(text), highlight=False)


def warn_if_untrained(model: ModelVersion) -> None:
    """Say loudly, on the error stream, that an untrained model's numbers mean nothing."""
    if not model.trained:
        progress_console().print(
            f"[bold red]{literal(UNTRAINED.format(name=model.name))}", highlight=False
        )


def out_console() -> Console:
    """The output stream; a table is given a page's width where there is no terminal."""
    return _console(sys.stdout, None if sys.stdout.isatty() else PIPE_WIDTH)


def progress_console() -> Console:
    """The error stream, for what goes on and what went wrong."""
    return _console(sys.stderr)


def _console(stream: TextIO, width: int | None = None) -> Console:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # its encoding may lack a character
    return Console(file=stream, soft_wrap=True, width=width, emoji=False)


def print_ranked(
    clips: Sequence[RankedClip], model: ModelVersion, by: str, *, as_json: bool
) -> None:
    """Clips in their order, a row each, with the probability of every label."""
    if as_json:
        print_json({"model": model.name, "trained": model.trained, "by": by, "clips": list(clips)})
        return
    warn_if_untrained(model)
    title = f"model {literal(model.name)}" + ("" if model.trained else " (UNTRAINED)")
    names = (by, *map(literal, model.labels))
    numbers = (Column(name, justify="right", no_wrap=True) for name in names)
    table = Table("clip", Column("file", overflow="fold"), "from", "to", *numbers, title=title)
    for clip in clips:
        probabilities = {label.label: label.p for label in clip.scores.labels}
        table.add_row(
            str(clip.clip_id),
            literal(clip.path.name),
            _seconds(clip.start_ms),
            _seconds(clip.end_ms),
            f"{clip.score:.3f}",
            *(f"{probabilities[label]:.2f}" for label in model.labels),
        )
    out_console().print(table)


def print_failures(failures: Sequence[Failure], *, as_json: bool) -> None:
    """Every failed file and clip, with stage and reason."""
    if as_json:
        print_json(list(failures))
        return
    table = Table("clip", "file", "from", "to", "stage", "reason")
    for failure in failures:
        table.add_row(
            "" if failure.clip_id is None else str(failure.clip_id),
            literal(failure.path),
            _seconds(failure.start_ms),
            _seconds(failure.end_ms),
            failure.stage,
            literal(failure.reason),
        )
    out_console().print(table if failures else "Nothing failed.")


def print_status(workspace: Workspace, status: Status, *, as_json: bool) -> None:
    """What the workspace holds."""
    if as_json:
        print_json({"workspace": workspace.root, **members(status)})
        return
    table = Table(show_header=False, box=None)
    table.add_row("workspace", literal(workspace.root))
    table.add_row("files", _counts(status.media))
    table.add_row("clips", _counts(status.clips))
    table.add_row("hours", f"{status.media_ms / 3_600_000:.2f}")
    for model in status.models:
        count = status.predictions.get(model.name, 0)
        mark = "" if model.trained else " [bold red]UNTRAINED: random weights, numbers are noise"
        table.add_row("model", f"{literal(model.name)}: {count} clips annotated{mark}")
    if status.held.files:
        held = f"{status.held.files} files, by {status.held.owners} runs at work"
        table.add_row("claimed", held)
    for project in status.projects:
        table.add_row("project", literal(_project(project)))
    if (last := status.last_run) is not None:
        table.add_row("last run", f"{last.state}, begun {last.started_at:%Y-%m-%d %H:%M} UTC")
    out_console().print(table)
    if status.failures:
        failures = Table("failed", "stage", "reason", title="Failures")
        for failure in status.failures:
            of = f"{failure.count} {failure.kind}"
            failures.add_row(of, failure.stage, literal(failure.reason))
        out_console().print(failures)
        say("`annotate retry` marks them to be tried again by the next run.")


def _project(project: ProjectCounts) -> str:
    answers = f"answers: {_counts(project.answers)}"
    if project.server == IMPORTED:
        return f"{project.title}: from files, {answers}"
    return f"{project.number} {project.title}: {project.tasks.get('there', 0)} tasks, {answers}"


def print_copied(copied: "Sequence[Copied]", place: str, *, as_json: bool) -> None:
    """What was copied into a database, table by table."""
    if as_json:
        print_json({"destination": place, "tables": list(copied)})
        return
    table = Table("table", Column("rows", justify="right"), "SHA-256 of the content")
    for one in copied:
        table.add_row(one.table, str(one.rows), one.sha256[:16])
    out_console().print(table)
    say(f"All of it is in {place}, read back and compared.")


def print_details(clips: Sequence[ClipDetail], *, as_json: bool) -> None:
    """All that is known of the clips."""
    if as_json:
        print_json(list(clips))
        return
    for clip in clips:
        out_console().print(_detail_table(clip))
        for prediction in clip.predictions:
            out_console().print(_prediction_table(prediction))
        if clip.answers:
            out_console().print(_answer_table(clip.answers))


def _answer_table(answers: Sequence[ClipAnswer]) -> Table:
    table = Table("person", "state", "labels", "seconds", "comment", title="What people answered")
    for given in answers:
        answer = given.answer
        labels = [
            label.label if label.intensity is None else f"{label.label} ({label.intensity} of 5)"
            for label in answer.labels
        ]
        said = ", ".join(labels) or ("neutral" if answer.neutral else "")
        seconds = "" if answer.lead_seconds is None else f"{answer.lead_seconds:.1f}"
        row = (answer.annotator, answer.state, said, seconds, answer.comment or "")
        table.add_row(*map(literal, row))
    return table


def _detail_table(clip: ClipDetail) -> Table:
    table = Table(show_header=False, box=None)
    span = f"{_seconds(clip.segment.start_ms)} to {_seconds(clip.segment.end_ms)} s"
    table.add_row("clip", f"{clip.clip_id}, {span}, bounds from {clip.segment.origin}")
    table.add_row("file", literal(clip.path))
    table.add_row("state", clip.state if clip.active else f"{clip.state}, no longer in the plan")
    if clip.reason is not None:
        table.add_row("reason", literal(f"{clip.stage}: {clip.reason}"))
    if clip.segment.text:
        origin = clip.segment.text_origin or "unknown origin"
        table.add_row("transcript", literal(f"{clip.segment.text} ({origin})"))
    for modality in MODALITIES:
        steps = clip.steps.get(modality)
        known = (
            f"{steps} steps" if steps else f"absent: {clip.absent.get(modality, 'not yet known')}"
        )
        table.add_row(modality, literal(known))
    return table


def _prediction_table(prediction: StoredPrediction) -> Table:
    scores = prediction.scores
    bald = "" if scores.bald is None else f", BALD {scores.bald:.3f}"
    title = (
        f"model {literal(prediction.model)}: variance {scores.variance:.3f}, "
        f"entropy {scores.entropy:.3f}, margin {scores.margin:.3f}{bald}"
    )
    columns = ("p", "p_mu", "p_sigma", "p_direct", "sigma_visual", "sigma_audio", "sigma_text")
    table = Table("label", *columns, title=title)
    for label in scores.labels:
        values = (getattr(label, column) for column in columns)
        table.add_row(literal(label.label), *("-" if v is None else f"{v:.3f}" for v in values))
    return table


def print_exported(exported: Exported, model: ModelVersion, *, as_json: bool) -> None:
    """How many clips were written and where to; of rows on the output stream nothing is said."""
    if as_json:
        known = {name: value for name, value in members(exported).items() if value is not None}
        print_json({**known, "out": exported.out, "model": model.name, "trained": model.trained})
        return
    if exported.out is None:
        return
    files = f", {exported.files} files" if exported.files is not None else ""
    splits = ", ".join(f"{name} {count}" for name, count in (exported.splits or {}).items())
    say(f"{exported.rows} clips written to {exported.out}{files}{splits and f': {splits}'}.")
    if exported.left_out:
        say(
            f"{exported.left_out} labelled clips were left out: the workspace has no features of "
            f"the extractors of model {model.name!r} for them; `annotate run` makes them."
        )


def print_retried(count: int, *, as_json: bool) -> None:
    """How many failures the next run will try again."""
    if as_json:
        print_json({"retried": count})
        return
    say(f"{count} marked to be tried again by the next `annotate run`.")


def print_done(text: str, facts: Mapping[str, object], *, as_json: bool) -> None:
    """What a command did: a line for people, an object for machines."""
    if as_json:
        print_json(facts)
    else:
        say(text)


def _seconds(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:.1f}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"
