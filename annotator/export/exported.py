"""What came of an export."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Exported:
    """How many clips were written, and where to; None is standard output.

    `files` counts the media of formats with a file each. Corpora to train on have `splits`, and
    `left_out` counts labelled clips that have no features to go with.
    """

    rows: int
    out: Path | None
    files: int | None = None
    splits: Mapping[str, int] | None = None
    left_out: int | None = None
