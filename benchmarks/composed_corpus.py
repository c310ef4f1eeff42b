"""Clips with a face, a voice and words of the same emotion, composed of two labelled corpora.

    python benchmarks/composed_corpus.py --out composed --clips 224

No public corpus here has faces, voices, words and labels together. This joins faces of FER+
(valid split, more than half of the ten raters agree) to utterances of RAVDESS as H.264 and AAC in
mp4, with the sentence as .srt beside it and a manifest. Faces and actors are those the starter was
not trained on. The pairing is synthetic: face and voice are of different people, and the words are
the same two sentences for every emotion. The face is a still that drifts and breathes a little.
With `--audio-only` the utterances alone are copied, with the same sentences and manifest.

The data lies in ../shared/data, or in the folder that ANNOTATE_DATA names. Same arguments, same
clips.
"""

import argparse
import csv
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotator.features.expression import CROP, EXPRESSIONS
from annotator.features.sound import SAMPLE_RATE
from annotator.learning.dataset import TEST
from annotator.learning.expression import read_faces
from annotator.starter.faces import NAMES, RATERS, TENTHS
from annotator.starter.labels import NEUTRAL
from annotator.starter.speech import RAVDESS, RAVDESS_SPLITS, read_sound
from annotator.types import DEFAULT_LABELS
from encode import Picture, encode
from faces import Frame
from sidecars import srt
from speech import Line, Track

CLASSES = (*DEFAULT_LABELS, NEUTRAL)
OF_FERPLUS = {label: name for name, label in NAMES.items()} | {NEUTRAL: "neutral"}
ACTORS = tuple(actor for actor, split in RAVDESS_SPLITS.items() if split == TEST)
SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}

FPS = 15.0
SIZE = (640, 480)  # px
SIDE = 384  # px, of the face's tile: the detector finds fewer of much smaller ones
GREY = (128, 128, 128)
DRIFT = 12.0  # px that the face moves to either side
BREATH = 0.03  # by which it grows and shrinks


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What one clip is made of. `face` is grey (48, 48); `name` is the file's, without suffix."""

    name: str
    emotion: str
    speaker: str
    sentence: str
    utterance: Path
    face: NDArray[np.uint8]
    seed: tuple[int, int]  # of its movement


def data_folder() -> Path:
    """Where RAVDESS and FER+ lie. Raises SystemExit where they do not."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("ANNOTATE_DATA", beside))
    if not (folder / "ravdess").is_dir() or not (folder / "ferplus").is_dir():
        raise SystemExit(f"composed_corpus: no ravdess and ferplus in {folder}: set ANNOTATE_DATA")
    return folder


def recipes(data: Path, count: int, seed: int = 0) -> list[Recipe]:
    """`count` clips, as many of each emotion and of none as can be; no utterance comes twice.

    A face does where an emotion has fewer faces than clips (disgust, fear), and then in turns.
    Raises SystemExit where there are not enough utterances.
    """
    random = np.random.default_rng(seed)
    voices = {emotion: random.permutation(np.array(files, dtype=object))
              for emotion, files in _utterances(data / "ravdess").items()}  # fmt: skip
    faces = {emotion: random.permutation(tiles) for emotion, tiles in _faces(data).items()}
    most = len(CLASSES) * min(len(voices.get(emotion, ())) for emotion in CLASSES)
    if count > most:
        raise SystemExit(f"composed_corpus: {count} clips asked, {most} at most can be balanced")
    made = []
    for number in range(count):
        turn, place = divmod(number, len(CLASSES))
        emotion = CLASSES[place]
        file: Path = voices[emotion][turn]
        _, _, _, _, sentence, _, actor = file.stem.split("-")
        made.append(
            Recipe(
                name=f"{number:04}-{emotion}-actor-{actor}",
                emotion=emotion,
                speaker=f"actor {int(actor)}",
                sentence=SENTENCES[sentence],
                utterance=file,
                face=faces[emotion][turn % len(faces[emotion])],
                seed=(seed, number),
            )
        )
    return made


def compose(recipe: Recipe, out: Path) -> Path:
    """Write the clip as mp4 into the folder `out`, its sentence as .srt beside it.

    Raises RuntimeError where ffmpeg fails.
    """
    samples = read_sound(recipe.utterance)
    seconds = len(samples) / SAMPLE_RATE
    track = Track(samples, (), SAMPLE_RATE)
    picture = Picture(moving(recipe.face, seconds, recipe.seed), SIZE, FPS)
    _write_srt(recipe, seconds, out)
    return encode(out / f"{recipe.name}.mp4", picture=picture, track=track)


def copy_sound(recipe: Recipe, out: Path) -> Path:
    """Copy the utterance as it is into the folder `out`, its sentence as .srt beside it."""
    _write_srt(recipe, len(read_sound(recipe.utterance)) / SAMPLE_RATE, out)
    file = out / f"{recipe.name}{recipe.utterance.suffix}"
    return Path(shutil.copyfile(recipe.utterance, file))


def write_manifest(file: Path, made: Sequence[tuple[Recipe, Path]]) -> None:
    """A row a clip: a column a label, all of them 0 where the clip is neutral."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines, lineterminator="\n")
        rows.writerow(["path", "speaker", "split", *(f"label:{name}" for name in DEFAULT_LABELS)])
        for recipe, media in made:
            shown = [int(recipe.emotion == label) for label in DEFAULT_LABELS]
            rows.writerow([media.name, recipe.speaker, "test", *shown])


