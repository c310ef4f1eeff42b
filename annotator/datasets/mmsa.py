"""CMU-MOSEI as MMSA and MulT hand it around: a pickle of train, valid and test.

A part holds `text` (n, 50, 768 or 300), `audio` (n, 50 or 500, 74) and `vision` (n, 50 or 500, 35),
`id` ("video$_$segment", or MulT's rows of video, start, end), MMSA's `text_bert` (n, 3, 50: token
ids, their mask, segments), and unaligned `audio_lengths` and `vision_lengths`; see MMSA's
`src/MMSA/data_loader.py`. MulT's sequences are padded in front.

MMSA's own release has sentiment only (its issues 14 and 84). Emotions come in three forms, looked
for in this order: `tgt`, tokens as CARAT has them; means of the raters from 0 to 3 as an array of
six, or of seven with the sentiment in front, the order of the CMU SDK; or `train_valid_test.pt` of
CARAT beside the pickle, whose examples CARAT takes to be in the same order.
"""

import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.datasets.assemble import assemble, file_hash
from annotator.datasets.carat import label_names, targets
from annotator.datasets.pickles import read_pickle
from annotator.datasets.sequences import Part, entries, features, lengths, parts, size
from annotator.errors import UsageError
from annotator.learning.dataset import Dataset, Example
from annotator.types import DEFAULT_LABELS, Modality

NAME = "CMU-MOSEI"
BESIDE = "train_valid_test.pt"  # CARAT's file with the emotions
RATERS = 3  # of every segment

_KEYS: dict[str, Modality] = {
    "text": "text", "audio": "audio", "vision": "visual", "visual": "visual",
}  # fmt: skip
_LABEL_KEYS = ("emotion_labels", "emotions", "emotion", "labels")
_SEGMENT = re.compile(r"(.+?)(?:\$_\$[^$]*|\[[^\[]*\])")

Emotions = tuple[NDArray[np.float32], NDArray[np.float32] | None]  # target, intensity


def is_mmsa(data: Mapping[str, Part]) -> bool:
    """Whether the parts are of MMSA's structure."""
    return all("id" in part and _KEYS.keys() & part.keys() for part in data.values())


def read_mmsa(
    path: Path, data: Mapping[str, Part], files: Mapping[str, str], asked: Sequence[str] | None
) -> Dataset:
    """The dataset in what was loaded from MMSA's pickle, grouped by video.

    Raises:
        UsageError: it is not of that structure, or there are no emotions.
    """
    by_split = parts(path.name, data)
    emotions = {split: _emotions(path.name, part) for split, part in by_split.items()}
    if any(found is None for found in emotions.values()):
        beside = path.with_name(BESIDE)
        emotions = dict(_emotions_beside(path, beside, by_split))
        files = {**files, **file_hash(beside)}
    splits = {
        split: _examples(path.name, split, part, found)
        for split, part in by_split.items()
        if (found := emotions[split]) is not None
    }
    return assemble(NAME, DEFAULT_LABELS, splits, files, asked=asked)


def group_of(segment: str) -> str:
    """The video that a segment is from.

    >>> group_of("-3g5yACwYnA$_$0002"), group_of("-3g5yACwYnA[2]")
    ('-3g5yACwYnA', '-3g5yACwYnA')
    """
    match = _SEGMENT.fullmatch(segment)
    return match[1] if match else segment


def _examples(name: str, split: str, part: Part, emotions: Emotions) -> list[Example]:
    target, intensity = emotions
    count = len(target)
    cells = entries(name, part, "id", count)
    ids = [_id(name, split, index, cell) for index, cell in enumerate(cells)]
    keys = {key: modality for key, modality in _KEYS.items() if key in part}
    found = features(name, part, keys, _lengths(name, part, count), count)
    return [
        Example(
            id=ids[index],
            group=group_of(ids[index]),
            features=one,
            target=target[index],
            raters=None if intensity is None else RATERS,
            intensity=None if intensity is None else intensity[index],
        )
        for index, one in enumerate(found)
    ]


def _id(name: str, split: str, index: int, cell: object) -> str:
    cells = cell if isinstance(cell, list | tuple) else [cell]
    words = [_text(one) for one in cells if isinstance(one, str | bytes | int | float)]
    if not words or not all(words) or len(words) < len(cells):
        raise UsageError(
            f"{name}: the id of example {index} of {split} is {reprlib.repr(cell)}: "
            "expected text or numbers"
        )
    return words[0] if len(words) == 1 else f"{words[0]}[{'-'.join(words[1:])}]"


def _text(word: str | bytes | float) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)


def _lengths(name: str, part: Part, count: int) -> dict[str, list[int]]:
    """True lengths by the key of the features."""
    found = {}
    for key, modality in _KEYS.items():
        if f"{key}_lengths" in part:
            found[key] = lengths(name, part, f"{key}_lengths", count)
        elif modality == "text" and _is_mask(part.get("text_bert"), count):
            found[key] = part["text_bert"][:, 1].sum(axis=1).astype(int).tolist()
    return found


def _is_mask(value: object, count: int) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype.kind in "fiu"
        and value.ndim == 3
        and value.shape[:2] == (count, 3)
    )


def _emotions(name: str, part: Part) -> Emotions | None:
    count = size(name, part, "id")
    if "tgt" in part:
        return targets(name, entries(name, part, "tgt", count), len(DEFAULT_LABELS)), None
    for key in _LABEL_KEYS:
        if key not in part:
            continue
        cells = np.asarray(part[key])
        if cells.dtype.kind not in "fiu" or not cells.size or len(cells) != count:
            continue
        means = cells.reshape(count, -1)[:, -len(DEFAULT_LABELS) :].astype(np.float32)
        if cells.size // count in (len(DEFAULT_LABELS), len(DEFAULT_LABELS) + 1):
            if not (means >= 0).all():
                raise UsageError(f"{name}: {key!r} holds means below 0, expected 0 to 3")
            return (means > 0).astype(np.float32), means
    return None


def _emotions_beside(
    path: Path, beside: Path, by_split: Mapping[str, Part]
) -> list[tuple[str, Emotions]]:
    if not beside.is_file():
        raise UsageError(
            f"{path.name!r} holds no emotions (MMSA's release has sentiment only): put CARAT's "
            f"{BESIDE} beside it, or add 'emotion_labels' (n, 6) to each split"
        )
    data = read_pickle(beside)
    parts_beside, labels = parts(beside.name, data), label_names(beside.name, data)
    if set(labels) != set(DEFAULT_LABELS):
        raise UsageError(
            f"{beside.name!r} has the labels {', '.join(labels)}, expected CMU-MOSEI's"
        )
    order = [labels.index(label) for label in DEFAULT_LABELS]
    found: list[tuple[str, Emotions]] = []
    for split, part in by_split.items():
        count = size(path.name, part, "id")
        rows = entries(beside.name, parts_beside.get(split, {}), "tgt", count)
        found.append((split, (targets(beside.name, rows, len(labels))[:, order], None)))
    return found
