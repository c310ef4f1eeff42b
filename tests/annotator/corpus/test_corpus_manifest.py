"""Manifests in three formats, with every kind of wrong row."""

import csv
import json
import math
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from annotator.corpus import manifest_rows
from annotator.corpus.manifest import Manifest, ManifestEntry, is_manifest, read_manifest
from annotator.corpus.manifest_cells import MAX_TRANSCRIPT
from annotator.corpus.manifest_labels import MAX_LABELS
from annotator.errors import UsageError

ROWS = [
    {"path": "a.mp4", "start": 0.5, "end": 2.0, "transcript": "hi", "speaker": "Ann",
     "split": "train", "labels": ["happy", "sad"]},
    {"path": "sub/b.mp4", "start": None, "end": None, "transcript": None, "speaker": None,
     "split": None, "labels": None},
    {"path": "a.mp4", "start": 2.0, "end": None, "transcript": None, "speaker": "Bob",
     "split": "test", "labels": None},
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("a.mp4", "sub/b.mp4"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def as_csv(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "corpus.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        for row in rows:
            cells = {k: ";".join(v) if isinstance(v, list) else v for k, v in row.items()}
            writer.writerow(cells)
    return path


def as_jsonl(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_parquet(folder: Path, rows: list[dict[str, object]]) -> Path:
    parquet.write_table(pa.Table.from_pylist(rows), folder / "corpus.parquet")
    return folder / "corpus.parquet"


def text_csv(folder: Path, text: str) -> Manifest:
    (folder / "m.csv").write_text(text)
    return read_manifest(folder / "m.csv")


def json_row(folder: Path, **cells: object) -> Manifest:
    return read_manifest(as_jsonl(folder, [{"path": "sub/b.mp4"}, {"path": "a.mp4"} | cells]))


def reason(manifest: Manifest) -> str:
    (problem,) = manifest.problems
    assert problem.row == 2
    assert "\n" not in problem.reason
    return problem.reason


@pytest.mark.parametrize("write", [as_csv, as_jsonl, as_parquet])
def test_the_formats_agree(folder, write):
    manifest = read_manifest(write(folder, ROWS))
    assert manifest == Manifest(
        {
            folder / "a.mp4": (
                ManifestEntry(500, 2000, "hi", "Ann", "train", {"happy": 1.0, "sad": 1.0}),
                ManifestEntry(2000, None, None, "Bob", "test"),
            ),
            folder / "sub" / "b.mp4": (ManifestEntry(),),
        }
    )


@pytest.mark.parametrize("name", ["a.csv", "a.JSONL", "a.ndjson", "a.parquet"])
def test_manifests_are_known_by_extension(name):
    assert is_manifest(Path(name))


def test_a_header_in_capitals_with_blanks_and_a_byte_order_mark(folder):
    manifest = text_csv(folder, "\ufeffSTART, Path , Note\r\n1.5, a.mp4, x\r\n")
    assert manifest.entries == {folder / "a.mp4": (ManifestEntry(1500),)}
    assert manifest.ignored_columns == ("note",)


@pytest.mark.parametrize(
    ("cell", "ms"),
    [("90.0005", 90_000), ("00:01:30.250", 90_250), ("1:30", 90_000), ("0:01,5", 1500), ("", None),
     (1, 1000), (math.nan, None), (" 2 ", 2000), ("1e1", 10_000)],
)  # fmt: skip
def test_times(folder, cell, ms):
    (entry,) = json_row(folder, start=cell).entries[folder / "a.mp4"]
    assert entry.start_ms == ms


@pytest.mark.parametrize(
    "cell", ["soon", -1, "-0:01", math.inf, "1e400", 10**400, True, [1], 1e12, "nan", "1:2:3:4"]
)
def test_wrong_times_cost_their_row(folder, cell):
    assert "neither seconds nor" in reason(json_row(folder, start=cell))


def test_end_must_follow_start(folder):
    assert "not after start (2 s)" in reason(json_row(folder, start=2, end=2))
    assert "not after start (0 s)" in reason(json_row(folder, end=0))


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("happy; sad;", {"happy": 1, "sad": 1}),
        ('{"happy": 0.7, "sad": null}', {"happy": 0.7}),
        ('["Joy"]', {"Joy": 1}),
        (["happy"], {"happy": 1}),
        ({"happy": True, "sad": "0.25"}, {"happy": 1, "sad": 0.25}),
        ("", {}),
        ([], {}),
    ],
)
def test_labels(folder, cell, labels):
    (entry,) = json_row(folder, labels=cell).entries[folder / "a.mp4"]
    assert entry.labels == labels


@pytest.mark.parametrize(
    "cell",
    ["{broken", {"happy": 1.5}, {"happy": -0.1}, {"happy": "much"}, 3, [1], ["happy", "happy"],
     [["a"]], ["x" * 200], {"": 1}, [f"l{i}" for i in range(MAX_LABELS + 1)], "[" * 100_000],
)  # fmt: skip
def test_wrong_labels_cost_their_row(folder, cell):
    assert "label" in reason(json_row(folder, labels=cell))


def test_a_column_a_label_keeps_the_labels_case(folder):
    manifest = text_csv(folder, "path,Label:Joy,label_sad,LABEL_fear\na.mp4,0.5,1,\n")
    assert manifest.entries[folder / "a.mp4"][0].labels == {"Joy": 0.5, "sad": 1.0}
    assert manifest.ignored_columns == ()


def test_a_label_given_by_cell_and_column_is_a_problem(folder):
    assert "given twice" in reason(json_row(folder, labels="happy", **{"label:happy": 0.3}))


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (pa.map_(pa.string(), pa.float64()), [("happy", 0.5)]),
        (pa.struct([("happy", pa.float64()), ("sad", pa.float64())]), {"happy": 0.5}),
    ],
)
def test_a_parquet_map_or_struct_of_labels(folder, kind, cell):
    labels = pa.array([cell], kind)
    table = pa.table({"path": ["a.mp4"], "labels": labels, "extra": [1]})
    parquet.write_table(table, folder / "m.parquet")
    manifest = read_manifest(folder / "m.parquet")
    assert manifest.entries[folder / "a.mp4"][0].labels == {"happy": 0.5}
    assert manifest.ignored_columns == ("extra",)


