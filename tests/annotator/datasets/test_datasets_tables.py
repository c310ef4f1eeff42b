"""The CMU-MOSEI label tables, with their words turned to features and kept."""

import csv

import pytest

from annotator.datasets import mosei_csv, open_dataset
from annotator.errors import UsageError
from annotator.types import DEFAULT_LABELS

EMOTIONS = ",".join(DEFAULT_LABELS)
HEADER = f"video,start_time,end_time,sentiment,{EMOTIONS},text,ASR"
ROWS = [
    f'vid_{index % 5},{index},{index + 1},0.5,0.6666667,0,0,0,0,3.0,"Word, {index}",asr'
    for index in range(8)
]


def write(path, *lines):
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def embedded(monkeypatch):
    """The texts that the extractor was asked for."""
    texts = []
    real = mosei_csv.load_extractor

    def load(name, modality):
        extractor = real(name, modality)
        embed = extractor.embed
        extractor.embed = lambda text: texts.append(text) or embed(text)
        return extractor

    monkeypatch.setattr(mosei_csv, "load_extractor", load)
    return texts


def test_a_table_with_words(tmp_path, embedded):
    path = write(tmp_path / "val.csv", HEADER, *ROWS)
    dataset = open_dataset(path, cache=tmp_path / "w")
    assert dataset.labels == DEFAULT_LABELS
    assert set(dataset.splits) == {"train", "valid"}
    assert dataset.dimensions == {"text": 418}
    assert dataset.extractors == {"text": "minilm@2"}
    every = [one for split in dataset.splits.values() for one in split]
    groups = [{one.group for one in split} for split in dataset.splits.values()]
    assert not groups[0] & groups[1]
    first = next(one for one in every if one.id == "vid_0[0-1]")
    assert (first.group, first.raters) == ("vid_0", 3)
    assert first.target.tolist() == [1, 0, 0, 0, 0, 1]
    assert first.intensity.tolist() == pytest.approx([2 / 3, 0, 0, 0, 0, 3])
    assert sorted(embedded) == [f"Word, {index}" for index in range(8)]


def test_features_are_made_once(tmp_path, embedded):
    path = write(tmp_path / "val.csv", HEADER, *ROWS[:2])
    first = open_dataset(path, cache=tmp_path / "w")
    embedded.clear()
    again = open_dataset(path, cache=tmp_path / "w")
    assert embedded == []
    for split, examples in first.splits.items():
        for one, other in zip(examples, again.splits[split], strict=True):
            assert one.features["text"].tobytes() == other.features["text"].tobytes()
    write(path, HEADER, ROWS[0], ROWS[2])
    open_dataset(path, cache=tmp_path / "w")
    assert embedded == ["Word, 2"]
    embedded.clear()
    open_dataset(path)
    assert len(embedded) == 2
    assert not (tmp_path / ".annotate").exists()
    (tmp_path / ".annotate").mkdir()
    open_dataset(path)
    embedded.clear()
    open_dataset(path)
    assert embedded == []


def test_other_columns(tmp_path, caplog):
    path = write(
        tmp_path / "extra.csv", f"file_name,text,sentiment,{EMOTIONS}", "1.wav, a b,0,1,0,0,0,0,0"
    )
    (only,) = open_dataset(path).splits["train"]
    assert (only.id, only.group) == ("1.wav", "1.wav")
    assert "names no videos" in caplog.text
    path = write(
        tmp_path / "split.csv",
        f"video_id,{EMOTIONS},text,split",
        "a,1,0,0,0,0,0,x,test",
        "b,1,0,0,0,0,0,y,dev",
    )
    assert set(open_dataset(path).splits) == {"test", "valid"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [f"id,interval_start,interval_end,sentiment,{EMOTIONS}", "a,0,1,0,0,0,0,0,0,0"],
            r"no column 'text'.*: add the words; or, .* path, start, end and label:happy .*run",
        ),
        ([HEADER], "has no rows"),
        ([HEADER, ROWS[0], ROWS[0]], "twice"),
        ([HEADER, ROWS[0].replace("3.0", "4.0")], "row 2: fear is '4.0'"),
        ([HEADER, ROWS[0].replace("3.0", "nan")], "row 2: fear is 'nan'"),
        ([HEADER, ROWS[0].replace("3.0", "")], "row 2: fear is ''"),
        ([HEADER, ROWS[0].replace('"Word, 0"', " ")], "row 2: expected a video or file name, and"),
        ([HEADER, "vid_1,2"], "row 2: happy is ''"),
        ([f"{HEADER},split", f"{ROWS[0]},all"], "row 2: split is 'all'"),
    ],
)
def test_bad_tables(tmp_path, lines, message):
    with pytest.raises(UsageError, match=message):
        open_dataset(write(tmp_path / "bad.csv", *lines))


def test_a_table_that_is_not_text(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="expected CSV in UTF-8"):
        open_dataset(path)


def test_the_real_columns(shared, tmp_path):
    folder = shared / "data" / "mosei"
    if not folder.is_dir():
        pytest.skip("the CMU-MOSEI tables are not there")
    with (folder / "val.csv").open(encoding="utf-8", newline="") as file:
        lines = [row for row, _ in zip(csv.reader(file), range(6), strict=False)]
    path = tmp_path / "val.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    dataset = open_dataset(path)
    assert sum(map(len, dataset.splits.values())) == 5
    with pytest.raises(UsageError, match="no column 'text'"):
        open_dataset(folder / "labels_without_test.csv")
