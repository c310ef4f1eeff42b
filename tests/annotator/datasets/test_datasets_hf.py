"""Hugging Face folders: written as `datasets` writes them, and by it where it is installed."""

import json
import os

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from annotator.datasets import open_dataset
from annotator.errors import UsageError

STEPS = [[1.0, 2.0], [3.0, 4.0]]
CLASSES = {"feature": {"names": ["happy", "sad"], "_type": "ClassLabel"}, "_type": "List"}
SEQUENCES = pa.list_(pa.list_(pa.float32()))


def table(count: int = 3, **columns) -> pa.Table:
    given = {
        "audio": pa.array([STEPS[: 1 + index % 2] for index in range(count)], SEQUENCES),
        "labels": pa.array([[0, 1], [], [1]][:count], pa.list_(pa.int64())),
    }
    given |= {name: value for name, value in columns.items() if value is not None}
    made = pa.table(
        {name: value for name, value in given.items() if columns.get(name, 0) is not None}
    )
    info = {"info": {"features": {"labels": CLASSES}}}
    return made.replace_schema_metadata({"huggingface": json.dumps(info)})


def save_to_disk(folder, data: pa.Table, shards: int = 1, split=None):
    folder.mkdir(parents=True)
    names = [f"data-{index:05}-of-{shards:05}.arrow" for index in range(shards)]
    rows = -(-data.num_rows // shards)
    for index, name in enumerate(names):
        with pa.ipc.new_stream(folder / name, data.schema) as writer:
            writer.write_table(data.slice(index * rows, rows))
    state = {"_data_files": [{"filename": name} for name in names], "_split": split}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {"labels": CLASSES}}))
    return folder


def save_dict(folder, **splits: pa.Table):
    for name, data in splits.items():
        save_to_disk(folder / name, data, split=name)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    return folder


def one_split(dataset):
    return [one for split in dataset.splits.values() for one in split]


def by_id(dataset):
    return {one.id: one for one in one_split(dataset)}


def test_a_folder_of_splits(tmp_path):
    folder = save_dict(tmp_path / "d", train=table(), validation=table(2), test=table(1))
    dataset = open_dataset(folder)
    assert {name: len(some) for name, some in dataset.splits.items()} == {
        "train": 3, "valid": 2, "test": 1,
    }  # fmt: skip
    assert dataset.labels == ("happy", "sad")
    assert [one.target.tolist() for one in dataset.splits["train"]] == [[1, 1], [0, 0], [0, 1]]
    first, second = dataset.splits["train"][:2]
    assert first.features["audio"].tolist() == STEPS[:1]
    assert second.features["audio"].tolist() == STEPS
    assert second.features["audio"].dtype == np.float32
    assert "train/data-00000-of-00001.arrow" in dataset.files


def test_one_dataset_is_split_by_group(tmp_path):
    data = table(3, speaker=["a", "a", "b"], id=["x", "y", "z"], raters=[3, 3, None])
    dataset = open_dataset(save_to_disk(tmp_path / "d", data, shards=2))
    assert set(dataset.splits) == {"train", "valid"}
    found = by_id(dataset)
    assert found.keys() == {"x", "y", "z"}
    assert (found["y"].group, found["y"].raters, found["z"].raters) == ("a", 3, None)
    assert len(dataset.files) == 2


def test_features_stay_in_the_file(tmp_path):
    values = pa.array(np.tile(np.arange(300, dtype=np.float16), 10_000))
    steps = pa.FixedSizeListArray.from_arrays(values, 300)
    rows = pa.ListArray.from_arrays(pa.array([0, 4000, 9000, 10_000], pa.int32()), steps)
    folder = save_to_disk(tmp_path / "d", table(3, audio=rows))
    before = pa.total_allocated_bytes()
    found = by_id(open_dataset(folder))
    assert pa.total_allocated_bytes() - before < 2**20
    assert [one.features["audio"].shape for one in found.values()] == [
        (5000, 300), (1000, 300), (4000, 300),
    ] or {one.features["audio"].shape for one in found.values()} == {
        (4000, 300), (5000, 300), (1000, 300),
    }  # fmt: skip
    assert found["row-0"].features["audio"].dtype == np.float16


