"""CMU-MOSEI as MMSA's pickles and CARAT's files, M3ED as CARAT's; small, of the true structure."""

import argparse
import hashlib
import pickle

import numpy as np
import pytest

from annotator.datasets import open_dataset
from annotator.errors import UsageError
from annotator.types import DEFAULT_LABELS

SIX = ("<blank>", "<unk>", "<s>", "</s>", "Happy", "Sad", "Anger", "Surprise", "Disgust", "Fear")
SEVEN = (*SIX[:4], "Happy", "Neutral", "Sad", "Disgust", "Anger", "Fear", "Surprise")
M3ED = ("happy", "neutral", "sad", "disgust", "anger", "fear", "surprise")
COUNTS = {"train": 4, "valid": 2, "test": 3}


def random(count, steps, width, used=None, front=False):
    """Features (count, steps, width) padded with zeros to the left or right of `used` steps."""
    values = np.random.default_rng(0).normal(size=(count, steps, width)).astype(np.float32)
    for index in range(count):
        length = steps if used is None else used[index]
        values[index, : steps - length] *= not front
        values[index, length:] *= front
        if front:
            values[index, : steps - length] = 0
            values[index, steps - length :] = index + 1
    return values


def mmsa(count, split, *, unaligned=False):
    used = [3 + index for index in range(count)]
    mask = np.zeros((count, 3, 50), np.float32)
    for index in range(count):
        mask[index, 1, : used[index]] = 1
    steps = 500 if unaligned else 50
    part = {
        "raw_text": [f"words {index}" for index in range(count)],
        "text": random(count, 50, 768),  # BERT's states of padding are not zero
        "text_bert": mask,
        "audio": random(count, steps, 74, used),
        "vision": random(count, steps, 35, used),
        "id": [f"{split}vid$_${index}" for index in range(count)],
        "regression_labels": np.zeros(count, np.float32),
        "classification_labels": np.zeros(count),
        "annotations": ["Neutral"] * count,
    }
    if unaligned:
        part |= {"audio_lengths": [4] * count, "vision_lengths": [5] * count}
    return part


def emotions(count):
    means = np.zeros((count, 6), np.float32)
    means[:, 1] = 2 / 3
    means[0, 5] = 3
    return means


def corpus(**options):
    return {split: mmsa(count, split, **options) for split, count in COUNTS.items()}


def save(path, data):
    path.write_bytes(pickle.dumps(data, 4))
    return path


def tokens(count, wanted=(4, 7)):
    return [[2, *wanted, 3] for _ in range(count)]


