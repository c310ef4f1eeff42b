"""The files that CARAT trains on: M3ED, and CMU-MOSEI aligned, as `torch.save` wrote them.

Structure, from CARAT's `utils/m3ed_reader.py` and `dataloaders/cmu_dataloader.py`
(github.com/chengzju/CARAT): {train, valid, test, dict, settings}. A part holds under src-text,
src-visual and src-audio one array (60, d) an example, zeros at the end, and under `tgt` the tokens
of its labels between two marks: [2, 4, 7, 3]. Only M3ED's have `len_list`, the utterances of a
dialogue before it was cut at 60. `dict["tgt"]` names the tokens, 0 to 3 being marks. Examples have
no ids. M3ED's 1,024 wav2vec values lie under src-visual and its 342 of DenseFace under src-audio.
"""

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.datasets.assemble import assemble
from annotator.datasets.sequences import Part, entries, features, lengths, parts, size
from annotator.errors import UsageError
from annotator.learning.dataset import Dataset, Example
from annotator.types import Modality

FIRST_LABEL = 4  # tokens before it are marks: blank, unknown, begin, end
WAV2VEC, DENSEFACE = 1024, 342  # widths of M3ED's audio and visual features

_USUAL = {"happiness": "happy", "sadness": "sad", "angry": "anger", "surprised": "surprise"}
_KEYS: dict[str, Modality] = {"src-text": "text", "src-visual": "visual", "src-audio": "audio"}


def is_carat(data: Mapping[str, Part]) -> bool:
    """Whether the parts are of the structure that CARAT reads."""
    return all("src-text" in part for part in data.values())


def read_carat(
    path: Path, data: Mapping[str, Any], files: Mapping[str, str], asked: Sequence[str] | None
) -> Dataset:
    """The dataset in what was loaded from a file of CARAT's; every example is its own group.

    Raises:
        UsageError: it is not of that structure, or holds unknown labels.
    """
    by_split = parts(path.name, data)
    labels = label_names(path.name, data)
    name = "M3ED" if "neutral" in labels else "CMU-MOSEI"
    splits = {
        split: _examples(path.name, split, part, len(labels)) for split, part in by_split.items()
    }
    return assemble(name, labels, splits, files, asked=asked)


def label_names(name: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels in the order of their tokens, in lower case.

    Raises:
        UsageError: the file does not name its tokens, or not one after the other.
    """
    words = data.get("dict")
    tokens = words.get("tgt") if isinstance(words, dict) else None
    if not isinstance(tokens, dict):
        raise UsageError(f"{name} does not name its labels: expected dict['tgt'], as CARAT's has")
    named = {
        token: _USUAL.get(word.lower(), word.lower())
        for word, token in tokens.items()
        if isinstance(word, str) and isinstance(token, int) and token >= FIRST_LABEL
    }
    if not named or sorted(named) != list(range(FIRST_LABEL, FIRST_LABEL + len(named))):
        raise UsageError(
            f"{name}: the labels in dict['tgt'] are not numbered {FIRST_LABEL}, 5, …, as in "
            "CARAT's: save them so"
        )
    return tuple(named[token] for token in sorted(named))


def targets(name: str, rows: Sequence[Any], count: int) -> NDArray[np.float32]:
    """Multi-hot (n, count) of rows of tokens.

    Raises:
        UsageError: a token is no label's.

    >>> targets("m3ed.pt", [[2, 4, 6, 3]], 3).tolist()
    [[1.0, 0.0, 1.0]]
    """
    found = np.zeros((len(rows), count), np.float32)
    for row, tokens in zip(found, rows, strict=True):
        for token in tokens if isinstance(tokens, list | tuple) else (None,):
            if not isinstance(token, int) or not 0 <= token < FIRST_LABEL + count:
                raise UsageError(
                    f"{name}: unknown label {reprlib.repr(token)} in 'tgt': expected tokens "
                    f"below {FIRST_LABEL + count}"
                )
            if token >= FIRST_LABEL:
                row[token - FIRST_LABEL] = 1
    return found


def _examples(name: str, split: str, part: Part, count: int) -> list[Example]:
    keys = _modalities(name, part)
    rows = entries(name, part, "tgt", size(name, part, "src-text"))
    target = targets(name, rows, count)
    known = lengths(name, part, "len_list", len(rows)) if "len_list" in part else None
    found = features(name, part, keys, dict.fromkeys(keys, known) if known else {}, len(rows))
    return [
        Example(f"{split}-{index}", f"{split}-{index}", one, target[index])
        for index, one in enumerate(found)
    ]


def _modalities(name: str, part: Part) -> dict[str, Modality]:
    """The modalities by key, told by their width where the names are swapped."""
    keys = {key: modality for key, modality in _KEYS.items() if key in part}
    widths = {key: np.shape(part[key][0])[-1:] for key in keys if size(name, part, key)}
    if (widths.get("src-visual"), widths.get("src-audio")) == ((WAV2VEC,), (DENSEFACE,)):
        keys |= {"src-visual": "audio", "src-audio": "visual"}
    return keys