def test_parquet_rows_are_numbered_across_batches(folder, monkeypatch):
    monkeypatch.setattr(manifest_rows, "BATCH_ROWS", 2)
    rows = [{"path": "a.mp4", "start": float(i)} for i in range(5)] + [{"path": "no", "start": 0.0}]
    assert read_manifest(as_parquet(folder, rows)).problems[0].row == 6


def test_a_huge_row_group_is_refused(folder, monkeypatch):
    monkeypatch.setattr(manifest_rows, "MAX_ROW_GROUP_BYTES", 10)
    with pytest.raises(UsageError, match="row group"):
        read_manifest(as_parquet(folder, ROWS))


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("https://example.org/a.mp4", "cannot be a corpus: expected a path, file:// or one of"),
        ("s3://bucket//a.mp4", "empty part"),
        ("file:///etc/passwd", "is a URL"),
        ("gone.mp4", "not an existing file"),
        ("sub", "not an existing file"),
        ("a\x00.mp4", "not an existing file"),
        ("\ud800.mp4", "not an existing file"),
        ("x" * 5000, "not an existing file"),
        ("", "missing"),
        (7, "missing"),
        (None, "missing"),
    ],
)
def test_wrong_paths_cost_their_row(folder, cell, part):
    assert part in reason(json_row(folder, path=cell))


def test_paths_may_be_absolute_or_go_up(folder):
    manifest = text_csv(folder / "sub", f"path\n../a.mp4\n{folder}/sub/b.mp4\n")
    assert set(manifest.entries) == {(folder / "a.mp4").resolve(), folder / "sub" / "b.mp4"}


@pytest.mark.parametrize(
    ("cell", "split"),
    [("Train", "train"), ("VALIDATION", "val"), (" dev ", "val"), ("testing", "test")],
)
def test_splits_have_one_name(folder, cell, split):
    assert json_row(folder, split=cell).entries[folder / "a.mp4"][0].split == split


def test_an_unknown_split_is_a_problem_as_it_might_be_a_test_set(folder):
    assert "not train, val or test" in reason(json_row(folder, split="holdout"))


@pytest.mark.parametrize(
    ("cell", "text"), [(7, "7"), (7.0, "7"), ("a\n b\x00", "a b"), (" ", None)]
)
def test_text_cells(folder, cell, text):
    assert json_row(folder, speaker=cell).entries[folder / "a.mp4"][0].speaker == text


@pytest.mark.parametrize("cell", [True, 1.5, [1], {"a": 1}, "x" * (MAX_TRANSCRIPT + 1)])
def test_wrong_text_costs_its_row(folder, cell):
    assert "transcript" in reason(json_row(folder, transcript=cell))


def test_an_endless_number_costs_its_row(folder):
    row = '{"path": "a.mp4", "speaker": 1' + "0" * 5000 + "}"
    (folder / "m.jsonl").write_text('{"path": "sub/b.mp4"}\n' + row)
    assert "not JSON" in reason(read_manifest(folder / "m.jsonl"))


