"""Whether a model sees at run time what it was trained on: accuracy through files and without.

    python benchmarks/end_to_end.py --clips 224 --model starter

Composes labelled clips (`composed_corpus.py`), annotates them with `annotate run`, exports them
with `annotate export`, measures them with `annotate eval` on the cached features, and answers the
same clips once more from features made directly of the source: the drawn frames, the utterance's
samples, the sentence. Between the two stand mp4, H.264, AAC, the
decoder, the segments, the cache, the database and the CSV: they may move accuracy by 3 points.
Ends with status 1 where they move it further.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from annotator.clipwork import Tools
from annotator.datasets import open_dataset
from annotator.features.extractor import pool_blocks
from annotator.features.sound import SAMPLE_RATE
from annotator.learning.card import open_model
from annotator.learning.dataset import Example
from annotator.metrics.multilabel import accuracy
from annotator.predict import Predictor
from annotator.registry import ModelVersion, choose, extractors_of
from annotator.stages import FRAMES_PER_SECOND
from annotator.starter.labels import NEUTRAL
from annotator.starter.speech import read_sound
from annotator.toolkit import load_tools
from annotator.types import DEFAULT_LABELS, MODALITIES, Absent, ClipFeatures, Features
from annotator.workspace import open_workspace
from composed_corpus import (
    CLASSES,
    FPS,
    Recipe,
    data_folder,
    moving,
    write_corpus,
)

ANNOTATE = str(Path(sys.executable).with_name("annotate"))
BATCH = 32
MAX_DIFFERENCE = 0.03  # of an accuracy

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quality:
    """How well probabilities fit: mean sample Jaccard, and argmax on clips with an emotion."""

    jaccard: float
    argmax: float


def quality(probability: Array, recipes: Sequence[Recipe], thresholds: Sequence[float]) -> Quality:
    """Of probabilities (n, 6) in the order of DEFAULT_LABELS."""
    target = np.array([[r.emotion == label for label in DEFAULT_LABELS] for r in recipes], float)
    shown = np.array([recipe.emotion != NEUTRAL for recipe in recipes])
    hits = probability.argmax(axis=1) == target.argmax(axis=1)
    jaccard = float(accuracy(probability, target, thresholds))
    return Quality(jaccard, float(hits[shown].mean()) if shown.any() else float("nan"))


def exported(file: Path, recipes: Sequence[Recipe]) -> Array:
    """The probabilities (n, 6) in a CSV that `annotate export` wrote, in the recipes' order.

    Raises SystemExit where a clip is not there, or there more than once.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    found = {
        Path(row["path"]).stem: [float(row[label]) for label in DEFAULT_LABELS] for row in rows
    }
    if len(rows) != len(recipes) or found.keys() != {recipe.name for recipe in recipes}:
        raise SystemExit(f"end_to_end: {len(rows)} rows exported for {len(recipes)} clips")
    return np.array([found[recipe.name] for recipe in recipes])


def direct_features(recipe: Recipe, tools: Tools) -> ClipFeatures:
    """Features of the source material, which has been through no codec and no file."""
    samples = read_sound(recipe.utterance)
    every = round(FPS / FRAMES_PER_SECOND)
    frames = list(moving(recipe.face, len(samples) / SAMPLE_RATE, recipe.seed))[::every]
    found = [tools.visual.observe(np.ascontiguousarray(frame[..., ::-1])) for frame in frames]
    seen = [observation for observation in found if observation is not None]
    return ClipFeatures(
        visual=Features(pool_blocks([tools.visual.embed(seen)]), tools.visual.id)
        if seen
        else Absent("no face found", tools.visual.id),
        audio=Features(pool_blocks([tools.audio.block(samples)]), tools.audio.id),
        text=Features(tools.text.embed(recipe.sentence), tools.text.id),
        transcript=recipe.sentence,
    )


def answers_to(clips: Sequence[ClipFeatures], version: ModelVersion) -> Array:
    """A model's probabilities (n, 6) from features."""
    predict = Predictor(open_model(version.path).network, torch.device("cpu"))
    answers = [
        answer
        for start in range(0, len(clips), BATCH)
        for answer in predict(clips[start : start + BATCH])
    ]
    places = [version.labels.index(label) for label in DEFAULT_LABELS]
    return np.array([[answer.labels[place].p for place in places] for answer in answers])


