"""Write clips, with what a model says of them, to a file."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from annotator.export.destination import destination
from annotator.export.formats import FORMATS
from annotator.export.table import Cell, columns
from annotator.store.records import ModelFacts, RankedClip


def export_clips(
    clips: Iterable[RankedClip], model: ModelFacts, style: str, out: Path | None
) -> int:
    """Write a row a clip as they come, so that a million take no more memory than a thousand.

    Args:
        clips: of `Store.ranked`, answered by `model`.
        model: where the answers come from.
        style: one of `FORMATS`.
        out: a file, which is replaced as a whole; None is standard output.

    Returns:
        How many rows were written.

    Raises:
        UsageError: the name is no file's, or its folder is not there.
        EnvironmentFault: the disk is full, or the folder cannot be written to.
    """
    table = columns(model)
    count = 0

    def rows() -> Iterator[list[Cell]]:
        nonlocal count
        for clip in clips:
            yield [column.cell(clip) for column in table]
            count += 1

    with destination(out) as file:
        FORMATS[style](file, [column.name for column in table], rows())
    return count