def test_a_row_twice_is_reported(folder):
    manifest = text_csv(folder, "path,start\na.mp4,1\na.mp4,2\n./a.mp4,1.0\n")
    assert [(problem.row, problem.reason) for problem in manifest.problems] == [
        (4, "same path, start and end as row 2")
    ]


@pytest.mark.parametrize("line", ["[1]", "{", "NaN", '{"path": 1, "Path": 2}', "[" * 100_000])
def test_lines_that_are_no_rows(folder, line):
    (folder / "m.jsonl").write_text(f'{{"path": "a.mp4"}}\n{line}\n')
    assert reason(read_manifest(folder / "m.jsonl"))


def test_blank_lines_are_nothing_but_count(folder):
    (folder / "m.jsonl").write_text('\n{"path": "a.mp4"}\n\n{"path": "gone"}\n')
    assert read_manifest(folder / "m.jsonl").problems[0].row == 4
    assert text_csv(folder, "path,end\na.mp4,\n\n,\ngone,\n").problems[0].row == 5


def test_an_endless_line_is_skipped_and_the_next_read(folder, monkeypatch):
    monkeypatch.setattr(manifest_rows, "MAX_LINE", 100)
    (folder / "m.jsonl").write_text("x" * 1000 + '\n{"path": "a.mp4"}\n')
    manifest = read_manifest(folder / "m.jsonl")
    assert [problem.row for problem in manifest.problems] == [1]
    assert len(manifest.entries) == 1


def test_csv_rows_too_wide_and_too_large(folder):
    manifest = text_csv(folder, f"path,transcript\na.mp4\na.mp4,x,y\nsub/b.mp4,{'x' * 200_000}\n")
    assert [problem.row for problem in manifest.problems] == [3, 4]
    assert list(manifest.entries) == [folder / "a.mp4"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "has no rows"),
        ("path,start\n", "has no rows"),
        ("file,start\na.mp4,1\n", "no column 'path'; found: file, start; expected: path, start"),
        ("path\ngone\nhttp://x\n", "none of 2 rows is usable; row 2: path 'gone'"),
        ("path,Path\na,b\n", "has the column 'path' twice"),
        ("x" * 200_000, "no readable header"),
    ],
)
def test_a_manifest_that_gives_nothing_is_a_usage_error(folder, text, part):
    with pytest.raises(UsageError) as caught:
        text_csv(folder, text)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl"])
def test_other_encodings_are_refused_with_the_remedy(folder, name):
    (folder / name).write_bytes("path\ncafé.mp4\n".encode("cp1252"))
    with pytest.raises(UsageError, match=r"not UTF-8 \(byte 0xE9\); save it as UTF-8"):
        read_manifest(folder / name)


@pytest.mark.parametrize("name", ["gone.csv", "gone.jsonl", "gone.parquet", "sub.csv"])
def test_an_unreadable_manifest_is_a_usage_error(folder, name):
    (folder / "sub.csv").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_manifest(folder / name)


def test_every_way_to_break_a_parquet_file_is_a_usage_error(folder):
    data = as_parquet(folder, ROWS).read_bytes()
    broken = folder / "broken.parquet"
    for cut in range(0, len(data), 97):
        for spoiled in (data[:cut], data[:cut] + b"\xff\x00\xff\x7f" + data[cut + 4 :]):
            broken.write_bytes(spoiled)
            try:
                read_manifest(broken)
            except UsageError as error:
                assert "\n" not in str(error)


CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
JSON = st.recursive(
    CELLS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)
NAMES = st.sampled_from([*manifest_rows.COLUMNS, "label:x", "label_y", "Other"])


@settings(max_examples=50)
@given(st.lists(st.dictionaries(NAMES, JSON, max_size=5), max_size=4))
def test_any_json_rows_give_entries_or_problems(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp()
    (folder / "fuzz.mp4").touch()
    manifest = read_manifest(as_jsonl(folder, [{"path": "fuzz.mp4", "end": 9e6}, *rows]))
    given_rows = sum(map(len, manifest.entries.values())) + len(manifest.problems)
    assert given_rows == 1 + len(rows)
    for entries in manifest.entries.values():
        for entry in entries:
            assert all(0 <= value <= 1 for value in entry.labels.values())
            json.dumps([entry.text, entry.speaker, *entry.labels], ensure_ascii=False).encode()


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(lambda text: text.encode("utf-8", "ignore")),
    )
)
@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_any_bytes_are_a_manifest_or_a_usage_error(tmp_path_factory, extension, data):
    path = tmp_path_factory.getbasetemp() / f"fuzz.{extension}"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)
