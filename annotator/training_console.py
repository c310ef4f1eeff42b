"""How trainings and evaluations look: curves as they grow, tables for people and papers."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from annotator.console import literal, out_console, progress_console, say
from annotator.learning.training import Epoch, Watcher
from annotator.metrics import tables
from annotator.metrics.evaluate import Evaluation, Summary, summarise


class _TrainingDisplay:
    """A bar over all steps on a terminal, and a line or a JSON object an epoch."""

    def __init__(self, *, as_json: bool, silent: bool) -> None:
        console = progress_console()
        self._as_json, self._silent = as_json, silent
        self._bar = Progress(
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=silent or not console.is_terminal,
        )
        self._console = console
        self._task = self._bar.add_task("training", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)

    def epoch(self, epoch: Epoch) -> None:
        if self._silent:
            return
        if self._as_json:
            sys.stdout.write(json.dumps({"event": "epoch", **asdict(epoch)}) + "\n")
            sys.stdout.flush()
            return
        mark = "  best so far" if epoch.best else ""
        self._console.print(
            f"epoch {epoch.number:3}: loss {epoch.losses['total']:.4f}, "
            f"validation {epoch.score:.4f}{mark}",
            highlight=False,
        )


@contextmanager
def training_display(*, as_json: bool, silent: bool = False) -> Iterator[Watcher]:
    """What shows a training's progress: on the error stream, or as JSON lines on the output."""
    with _TrainingDisplay(as_json=as_json, silent=silent) as display:
        yield display


def print_trained(model: Path, validation: Mapping[str, object], *, as_json: bool) -> None:
    """Where the model lies and how good it is on the split that chose it."""
    if as_json:
        done = {"event": "done", "model": str(model), "validation": validation}
        sys.stdout.write(json.dumps(done) + "\n")
        return
    say(f"Model: {model}")
    say("`annotate eval` measures it; `annotate models import` takes it into a workspace.")


def print_evaluations(evaluations: Mapping[str, Evaluation], style: str) -> None:
    """One column a model; of several models also mean and standard deviation.

    `style` is table, json or latex.
    """
    results: dict[str, Evaluation | Summary] = dict(evaluations)
    if len(evaluations) > 1:
        results["mean ± sd"] = summarise(list(evaluations.values()))
    if style == "json":
        sys.stdout.write(tables.as_json(results) + "\n")
        return
    shown = [tables.metric_table(results)]
    if len(evaluations) == 1:
        shown.append(tables.label_table(next(iter(evaluations.values()))).turned())
    for table in shown:
        if style == "latex":
            sys.stdout.write(tables.latex(table) + "\n")
        else:
            out_console().print(_rich(table))


def _rich(table: tables.Table) -> RichTable:
    first, *others = table.header
    shown = RichTable(literal(first))
    for name in others:
        shown.add_column(literal(name), justify="right")
    for row in table.rows:
        shown.add_row(*map(literal, row))
    return shown
