"""Words: CMU-MOSEI's segments and GoEmotions' comments, several emotions each or none.

Some of those to train on teach the text encoder, and the starter learns from the others: an encoder
is surer of sentences that it has learnt than of new ones, and whoever learns from those is misled.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.features.text import MiniLM
from annotator.learning.dataset import TEST, TRAIN, VALID, Example
from annotator.starter.copies import copy_name
from annotator.starter.labels import LABELS

EKMAN = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprise",
}  # fmt: skip  of GoEmotions; neutral is none
MOSEI_SHARES = ((0.2, TEST), (0.35, VALID), (1.0, TRAIN))  # of the videos, cumulative
MAX_OF_KIND = 400  # comments of one set of labels: of transcripts, which matter more, there are few
MAX_VALID = 400  # comments to validate on: more would outvote the other sources
DEV_TEST = 2  # of the dev comments every second is for the test, the others validate
VARIANTS = 2  # copies of each segment of MOSEI to train on with words left out
LEFT_OUT = 0.15  # chance of each word of such a copy
RATERS = 3  # of MOSEI
WEAKEST = 0.75  # the share that MOSEI's weakest mean above 0 stands for: it is present
WORDS = 120  # read of a text; spoken segments are shorter

Row = tuple[str, str, str, str, NDArray[np.float32], int | None]
"""id, group, split, text, target, raters."""


def mosei(folder: Path) -> Iterator[Row]:
    """The segments of val.csv, split by video; those to train on come with variants."""
    for row in _table(folder / "val.csv"):
        video = row["video"]
        name = f"mosei {video}[{row['start_time']}-{row['end_time']}]"
        yield from _variants((name, f"mosei {video}", _split_of(video), row["text"], _present(row)))


def mosei_extra(folder: Path) -> Iterator[Row]:
    """The segments of extra_text.csv with variants, to teach the encoder."""
    for row in _table(folder / "extra_text.csv"):
        name = f"mosei extra {row['file_name']}"
        yield from _variants((name, name, TRAIN, row["text"], _present(row)))


def goemotions(folder: Path) -> Iterator[Row]:
    """The comments with Ekman's emotions, at most MAX_OF_KIND of a set of labels to train on."""
    seen: Counter[tuple[str, bytes]] = Counter()
    valid = 0
    for split, name, text, labels in comments(folder):
        if split == TRAIN and teaches_encoder(name):
            continue
        found = {EKMAN.get(label) for label in labels}
        target = np.array([label in found for label in LABELS], np.float32)
        seen[split, target.tobytes()] += 1
        valid += split == VALID
        kind = seen[split, target.tobytes()]
        wanted = {TRAIN: kind <= MAX_OF_KIND, VALID: valid <= MAX_VALID, TEST: True}
        if wanted[split]:
            yield name, name, split, text, target, None


def teaches_encoder(comment: str) -> bool:
    """Whether a comment to train on is one of the half that teaches the encoder, by its name."""
    return hashlib.sha256(comment.encode()).digest()[0] % 2 == 0


def comments(folder: Path) -> Iterator[tuple[str, str, str, list[str]]]:
    """Every comment of GoEmotions: split, name, text and its labels, of those in labels.txt."""
    names = label_names(folder)
    for file in ("train", "dev"):
        with (folder / f"{file}.tsv").open(encoding="utf-8", newline="") as lines:
            rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            for number, (text, labels, comment) in enumerate(rows):
                split = TRAIN if file == "train" else (TEST, VALID)[number % DEV_TEST]
                found = [names[int(place)] for place in labels.split(",")]
                yield split, f"goemotions {comment}", text, found


def label_names(folder: Path) -> list[str]:
    """The labels of a version of GoEmotions, its own or Ekman's, neutral among them."""
    return (folder / "labels.txt").read_text(encoding="utf-8").split()


def examples(rows: Sequence[Row], workers: int) -> dict[str, list[Example]]:
    """The text features of rows by split; blank texts are left out."""
    rows = [row for row in rows if row[3].strip()]
    splits: dict[str, list[Example]] = {}
    with ProcessPoolExecutor(workers) as pool:
        features = pool.map(text_features, [row[3] for row in rows], chunksize=64)
        for (name, group, split, _, target, raters), values in zip(rows, features, strict=True):
            example = Example(name, group, {"text": values}, target, raters)
            splits.setdefault(split, []).append(example)
    return splits


def text_features(text: str) -> NDArray[np.float16]:
    """What a run makes of the first words of a text."""
    return _extractor().embed(first_words(text))


def first_words(text: str) -> str:
    """What is read of a text; empty if it is blank."""
    return " ".join(text.split()[:WORDS])


def _variants(row: tuple[str, str, str, str, NDArray[np.float32]]) -> Iterator[Row]:
    """A segment, and if it is to train on its copies without some of its words."""
    name, group, split, text, target = row
    yield name, group, split, text, target, RATERS
    random = np.random.default_rng(list(name.encode()))
    for number in range(1, VARIANTS + 1 if split == TRAIN else 1):
        words = [word for word in text.split() if random.random() >= LEFT_OUT]
        yield copy_name(name, number), group, split, " ".join(words), target, RATERS


def _table(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)


def _present(row: dict[str, str]) -> NDArray[np.float32]:
    """The raters' means (0 to 3) as soft labels: any mean above 0 is present, a weak one less so.

    >>> _present(dict.fromkeys(LABELS, "0.0") | {"sad": "0.5", "fear": "2.0"}).tolist()
    [0.0, 0.875, 0.0, 0.0, 0.0, 1.0]
    """
    means = np.array([float(row[label]) for label in LABELS], np.float32)
    return np.where(means > 0, WEAKEST + (1 - WEAKEST) * np.minimum(means, 1), 0).astype(np.float32)


def _split_of(video: str) -> str:
    share = hashlib.sha256(video.encode()).digest()[0] / 256
    return next(split for limit, split in MOSEI_SHARES if share < limit)


@cache
def _extractor() -> MiniLM:
    return MiniLM()
