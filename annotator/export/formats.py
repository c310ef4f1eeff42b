"""The formats that `annotate export` writes: their names, suffixes, and what they are for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["tasks", "table", "timed", "training"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    `kind` is what it is a picture of: tasks for people, a table with a row a clip, the time line of
    a medium (a file each), or a corpus of features to train on. `suffixes` name its files; one
    without any is a folder.
    """

    kind: Kind
    suffixes: tuple[str, ...]
    about: str


FORMATS: Mapping[str, Format] = {
    "label-studio": Format("tasks", (".json",), "tasks for Label Studio"),
    "csv": Format("table", (".csv",), "CSV (RFC 4180, UTF-8)"),
    "jsonl": Format("table", (".jsonl", ".ndjson"), "JSON Lines with the same columns"),
    "parquet": Format("table", (".parquet",), "Parquet with the same columns"),
    "elan": Format("timed", (".eaf",), "ELAN, a tier a label"),
    "textgrid": Format("timed", (".textgrid",), "Praat TextGrid, a tier a label"),
    "webvtt": Format("timed", (".vtt",), "WebVTT, emotions as captions"),
    "hugging-face": Format("training", (), "a Hugging Face datasets folder with features"),
    "arrays": Format("training", (".npz",), "NumPy arrays of padded features and labels"),
}


def format_of(out: Path) -> str | None:
    """The format that a file's suffix names; None if it names none.

    >>> format_of(Path("a.TextGrid")), format_of(Path("folder"))
    ('textgrid', None)
    """
    suffix = out.suffix.lower()
    return next((name for name, one in FORMATS.items() if suffix and suffix in one.suffixes), None)