def print_likeness(clips: Sequence[ClipFeatures], cached: Sequence[Example]) -> None:
    """The cosine between the mean steps of direct and cached features, by modality.

    Each channel is centred on the mean of all clips first: a share of the features that never
    changes would make any two alike.
    """
    for modality in MODALITIES:
        pairs = [
            (found.values.mean(axis=0, dtype=float), np.mean(example.features[modality], 0, float))
            for clip, example in zip(clips, cached, strict=True)
            if isinstance(found := clip.modality(modality), Features)
            and modality in example.features
        ]
        left, right = (np.stack(side) for side in zip(*pairs, strict=True))
        left, right = left - right.mean(axis=0), right - right.mean(axis=0)
        norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        cosine = (left * right).sum(axis=1) / norms
        print(f"{modality:6} in {len(pairs)} clips both ways: cosine {cosine.mean():.3f} in the "
              f"mean, {cosine.min():.3f} at worst")  # fmt: skip


def annotate(*arguments: object) -> str:
    """What the command prints. Raises SystemExit with its own words where it fails."""
    command = [ANNOTATE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"end_to_end: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def compare(work: Path, count: int, seed: int, model: str | None) -> bool:
    """Do all of it in the folder `work`; print; say whether the two ways agree."""
    began = time.perf_counter()
    recipes = write_corpus(data_folder(), work / "corpus", count, seed)
    print(f"{count} clips composed in {time.perf_counter() - began:.0f} s")

    manifest, workspace, out = work / "corpus" / "manifest.csv", work / "ws", work / "clips.csv"
    chosen = ("--model", model) if model else ()
    ran = json.loads(annotate("run", manifest, "--workspace", workspace, *chosen, "--json"))
    noise = "" if ran["trained"] else " (UNTRAINED: noise)"
    print(f"annotated by {ran['model']}{noise}: {ran['clips']} clips, {ran['failures']} failed, "
          f"{ran['wall_seconds']:.0f} s")  # fmt: skip
    annotate("export", "--format", "csv", "--out", out, "--workspace", workspace, *chosen)

    version = choose(open_workspace(workspace, create=False), model)
    evaluated = json.loads(annotate("eval", manifest, version.path, "--workspace", workspace,
                                    "--labels", ",".join(version.labels), "--split", "test",
                                    "--resamples", 0, "--format", "json"))  # fmt: skip
    print(f"annotate eval, cached features: Jaccard {_accuracy_in(evaluated):.4f}")

    thresholds = [version.thresholds[label] for label in DEFAULT_LABELS]
    by_file = exported(out, recipes)
    tools = load_tools(extractors_of(version))
    clips = [direct_features(recipe, tools) for recipe in recipes]
    print_likeness(clips, open_dataset(manifest, cache=workspace).split("test"))
    by_source = answers_to(clips, version)
    of_file = quality(by_file, recipes, thresholds)
    of_source = quality(by_source, recipes, thresholds)
    print("                      Jaccard   argmax (of clips with an emotion)")
    print(f"exported CSV          {of_file.jaccard:7.4f}  {of_file.argmax:7.4f}")
    print(f"direct features       {of_source.jaccard:7.4f}  {of_source.argmax:7.4f}")
    moved = (of_file.jaccard - of_source.jaccard, of_file.argmax - of_source.argmax)
    print(f"difference            {moved[0]:+7.4f}  {moved[1]:+7.4f}")
    apart = np.abs(by_file - by_source)
    print(f"probabilities differ by {apart.mean():.4f} in the mean, {apart.max():.4f} at most")
    agree = max(map(abs, moved)) <= MAX_DIFFERENCE
    print(f"{'within' if agree else 'NOT within'} {MAX_DIFFERENCE * 100:.0f} points")
    return agree


def _accuracy_in(evaluated: object) -> float:
    """The mean sample Jaccard in the JSON of `annotate eval` on one model, without intervals."""
    (result,) = cast(dict[str, Any], evaluated).values()
    return float(result["metrics"]["accuracy"]["value"])


def main() -> None:
    """Parse the command line, compare, end with status 1 where the two ways differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="name of the model version [default: as for run]")
    parser.add_argument("--work", type=Path, help="folder that keeps everything [default: none]")
    asked = parser.parse_args()
    if asked.clips < len(CLASSES):
        parser.error(f"--clips must be at least {len(CLASSES)}, one of each emotion")
    with tempfile.TemporaryDirectory() as scratch:
        work: Path = asked.work or Path(scratch)
        sys.exit(not compare(work, asked.clips, asked.seed, asked.model))


if __name__ == "__main__":
    main()
