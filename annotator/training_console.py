"""How trainings and evaluations look: curves as they grow, tables for people and papers."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from annotator.console import literal, out_console, print_json, progress_console, say
from annotator.experiments.corruption_curves import CorruptionCurves
from annotator.experiments.crosseval import CrossEvaluation
from annotator.experiments.diagnosis import Diagnosis
from annotator.experiments.diagnosis_propagation import ErrorPropagation
from annotator.finetune import Finetuned
from annotator.learning.epochs import Epoch
from annotator.metrics import tables
from annotator.metrics.evaluate import Evaluation, Summary, summarise

HELD_OUT = ("mean_average_precision", "macro_f1", "micro_f1", "ece", "log_loss")


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

    def training(self, name: str, number: int, total: int) -> None:
        self._console.print(f"training {number} of {total}: {literal(name)}", highlight=False)

    def step(self, done: int, total: int, part: str) -> None:
        self._bar.update(self._task, completed=done, total=total, description=part)

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
def training_display(*, as_json: bool, silent: bool = False) -> Iterator["_TrainingDisplay"]:
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


def print_finetuned(done: Finetuned, *, as_json: bool) -> None:
    """What was learnt from, both models on the held-out clips, and the decision with its reason."""
    if as_json:
        sys.stdout.write(json.dumps({"event": "done", **done.to_json()}) + "\n")
        return
    plan, verdict = done.plan, done.verdict
    numbers = plan.reviewed.labels_from()
    sizes = ", ".join(f"{count} {name}" for name, count in plan.sizes().items())
    say(
        f"{numbers['answers']} answers of {numbers['people']} people to {numbers['clips']} clips "
        f"({sizes}), {plan.replayed} replayed."
    )
    for note in _left_out(done):
        progress_console().print(literal(f"note: {note}"), highlight=False)
    results = {plan.rival.name: verdict.before, done.name: verdict.after}
    out_console().print(_rich(_held_out_table(results)))
    say(f"{verdict.comparison.clips} held-out clips: {done.reason}.")
    state = "is in use now" if done.promoted else "stays a candidate: `annotate models promote`"
    say(f"Model {done.name} {state}.")


def _left_out(done: Finetuned) -> Iterator[str]:
    reviewed = done.plan.reviewed
    if reviewed.unusable:
        yield f"{reviewed.unusable} clips left out: half of their voters or more cannot judge them"
    if reviewed.without_features:
        yield (
            f"{len(reviewed.without_features)} clips left out, as they have no features of the "
            f"model's extractors, {reviewed.without_features[0]!r} the first: run `annotate run` "
            "on them with this model"
        )
    if not done.plan.replayed:
        yield "nothing was replayed: --replay DATA keeps what the model knows from earlier data"


def _held_out_table(results: Mapping[str, Evaluation]) -> tables.Table:
    """The figures a promotion is about, of all labels and of each."""
    rows = [
        (tables.TITLES[name], *(tables.cell(found.metrics[name]) for found in results.values()))
        for name in HELD_OUT
    ]
    labels = next(iter(results.values())).labels
    rows += [
        (f"F1 {label}", *(tables.cell(found.per_label["f1"][label]) for found in results.values()))
        for label in labels
    ]
    return tables.Table(("held out", *results), tuple(rows))


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
    print_tables(shown, None, style)


def print_tables(found: Sequence[tables.Table], numbers: object, style: str) -> None:
    """Tables for people or papers, or all numbers as JSON."""
    if style == "json":
        print_json(numbers)
        return
    for table in found:
        if style == "latex":
            sys.stdout.write(tables.latex(table) + "\n")
        else:
            out_console().print(_rich(table))


def print_crosseval(found: CrossEvaluation, style: str) -> None:
    """What the corpus and the model share, and how good the model is on it."""
    results = {found.dataset: found.evaluation}
    shown = (tables.metric_table(results), tables.label_table(found.evaluation).turned())
    print_tables(shown, found.to_json(), style)
    if style != "table":
        return
    pairs = ", ".join(f"{ours} as {theirs}" for ours, theirs in found.matched.pairs.items())
    say(f"Labels: {pairs}. {found.left_out} clips could not be judged.")
    for names, whose in (
        (found.matched.unknown, "the model does not know"),
        (found.matched.unasked, "the corpus does not have"),
    ):
        if names:
            say(f"Left out, for {whose} them: {', '.join(names)}.")
    if not found.verified:
        say("Not verified: one of the two does not say which files it is of.")


def print_diagnosis(found: Diagnosis, *, as_json: bool) -> None:
    """Each signature with its number, threshold and, where it failed, the remedy."""
    if as_json:
        print_json(found.to_json())
        return
    table = RichTable("signature", "value", "healthy", "", title=f"{found.clips} clips")
    for finding in found.findings:
        verdict = {True: "[bold red]failed", False: "ok", None: "unknown"}[finding.failed]
        value = "unknown" if finding.failed is None else f"{finding.value:.3f}"
        sign = "<" if finding.fails == "above" else ">"
        name = literal(f"{finding.name}: {finding.measure}")
        table.add_row(name, value, f"{sign} {finding.threshold:g}", verdict)
    out_console().print(table)
    for finding in found.findings:
        if finding.failed is not False:
            say(f"{finding.name}: {finding.explanation} {finding.remedy}")
    _print_propagation(found.propagation)
    for picture in found.pictures:
        say(f"Picture: {picture}")


def _print_propagation(found: ErrorPropagation) -> None:
    table = RichTable(
        "label", "errors of ŷ", "due to ŷ_dir", "both wrong", "of the heads", "ŷ_dir mended"
    )
    for name, p in {"all": found.overall, **found.per_label}.items():
        counts = (p.final_errors, p.caused, p.shared, p.introduced, p.corrected)
        table.add_row(literal(name), *map(str, counts))
    out_console().print(table)
    for lost in found.dropped:
        say(
            f"Without {lost.modality}, of {lost.clips} clips: ŷ moves by {lost.shift:.3f}, "
            f"mi-F1 from {lost.micro_f1:.3f} to {lost.micro_f1_without:.3f}."
        )


def print_corruption(found: CorruptionCurves, *, as_json: bool) -> None:
    """Whether uncertainty rises and quality falls gracefully, a row a corruption."""
    if as_json:
        print_json(found.to_json())
        return
    names = list(found.curves[0].rises) + list(found.curves[0].falls)
    table = RichTable("corruption", "clips", *names, title=literal(found.proxy))
    for curve in found.curves:
        rises = [_verdict(rise.rises, "rises", "does not") for rise in curve.rises.values()]
        falls = [_verdict(fall.graceful, "gracefully", "badly") for fall in curve.falls.values()]
        table.add_row(literal(curve.name), str(curve.clips), *rises, *falls)
    out_console().print(table)


def _verdict(good: bool | None, yes: str, no: str) -> str:
    if good is None:
        return "unknown"
    return yes if good else f"[bold red]{no}"


def _rich(table: tables.Table) -> RichTable:
    first, *others = table.header
    shown = RichTable(literal(first))
    for name in others:
        shown.add_column(literal(name), justify="right")
    for row in table.rows:
        shown.add_row(*map(literal, row))
    return shown
