"""The tables of a folder as Hugging Face `datasets` leaves it, read with pyarrow alone.

`Dataset.save_to_disk` writes Arrow streams `data-00000-of-00001.arrow` listed in `state.json`,
beside `dataset_info.json`; `DatasetDict` a folder a split and `dataset_dict.json`. Datasets from
the hub have Parquet files named by split: `data/train-00000-of-00002.parquet`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from annotator.datasets.splits import split_named
from annotator.errors import UsageError

MAX_BYTES = 64 << 30  # uncompressed, of the columns that are read
MAX_JSON = 16 << 20
UNSPLIT = ""  # the name of the one part that belongs to no split

_SHARD = re.compile(r"([A-Za-z]+)(?:[-.].*)?")


@dataclass(frozen=True, slots=True)
class Part:
    """The table of a split, what `datasets` says of its columns, and the files it is from."""

    table: pa.Table
    features: Mapping[str, Any]
    files: tuple[Path, ...]


def is_hugging_face(path: Path) -> bool:
    """Whether a path is a folder of `datasets`, or a Parquet file."""
    if not path.is_dir():
        return path.suffix.lower() == ".parquet"
    names = ("dataset_dict.json", "state.json")
    return any((path / name).is_file() for name in names) or bool(_parquet_files(path))


def read_parts(path: Path) -> dict[str, Part]:
    """The tables by split, under `UNSPLIT` what belongs to none; columns of media are left out.

    Raises:
        UsageError: a file is missing, damaged or too large, or a split has an unknown name.
    """
    if (path / "dataset_dict.json").is_file():
        names = _json(path / "dataset_dict.json").get("splits")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UsageError(f"{path.name!r}: dataset_dict.json lists no splits: save it again")
        return {_split(path, name): _saved(path / Path(name).name) for name in names}
    if (path / "state.json").is_file():
        return {UNSPLIT: _saved(path)}
    shards = _parquet_files(path) if path.is_dir() else [path]
    by_split: dict[str, list[Path]] = {}
    for shard in shards:
        match = _SHARD.fullmatch(shard.name)
        by_split.setdefault((match and split_named(match[1])) or UNSPLIT, []).append(shard)
    if UNSPLIT in by_split and len(by_split) > 1:
        odd = by_split[UNSPLIT][0].name
        raise UsageError(f"{path.name!r}: {odd!r} names no split while other files do: rename it")
    return {split: _part(_read_parquet, files) for split, files in by_split.items()}


def _parquet_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("data/*.parquet")) or sorted(folder.glob("*.parquet"))


def _split(path: Path, name: str) -> str:
    split = split_named(name)
    if split is None:
        raise UsageError(f"{path.name!r} has a split {name!r:.40}, expected train, valid or test")
    return split


def _saved(folder: Path) -> Part:
    """What `Dataset.save_to_disk` wrote; only names in the folder itself are followed."""
    listed = _json(folder / "state.json").get("_data_files")
    names = [str(one.get("filename")) for one in listed or () if isinstance(one, dict)]
    if not names or not all(Path(name).name == name for name in names):
        raise UsageError(f"{folder.name!r}: state.json lists no data files: save it again")
    return _part(_read_arrow, [folder / name for name in names])


def _part(read: Callable[[Path], pa.Table], files: Sequence[Path]) -> Part:
    with _refusals(files[0].parent):
        tables = [read(file) for file in files]
        table = pa.concat_tables(tables)
    return Part(table, _features(table, files[0].parent), tuple(files))


def _read_arrow(file: Path) -> pa.Table:
    """A stream of record batches, mapped and not loaded."""
    with pa.memory_map(str(file)) as source:
        reader = pa.ipc.open_stream(source)
        batches, size = [], 0
        for batch in reader:
            size += batch.nbytes
            _check_size(file, size)
            batches.append(batch)
        table = pa.Table.from_batches(batches, reader.schema)
    table.validate(full=True)
    return table.select(_columns(table.schema))


def _read_parquet(file: Path) -> pa.Table:
    with parquet.ParquetFile(file) as source:
        metadata = source.metadata
        groups = range(metadata.num_row_groups)
        _check_size(file, sum(metadata.row_group(group).total_byte_size for group in groups))
        return source.read(_columns(source.schema_arrow))


def _columns(schema: pa.Schema) -> list[str]:
    """All but those that hold media: nothing is decoded here, and they may be large."""
    kinds = (pa.types.is_struct, pa.types.is_binary, pa.types.is_large_binary)
    return [field.name for field in schema if not any(is_kind(field.type) for is_kind in kinds)]


def _check_size(file: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise UsageError(f"{file.name!r} holds more than {MAX_BYTES >> 30} GiB: split it")


def _features(table: pa.Table, folder: Path) -> Mapping[str, Any]:
    """What `datasets` says of the columns: in the schema, or beside the table."""
    noted = (table.schema.metadata or {}).get(b"huggingface")
    try:
        found = json.loads(noted)["info"]["features"] if noted else None
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if found is None and (folder / "dataset_info.json").is_file():
        found = _json(folder / "dataset_info.json").get("features")
    return found if isinstance(found, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON:
            raise ValueError("it is too large")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"cannot read {path.name!r} of {path.parent.name!r}: {reason}") from error
    return value if isinstance(value, dict) else {}


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    """What pyarrow and the system refuse, in one line."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"cannot read {folder.name!r}: {reason}; save the data again") from error
