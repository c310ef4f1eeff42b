"""Acted speech: RAVDESS (English) and EmoDB (German), one emotion an utterance."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.features.audio import WhisperAudio
from annotator.features.extractor import BLOCK_SECONDS, pool_blocks
from annotator.features.sound import SAMPLE_RATE
from annotator.learning.dataset import TEST, TRAIN, VALID, Example
from annotator.media.decode import decode_audio
from annotator.media.probe import probe
from annotator.starter.copies import copy_name
from annotator.starter.labels import NEUTRAL, one_hot
from annotator.starter.sound_augmentation import Samples, augment

RAVDESS = {
    "01": NEUTRAL,
    "02": NEUTRAL,
    "03": "happy",
    "04": "sad",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}  # fmt: skip  by the third part of a file's name; calm counts as neutral
EMODB = {"W": "anger", "E": "disgust", "A": "fear", "F": "happy", "T": "sad", "N": NEUTRAL}
RAVDESS_SPLITS = {13: VALID, 14: VALID, 15: TEST, 16: TEST, 17: TEST, 18: TEST}  # others: train
EMODB_SPLITS = {"09": TEST, "11": TEST}  # a woman and a man; others: train


@dataclass(frozen=True, slots=True)
class Utterance:
    """A file of one emotion by one speaker."""

    id: str
    path: Path
    speaker: str
    split: str
    emotion: str  # a label or NEUTRAL


def ravdess(folder: Path) -> list[Utterance]:
    """The utterances in `Actor_01/03-01-05-...-01.flac` and so on, in order."""
    found = []
    for file in sorted(folder.glob("Actor_*/*.flac")):
        parts = file.stem.split("-")
        actor = int(parts[6])
        split = RAVDESS_SPLITS.get(actor, TRAIN)
        found.append(
            Utterance(f"ravdess {file.stem}", file, f"actor {actor}", split, RAVDESS[parts[2]])
        )
    return found


def emodb(folder: Path) -> list[Utterance]:
    """The utterances of six emotions; boredom, which none of our labels means, is left out."""
    found = []
    for file in sorted(folder.glob("*.flac")):
        speaker, letter = file.stem[:2], file.stem[5]
        if letter in EMODB:
            split = EMODB_SPLITS.get(speaker, TRAIN)
            found.append(
                Utterance(f"emodb {file.stem}", file, f"emodb {speaker}", split, EMODB[letter])
            )
    return found


def examples(utterances: list[Utterance], workers: int, variants: int) -> dict[str, list[Example]]:
    """The sound features of utterances by split; those to train on with changed copies."""
    splits: dict[str, list[Example]] = {}
    with ProcessPoolExecutor(workers) as pool:
        for utterance, made in zip(
            utterances,
            pool.map(partial(_features, variants=variants), utterances, chunksize=8),
            strict=True,
        ):
            target = one_hot(utterance.emotion)
            for number, values in enumerate(made):
                name = copy_name(utterance.id, number)
                splits.setdefault(utterance.split, []).append(
                    Example(name, utterance.speaker, {"audio": values}, target)
                )
    return splits


def read_sound(path: Path) -> Samples:
    """The sound of a file as a run decodes it: (n,) at 16 kHz."""
    chunks = decode_audio(path, probe(path), sample_rate=SAMPLE_RATE)
    return np.concatenate([chunk.samples for chunk in chunks])


def sound_features(samples: Samples) -> NDArray[np.float16]:
    """What a run makes of this sound (n,)."""
    block = BLOCK_SECONDS * SAMPLE_RATE
    starts = range(0, len(samples), block)
    return pool_blocks([_extractor().block(samples[start : start + block]) for start in starts])


def _features(utterance: Utterance, variants: int) -> list[NDArray[np.float16]]:
    samples = read_sound(utterance.path)
    random = np.random.default_rng(list(utterance.id.encode()))
    copies = variants if utterance.split == TRAIN else 0
    changed: Iterator[Samples] = (augment(samples, random) for _ in range(copies))
    return [sound_features(each) for each in (samples, *changed)]


@cache
def _extractor() -> WhisperAudio:
    return WhisperAudio()
