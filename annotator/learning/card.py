"""What is known of a trained model: written beside its weights, and read with them."""

from pathlib import Path
from typing import Any

from annotator import __version__
from annotator.errors import UsageError
from annotator.features.extractor import DEFAULT_EXTRACTORS, extractor_spec
from annotator.learning.dataset import Dataset
from annotator.learning.settings import Settings
from annotator.metrics.evaluate import Evaluation
from annotator.types import MODALITIES
from lddu_model import Checkpoint, load

MODEL_FOLDER = "model"  # within the folder of a training


def describe(dataset: Dataset, settings: Settings, validation: Evaluation) -> dict[str, Any]:
    """Where a model comes from and how good it is on its validation split, for `model.json`."""
    import torch

    ours = {m: extractor_spec(DEFAULT_EXTRACTORS[m]).id for m in MODALITIES}
    return {
        "trained": True,
        "extractors": {m: dataset.extractors.get(m, ours[m]) for m in MODALITIES},
        "modalities": [m for m in MODALITIES if m in dataset.dimensions],
        "thresholds": dict(zip(dataset.labels, validation.thresholds, strict=True)),
        "validation": validation.to_json(),
        "settings": settings.to_json(),
        "data": {
            "name": dataset.name,
            "files": dict(dataset.files),
            "examples": {name: len(examples) for name, examples in dataset.splits.items()},
        },
        "annotate": __version__,
        "torch": torch.__version__,
        "git_revision": git_revision(),
    }


def open_model(folder: Path) -> Checkpoint:
    """The model in a folder, or in the folder of its training.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    inner = folder / MODEL_FOLDER
    try:
        return load(inner if inner.is_dir() else folder)
    except ValueError as error:
        raise UsageError(
            f"no model in {folder} ({error}): name a folder that `annotate train` wrote"
        ) from error


def git_revision(start: Path = Path(__file__)) -> str | None:
    """The commit of the checkout this code runs from; None if it was installed as a package."""
    for folder in start.resolve().parents:
        head = folder / ".git" / "HEAD"
        if not head.is_file():
            continue
        named = head.read_text(encoding="utf-8").strip()
        if not named.startswith("ref: "):
            return named
        branch = folder / ".git" / named.removeprefix("ref: ")
        return branch.read_text(encoding="utf-8").strip() if branch.is_file() else None
    return None