def test_mmsa_aligned_with_means(tmp_path, caplog):
    data = corpus()
    for split, part in data.items():
        part["emotion_labels"] = emotions(COUNTS[split])
    data["train"]["audio"][0, 1, :2] = -np.inf
    path = save(tmp_path / "aligned_50.pkl", data)
    dataset = open_dataset(path)
    assert dataset.labels == DEFAULT_LABELS
    assert {split: len(some) for split, some in dataset.splits.items()} == COUNTS
    assert dataset.dimensions == {"visual": 35, "audio": 74, "text": 768}
    assert dataset.files == {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    first = dataset.splits["train"][0]
    assert (first.id, first.group, first.raters) == ("trainvid$_$0", "trainvid", 3)
    assert first.target.tolist() == [0, 1, 0, 0, 0, 1]
    assert first.intensity.tolist() == pytest.approx([0, 2 / 3, 0, 0, 0, 3])
    lengths = [len(one.features["text"]) for one in dataset.splits["test"]]
    assert lengths == [3, 4, 5]  # by BERT's mask
    assert [len(one.features["audio"]) for one in dataset.splits["test"]] == [3, 4, 5]
    assert "2 values of audio are not finite" in caplog.text
    assert first.features["audio"].dtype == np.float32
    text = [one.features["text"] for one in dataset.splits["train"]]
    assert text[1].base is not None


def test_mmsa_unaligned_with_sentiment_in_front_and_lengths(tmp_path):
    data = corpus(unaligned=True)
    for split, part in data.items():
        means = emotions(COUNTS[split])
        sentiment = np.full((len(means), 1), -2, np.float32)
        part["labels"] = np.concatenate([sentiment, means], 1)[:, None]
    data["valid"]["vision"][0] = 0  # nobody in the picture
    dataset = open_dataset(save(tmp_path / "unaligned_50.pkl", data))
    one = dataset.splits["train"][3]
    assert (len(one.features["audio"]), len(one.features["visual"])) == (4, 5)
    assert one.target.tolist() == [0, 1, 0, 0, 0, 0]
    assert set(dataset.splits["valid"][0].features) == {"audio", "text"}


def test_mult_pads_in_front_and_names_segments_by_their_times(tmp_path):
    part = {
        "text": random(2, 50, 300, [4, 7], front=True),
        "audio": random(2, 500, 74, [9, 2], front=True),
        "vision": random(2, 500, 35, [9, 2], front=True),
        "labels": np.zeros((2, 1, 1), np.float32),
        "id": np.array([["vid_1", "0.5", "2.0"], ["vid_1", "2.0", "3.25"]]),
        "tgt": tokens(2),
    }
    dataset = open_dataset(save(tmp_path / "mosei.pkl", {"train": part}))
    first, second = dataset.splits["train"]
    assert (first.id, second.id, second.group) == ("vid_1[0.5-2.0]", "vid_1[2.0-3.25]", "vid_1")
    assert [len(first.features[m]) for m in ("text", "audio", "visual")] == [4, 9, 9]
    assert (second.features["audio"] == 2).all()
    assert first.target.tolist() == [1, 0, 0, 1, 0, 0]
    assert first.intensity is None
    part["audio_lengths"] = [9, 2]
    known = open_dataset(save(tmp_path / "mosei.pkl", {"train": part})).splits["train"]
    np.testing.assert_array_equal(known[1].features["audio"], second.features["audio"])


def test_emotions_from_carat_beside_the_pickle(tmp_path):
    path = save(tmp_path / "unaligned_50.pkl", corpus(unaligned=True))
    with pytest.raises(UsageError, match=r"no emotions .*train_valid_test\.pt beside it"):
        open_dataset(path)
    beside = {split: {"tgt": tokens(n)} for split, n in COUNTS.items()}
    beside["dict"] = {"tgt": {SIX[i]: i for i in range(len(SIX))}, "src": {}}
    save(tmp_path / "train_valid_test.pt", beside)
    dataset = open_dataset(path)
    assert dataset.splits["test"][2].target.tolist() == [1, 0, 0, 1, 0, 0]
    assert set(dataset.files) == {"unaligned_50.pkl", "train_valid_test.pt"}
    beside["test"]["tgt"].pop()
    save(tmp_path / "train_valid_test.pt", beside)
    with pytest.raises(UsageError, match="'tgt' is 2, expected a list of 3"):
        open_dataset(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part.update(id=part["id"][:1] * 4), "twice"),
        (lambda part: part.update(id=part["id"][:2]), "'emotion_labels|'id' is 2|no emotions"),
        (lambda part: part.update(vision=part["vision"][:2]), "'vision' is not the features of 4"),
        (lambda part: part.update(text=part["text"].astype(np.int64)), "'text' is not the feat"),
        (lambda part: part["vision"].__setitem__((0, 0, 0), np.nan), "visual features of example"),
        (lambda part: part.update(audio_lengths=[-1] * 4), "not a length"),
        (lambda part: part.update(emotion_labels=-emotions(4)), "means below 0"),
        (lambda part: part.update(audio=random(4, 50, 33)), "features a step, expected"),
    ],
)
def test_bad_mmsa_files(tmp_path, change, message):
    data = corpus()
    for split, part in data.items():
        part["emotion_labels"] = emotions(COUNTS[split])
    change(data["train"])
    with pytest.raises(UsageError, match=message) as raised:
        open_dataset(save(tmp_path / "bad.pkl", data))
    assert "\n" not in str(raised.value)