def moving(face: NDArray[np.uint8], seconds: float, seed: tuple[int, int]) -> Iterator[Frame]:
    """The face, drifting and breathing slowly, over grey."""
    random = np.random.default_rng(seed)
    rate, phase = random.uniform(0.1, 0.4, 3), random.uniform(0, 2 * np.pi, 3)  # Hz, rad
    for time in np.arange(np.ceil(seconds * FPS)) / FPS:
        x, y, breath = np.sin(2 * np.pi * rate * time + phase)
        yield still(face, (DRIFT * x, DRIFT * y), 1 + BREATH * breath)


def still(
    face: NDArray[np.uint8], shift: tuple[float, float] = (0.0, 0.0), zoom: float = 1.0
) -> Frame:
    """One RGB frame (480, 640, 3) of the face, in the middle but for the shift in pixels."""
    scale = SIDE / CROP * zoom
    left, top = (
        (whole - CROP * scale) / 2 + moved for whole, moved in zip(SIZE, shift, strict=True)
    )
    tile = cv2.cvtColor(face, cv2.COLOR_GRAY2RGB)
    place = np.array([[scale, 0, left], [0, scale, top]])
    frame = cv2.warpAffine(tile, place, SIZE, flags=cv2.INTER_CUBIC, borderValue=GREY)
    return np.asarray(frame, np.uint8)


def _write_srt(recipe: Recipe, seconds: float, out: Path) -> None:
    line = Line(0, int(seconds * 1000), recipe.sentence)
    (out / f"{recipe.name}.srt").write_text(srt([line]), encoding="utf-8", newline="\n")


def _utterances(folder: Path) -> dict[str, list[Path]]:
    """By emotion, those of the actors; calm is neutral."""
    found: dict[str, list[Path]] = {}
    for actor in ACTORS:
        for file in sorted((folder / f"Actor_{actor:02}").glob("*.flac")):
            found.setdefault(RAVDESS[file.stem.split("-")[2]], []).append(file)
    return found


def _faces(data: Path) -> dict[str, NDArray[np.uint8]]:
    """By emotion, the grey faces (n, 48, 48) in which more than half of the raters see it."""
    known = read_faces(data / "ferplus", "valid")
    new = np.array([TENTHS[place % 10] == TEST for place in range(len(known.images))])
    return {
        emotion: known.images[new & (known.votes[:, EXPRESSIONS.index(name)] > RATERS / 2)]
        for emotion, name in OF_FERPLUS.items()
    }


def write_corpus(
    data: Path, out: Path, count: int, seed: int = 0, *, audio_only: bool = False
) -> list[Recipe]:
    """Write clips and `manifest.csv` into the folder `out`, made if need be."""
    chosen = recipes(data, count, seed)
    out.mkdir(parents=True, exist_ok=True)
    write = copy_sound if audio_only else compose
    write_manifest(out / "manifest.csv", [(recipe, write(recipe, out)) for recipe in chosen])
    return chosen


def main() -> None:
    """Write the corpus that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--audio-only", action="store_true")
    asked = parser.parse_args()
    made = write_corpus(
        data_folder(), asked.out, asked.clips, asked.seed, audio_only=asked.audio_only
    )
    faces = {recipe.face.tobytes() for recipe in made}
    print(f"{len(made)} clips of {len(faces)} faces in {asked.out}")


if __name__ == "__main__":
    main()
