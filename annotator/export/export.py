"""Write clips, with what a model and people say of them, to a table."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from annotator import __version__
from annotator.errors import UsageError
from annotator.export.contents import Clip, Contents
from annotator.export.destination import binary_destination, destination
from annotator.export.exported import Exported
from annotator.export.table import Cell, columns
from annotator.export.text_tables import TEXT_TABLES


def export_clips(
    clips: Iterable[Clip], contents: Contents, style: str, out: Path | None
) -> Exported:
    """Write a row a clip as they come, so that a million take no more memory than a thousand.

    Args:
        clips: of `Store.ranked` or `Store.timeline`, of the model that is told of.
        contents: what is told of each.
        style: csv, jsonl or parquet.
        out: a file, which is replaced as a whole; None is standard output.

    Raises:
        UsageError: the name is no file's, its folder is not there, or Parquet is to be printed.
        EnvironmentFault: the disk is full, or the folder cannot be written to.
    """
    table = columns(contents)
    count = 0

    def rows() -> Iterator[list[Cell]]:
        nonlocal count
        for clip in clips:
            row = contents.row(clip)
            yield [column.cell(row) for column in table]
            count += 1

    if style in TEXT_TABLES:
        with destination(out) as text:
            TEXT_TABLES[style](text, [column.name for column in table], rows())
        return Exported(count, out)
    if out is None:
        raise UsageError("Parquet is no text to print: name a file with --out")
    from annotator.export.parquet_table import write_parquet

    with binary_destination(out) as file:
        write_parquet(file, table, rows(), facts(contents))
    return Exported(count, out)


def facts(contents: Contents) -> dict[str, str]:
    """Where the answers come from, for formats that keep it beside the table."""
    found = {"annotate.version": __version__, "annotate.values": _values(contents)}
    if contents.model is not None:
        found["annotate.model"] = contents.model.name
        found["annotate.weights_sha256"] = contents.model.weights_hash
        found["annotate.trained"] = str(contents.model.trained).lower()
        for modality, extractor in contents.model.extractors.items():
            found[f"annotate.{modality}_extractor"] = extractor
    return found


def _values(contents: Contents) -> str:
    return "yes (1) or no (0)" if contents.hard else "probabilities and shares of voters"
