"""One door to every kind of corpus: what a path holds is told by its content, not its name."""

import csv
import os
from pathlib import Path

from annotator.corpus.manifest import is_manifest
from annotator.corpus.manifest_rows import fold
from annotator.errors import UsageError
from annotator.learning.dataset import Dataset
from annotator.workspace import locate

KINDS = (
    "CMU-MOSEI as MMSA's pickle, M3ED as CARAT's, a CMU-MOSEI label CSV, a manifest (CSV, JSON "
    "Lines, Parquet), or a Hugging Face datasets folder"
)
_PICKLES = (".pkl", ".pickle", ".pt", ".pth")


def open_dataset(
    path: Path, *, labels: tuple[str, ...] | None = None, cache: Path | None = None
) -> Dataset:
    """Read a labelled corpus.

    Args:
        path: a file or folder of any of the kinds above.
        labels: those to keep, in this order; by default all that the corpus has.
        cache: the workspace: a manifest's features come from it, and a label table's are kept in
            it. By default the one that other commands would take here; a table makes none.

    Raises:
        UsageError: there is no such path, it is no corpus, or something in it is wrong.
        EnvironmentFault: the workspace cannot be read, or an extractor not be loaded.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist: expected {KINDS}")
    suffix, here = path.suffix.lower(), locate(cache, os.environ, Path.cwd())
    if path.is_file() and suffix in _PICKLES:
        return _open_pickle(path, labels)
    if path.is_dir() or (suffix == ".parquet" and _has_features(path)):
        return _open_hugging_face(path, labels)
    if suffix == ".csv" and _is_mosei_table(path):
        from annotator.datasets.mosei_csv import read_mosei_table

        keeps = cache is not None or here.is_dir()
        return read_mosei_table(path, labels, here if keeps else None)
    if is_manifest(path):
        from annotator.datasets.manifest import read_manifest_dataset

        return read_manifest_dataset(path, labels, here)
    raise UsageError(f"{path.name!r} is no corpus: expected {KINDS}")


def _open_pickle(path: Path, labels: tuple[str, ...] | None) -> Dataset:
    from annotator.datasets.assemble import file_hash
    from annotator.datasets.carat import is_carat, read_carat
    from annotator.datasets.mmsa import is_mmsa, read_mmsa
    from annotator.datasets.pickles import read_pickle
    from annotator.datasets.sequences import parts

    files, data = file_hash(path), read_pickle(path)
    by_split = parts(path.name, data)
    if is_carat(by_split):
        return read_carat(path, data, files, labels)
    if is_mmsa(by_split):
        return read_mmsa(path, by_split, files, labels)
    keys = ", ".join(str(key) for key in next(iter(by_split.values())))[:200]
    raise UsageError(
        f"{path.name!r} holds {keys}: expected MMSA's id, text, audio and vision, or CARAT's "
        "src-text, src-audio, src-visual and tgt"
    )


def _open_hugging_face(path: Path, labels: tuple[str, ...] | None) -> Dataset:
    from annotator.datasets.hf import read_hugging_face
    from annotator.datasets.hf_files import is_hugging_face

    if not is_hugging_face(path):
        raise UsageError(f"the folder {path.name!r} holds no corpus: expected {KINDS}")
    return read_hugging_face(path, labels)


def _has_features(path: Path) -> bool:
    """Whether a Parquet file holds features; a manifest names media."""
    import pyarrow as pa
    from pyarrow import parquet

    from annotator.datasets.hf import has_features

    try:
        columns = parquet.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"cannot read {path.name!r}: {reason}; write it again") from error
    return "path" not in map(fold, columns) and has_features(columns)


def _is_mosei_table(path: Path) -> bool:
    from annotator.datasets.mosei_csv import is_mosei_table

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {path.name!r}: {error}; expected CSV in UTF-8") from error
    return is_mosei_table([column.strip().lower() for column in columns])
