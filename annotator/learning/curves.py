"""Learning curves as CSV: a row an epoch."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from annotator.learning.epochs import Epoch


def write_curves(file: Path, epochs: "Sequence[Epoch]") -> None:
    """Replace the file as a whole, so that a reader never sees half a row.

    `queue_drift` is empty where a training uses no queue.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "learning_rate", *epochs[0].losses, "score", "best", "queue_drift"])
    for epoch in epochs:
        losses = [f"{value:.6g}" for value in epoch.losses.values()]
        row = [epoch.number, f"{epoch.learning_rate:.6g}", *losses, f"{epoch.score:.6g}"]
        drift = "" if epoch.queue_drift is None else f"{epoch.queue_drift:.6g}"
        writer.writerow([*row, int(epoch.best), drift])
    draft = file.with_name(f".{file.name}.{uuid4().hex}")
    draft.write_text(text.getvalue(), encoding="utf-8")
    draft.replace(file)