def test_sliced_and_null_rows(tmp_path):
    audio = pa.array([STEPS, None, STEPS[1:], []], SEQUENCES)
    visual = pa.array([[[1.0]], [[2.0]], None, [[4.0]]], SEQUENCES)
    data = table(4, audio=audio, vision=visual, labels=pa.array([["b"], ["a"], [], None]))
    parquet_of = tmp_path / "d.parquet"
    parquet.write_table(data.slice(1).replace_schema_metadata(None), parquet_of)
    dataset = open_dataset(parquet_of)
    assert dataset.labels == ("a",)
    found = by_id(dataset)
    assert set(found) == {"row-0", "row-1"}  # the last has no label
    assert set(found["row-0"].features) == {"visual"}
    assert found["row-0"].features["visual"].tolist() == [[2.0]]
    assert found["row-1"].features["audio"].tolist() == STEPS[1:]


def test_parquet_of_the_hub(tmp_path):
    (tmp_path / "d" / "data").mkdir(parents=True)
    for name, count in (("train-00000-of-00002", 3), ("train-00001-of-00002", 2), ("test-x", 1)):
        ids = [f"{name}{index}" for index in range(count)]
        parquet.write_table(table(count, id=ids), tmp_path / "d" / "data" / f"{name}.parquet")
    dataset = open_dataset(tmp_path / "d")
    assert {name: len(some) for name, some in dataset.splits.items()} == {"train": 5, "test": 1}
    assert len(dataset.files) == 3


def test_one_parquet_file_with_a_column_for_the_split(tmp_path):
    path = tmp_path / "features.parquet"
    parquet.write_table(table(3, split=["train", "dev", "train"]), path)
    dataset = open_dataset(path)
    assert {name: len(some) for name, some in dataset.splits.items()} == {"train": 2, "valid": 1}


@pytest.mark.parametrize(
    ("columns", "labels", "target"),
    [
        ({"labels": [[1.0, 0.25], [0.0, 1.0], [0.5, 0.5]]}, ("happy", "sad"), [1, 0.25]),
        ({"labels": [["sad"], ["happy", "sad"], []]}, None, [0, 1]),
        ({"labels": ["sad", "happy", "sad"]}, None, [0, 1]),
        ({"labels": None, "happy": [1.0, 0.0, 0.0], "sad": [0.5, 1.0, 0.0]}, None, [1, 0.5]),
        ({"labels": None, "label_a": [True, False, True], "label:b": [0, 1, 1]}, None, [0, 1]),
        ({"labels": None, "label": [1, 0, 1]}, None, "names"),
    ],
)
def test_forms_of_labels(tmp_path, columns, labels, target):
    data = table(3, **columns)
    if "label" in columns:
        note = {"info": {"features": {"label": {"names": ["happy", "sad"]}}}}
        data, target = data.replace_schema_metadata({"huggingface": json.dumps(note)}), [0, 1]
    elif labels or isinstance(columns.get("labels"), list):
        data = data.replace_schema_metadata(None)
    path = tmp_path / "d.parquet"
    parquet.write_table(data, path)
    dataset = open_dataset(path, labels=labels)
    assert len(dataset.labels) == 2
    assert by_id(dataset)["row-0"].target.tolist() in (target, target[::-1])
    if "label_a" not in columns:
        assert by_id(dataset)["row-0"].target.tolist() == target


