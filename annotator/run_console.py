"""How a run looks while it goes on, on the error stream, and what is said of it at its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from annotator.console import literal, members, out_console, print_json, progress_console, say
from annotator.engines.ray_cluster import ClusterState
from annotator.recorder import Observer
from annotator.recorder import Progress as RunProgress
from annotator.registry import ModelVersion
from annotator.run import RunSummary
from annotator.store.records import Held
from annotator.types import Bounds

PLAIN_SECONDS = 10.0  # between progress lines where the error stream is no terminal


class _Display(Observer):
    """A progress bar on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = RunProgress()
        self._cluster: ClusterState | None = None
        self._began = time.monotonic()
        self._said = self._began
        self._held = Held(0, 0)
        self._bar = Progress(  # fits 80 columns
            BarColumn(bar_width=8),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[numbers]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("annotating", total=1.0, numbers="")

    def started(self, progress: RunProgress) -> None:
        self._progress = progress
        if progress.files:
            self._bar.start()

    def advanced(self) -> None:
        self._bar.update(self._task, completed=self._progress.fraction, numbers=self._numbers())
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= PLAIN_SECONDS:
            self._said = now
            self._console.print(f"{self._progress.fraction:.0%} {self._numbers()}", highlight=False)

    def noted(self, path: Path, note: str) -> None:
        self._console.print(literal(f"note: {path}: {note}"), highlight=False)

    def failed(self, path: Path, where: Bounds | None, stage: str, reason: str) -> None:
        place = f" [{where[0] / 1000:.1f}-{where[1] / 1000:.1f} s]" if where else ""
        line = literal(f"failed: {path}{place}: {stage}: {reason}")
        self._console.print(f"[red]{line}", highlight=False)

    def waiting(self, held: Held) -> None:
        if held != self._held:
            self._held = held
            self._console.print(
                f"Waiting for {held.files} files that {held.owners} other runs hold.",
                highlight=False,
            )

    def lease_not_renewed(self, reason: str) -> None:
        self._console.print(
            literal(f"warning: claims not renewed, others may take our files: {reason}"),
            highlight=False,
        )

    def cluster(self, state: ClusterState) -> None:
        self._cluster = state
        self.advanced()

    def node(self, note: str) -> None:
        self._console.print(literal(f"note: {note}"), highlight=False)

    def interrupted(self) -> None:
        self._console.print(
            "Stopping: the clips in flight are being finished; Ctrl-C again stops at once."
        )

    def close(self) -> None:
        self._bar.stop()

    def _numbers(self) -> str:
        seconds = max(time.monotonic() - self._began, 1e-3)
        p = self._progress
        numbers = [
            f"{p.files_done}/{p.files} files",
            f"{p.clips} clips",
            f"{p.clips / seconds:.1f} clips/s",
            f"{p.failures} failed",
            f"{p.media_ms / 1000 / seconds:.1f}× real time",
        ]
        if (c := self._cluster) is not None:
            numbers.append(f"{c.nodes} nodes, {c.busy} of {c.workers} workers busy")
        return ", ".join(numbers)


@contextmanager
def run_display() -> Iterator[Observer]:
    """What shows a run's progress on the error stream."""
    display = _Display(progress_console())
    try:
        yield display
    finally:
        display.close()


def print_summary(
    summary: RunSummary, model: ModelVersion, again: int = 0, *, as_json: bool
) -> None:
    """What a run did, how many older answers it renewed, where its time went, and how to go on."""
    if as_json:
        told = {"model": model.name, "trained": model.trained, "asked_again": again}
        print_json({**members(summary), **told})
        return
    out = out_console()
    if summary.stage_seconds and summary.clips:
        out.print(_stage_table(summary))
    rate = summary.media_seconds / max(summary.wall_seconds, 1e-9)
    say(
        f"{summary.clips} clips of {summary.files} files in {summary.wall_seconds:.1f} s "
        f"({rate:.1f}× real time), {summary.failures} failed, {len(summary.skipped)} skipped."
    )
    for skipped in summary.skipped:
        say(f"skipped: {skipped.path}: {skipped.reason}")
    if summary.other_files:
        kinds = ", ".join(f"{n} {kind or 'bare'}" for kind, n in summary.other_files.items())
        say(f"not media: {kinds}")
    if summary.failures:
        say("`annotate list --failed` gives the reasons, `annotate retry` has them tried again.")
    if summary.state == "interrupted":
        say(f"Interrupted with {summary.left} files left. The same command goes on from here.")
    elif again:
        say(f"{again} clips that had an answer without BALD were asked about again.")
    elif not summary.found:
        say("No media were found there.")
    elif not summary.files:
        say("Nothing left to do.")


def _stage_table(summary: RunSummary) -> Table:
    table = Table("stage", "seconds", "share", title="Where the time went (all processes)")
    for column in table.columns[1:]:
        column.justify = "right"
    total = sum(summary.stage_seconds.values())
    for name, seconds in sorted(summary.stage_seconds.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{seconds:.2f}", f"{seconds / total:.0%}")
    return table