def carat(words, audio, visual):
    data = {}
    for split, count in COUNTS.items():
        lengths = [5, 60, 61, 7][:count]  # before they were cut at 60
        data[split] = {
            "src-text": list(random(count, 60, 768, [min(n, 60) for n in lengths])),
            "src-audio": list(random(count, 60, audio, [min(n, 60) for n in lengths])),
            "src-visual": list(random(count, 60, visual, [min(n, 60) for n in lengths])),
            "len_list": lengths,
            "tgt": tokens(count, [5, 10]),
        }
    data["dict"] = {"tgt": {word: place for place, word in enumerate(words)}, "src": {"a": 4}}
    data["settings"] = argparse.Namespace(max_len=60)
    return data


@pytest.mark.parametrize("widths", [(342, 1024), (1024, 342)])
def test_m3ed_whichever_way_round_the_names_are(tmp_path, widths):
    torch = pytest.importorskip("torch")
    path = tmp_path / "m3ed_data_60.pt"
    torch.save(carat(SEVEN, *widths), path)
    dataset = open_dataset(path)
    assert (dataset.name, dataset.labels) == ("M3ED", M3ED)
    assert dataset.dimensions == {"visual": 342, "audio": 1024, "text": 768}
    assert [len(one.features["text"]) for one in dataset.splits["train"]] == [5, 60, 60, 7]
    first = dataset.splits["train"][0]
    assert first.target.tolist() == [0, 1, 0, 0, 0, 0, 1]
    assert first.id == first.group == "train-0"
    chosen = open_dataset(path, labels=("surprise", "sad"))
    assert chosen.splits["train"][0].target.tolist() == [1, 0]


def test_mosei_aligned_as_carat_has_it(tmp_path):
    data = carat(SIX, 74, 35)
    for part in (data["train"], data["valid"], data["test"]):
        del part["len_list"]
        part["tgt"] = tokens(len(part["tgt"]), [5, 9])
        part["src-text"] = np.stack(part["src-text"])[:, :, :300]
    del data["settings"]
    data["train"]["src-audio"][0][0, 0] = -np.inf
    dataset = open_dataset(save(tmp_path / "train_valid_test.pt", data))
    assert (dataset.name, dataset.labels) == ("CMU-MOSEI", DEFAULT_LABELS)
    assert dataset.splits["train"][0].target.tolist() == [0, 1, 0, 0, 0, 1]
    assert len(dataset.splits["train"][0].features["visual"]) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("dict"), "does not name its labels"),
        (lambda data: data["dict"]["tgt"].pop("Sad"), "not numbered"),
        (lambda data: data["train"]["tgt"].__setitem__(0, [2, 11, 3]), "unknown label 11"),
        (lambda data: data["train"]["tgt"].__setitem__(0, 5), "unknown label None"),
        (lambda data: data["train"]["tgt"].pop(), "'tgt' is 3, expected a list of 4"),
        (lambda data: data["train"].pop("tgt"), "'tgt' is NoneType"),
        (lambda data: data["train"].update({"src-audio": 3}), "'src-audio'"),
    ],
)
def test_bad_carat_files(tmp_path, change, message):
    data = carat(SEVEN, 342, 1024)
    del data["settings"]
    change(data)
    with pytest.raises(UsageError, match=message):
        open_dataset(save(tmp_path / "bad.pt", data))


def test_pickles_of_something_else(tmp_path):
    with pytest.raises(UsageError, match="expected a dictionary of train, valid and test"):
        open_dataset(save(tmp_path / "a.pkl", [1, 2]))
    with pytest.raises(UsageError, match="holds a, b: expected MMSA's id"):
        open_dataset(save(tmp_path / "a.pkl", {"train": {"a": 1, "b": 2}}))
    with pytest.raises(UsageError, match="does not exist: expected CMU-MOSEI"):
        open_dataset(tmp_path / "none.pkl")