def test_names_that_one_split_lacks(tmp_path):
    folder = save_dict(
        tmp_path / "d",
        train=table(2, labels=[["sad"], ["fear"]]).replace_schema_metadata(None),
        test=table(1, labels=[["happy"]]).replace_schema_metadata(None),
    )
    for name in ("train", "test"):
        (folder / name / "dataset_info.json").unlink()
    dataset = open_dataset(folder)
    assert dataset.labels == ("fear", "happy", "sad")
    assert dataset.splits["test"][0].target.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"labels": [[0, 2], [], []]}, "unknown label 2: expected one of happy, sad"),
        ({"labels": [["joy"], [], []]}, "unknown label 'joy'"),
        ({"labels": None}, "has no labels"),
        ({"labels": None, "happy": [2.0, 0.0, 0.0]}, "holds 2.0, expected a share"),
        ({"audio": [[[1.0], [1.0, 2.0]], [[1.0]], [[1.0]]]}, "unequal width"),
        ({"audio": [[[1.0, None]], [[1.0, 2.0]], None]}, "expected lists of steps of floats"),
        ({"audio": [["a"], ["b"], ["c"]]}, "'audio' holds"),
        ({"audio": None, "text": ["a", "b", "c"]}, "has no features"),
        ({"audio": [[[1.0]], [[1.0, 2.0]], [[1.0]]]}, "expected 1 as in those before it"),
        ({"audio": [[[np.nan]], [[1.0]], [[1.0]]]}, "not all finite"),
        ({"audio": [[[1.0]], None, [[1.0]]]}, "'row-1' has no features at all"),
        ({"id": ["a", "a", "b"]}, "'a' twice"),
        ({"raters": [0, 1, 2]}, "not a number of people"),
        ({"split": ["train", "dev", "all"]}, "split is 'all'"),
    ],
)
def test_bad_columns(tmp_path, columns, message):
    with pytest.raises(UsageError, match=message) as raised:
        open_dataset(save_to_disk(tmp_path / "d", table(3, **columns)))
    assert "\n" not in str(raised.value)


def test_values_without_names(tmp_path):
    path = tmp_path / "d.parquet"
    parquet.write_table(table(2, labels=[[1, 0], [0, 1]]).replace_schema_metadata(None), path)
    with pytest.raises(UsageError, match="without names: give the labels by name"):
        open_dataset(path)
    with pytest.raises(UsageError, match="a value for each of 3 labels"):
        open_dataset(path, labels=("a", "b", "c"))


def test_damaged_folders(tmp_path):
    folder = save_dict(tmp_path / "d", train=table())
    file = folder / "train" / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match="cannot read 'train'"):
        open_dataset(folder)
    file.write_bytes(b"not arrow")
    with pytest.raises(UsageError, match="cannot read 'train'"):
        open_dataset(folder)
    file.unlink()
    with pytest.raises(UsageError, match="cannot read 'train'"):
        open_dataset(folder)
    state = folder / "train" / "state.json"
    state.write_text(json.dumps({"_data_files": [{"filename": "../../secret"}]}))
    with pytest.raises(UsageError, match="lists no data files"):
        open_dataset(folder)
    state.write_text("{")
    with pytest.raises(UsageError, match=r"cannot read 'state\.json'"):
        open_dataset(folder)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["../all"]}))
    with pytest.raises(UsageError, match=r"has a split '\.\./all'"):
        open_dataset(folder)
    with pytest.raises(UsageError, match="holds no corpus"):
        (tmp_path / "empty").mkdir()
        open_dataset(tmp_path / "empty")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"cannot read 'bad\.parquet'"):
        open_dataset(tmp_path / "bad.parquet")


def test_what_datasets_itself_writes(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({
        "visual": datasets.Array2D((2, 3), "float32"),
        "audio": datasets.Sequence(datasets.Sequence(datasets.Value("float16"))),
        "labels": datasets.Sequence(datasets.ClassLabel(names=["happy", "sad"])),
        "id": datasets.Value("string"),
    })  # fmt: skip
    rows = {
        "visual": [np.ones((2, 3)).tolist()] * 2,
        "audio": [STEPS, STEPS[:1]],
        "labels": [[1], [0, 1]],
        "id": ["a", "b"],
    }
    data = datasets.Dataset.from_dict(rows, features)
    datasets.DatasetDict({"train": data}).save_to_disk(tmp_path / "d")
    (tmp_path / "p" / "data").mkdir(parents=True)
    data.to_parquet(tmp_path / "p" / "data" / "train-00000-of-00001.parquet")
    for folder in (tmp_path / "d", tmp_path / "p"):
        first, second = open_dataset(folder).splits["train"]
        assert first.features["visual"].shape == (2, 3)
        assert first.features["audio"].dtype == np.float16
        assert second.features["audio"].tolist() == STEPS[:1]
        assert (first.target.tolist(), second.target.tolist()) == ([0, 1], [1, 1])
