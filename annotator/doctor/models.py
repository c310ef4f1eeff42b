"""Every model version: is it readable, are its weights those described, do the extractors fit."""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from annotator import registry
from annotator.doctor.check import Check, attempt, ok, warning
from annotator.learning.dataset import FOREIGN
from annotator.workspace import Workspace


def checks(place: Workspace) -> Iterator[Check]:
    """Those of the workspace, and the one that ships."""
    for folder in registry.version_folders(place):
        name = f"model {folder.name}"
        yield from attempt(name, partial(_model, name, folder))


def _model(name: str, folder: Path) -> Iterator[Check]:
    version = registry.read_version(folder)
    registry.load_network(version)  # checks the hash
    yield _judged(name, version)


def _judged(name: str, version: registry.ModelVersion) -> Check:
    found = f"weights {version.weights_hash[:12]}, {len(version.labels)} labels"
    if not version.trained:
        return warning(name, "untrained: its numbers are noise", "name a trained one with --model")
    wanted = version.extractors.values()
    if any(extractor.startswith(FOREIGN) for extractor in wanted):
        return ok(name, f"{found}; for features made elsewhere, as `annotate eval` reads them")
    if any(extractor.startswith("hub-") for extractor in wanted):
        return _hub_model(name, found)
    registry.extractors_of(version)
    return ok(name, f"{found}, extractors fit")


def _hub_model(name: str, found: str) -> Check:
    """Its extractors are not looked up: that would ask the network, or hash gigabytes."""
    if find_spec("transformers") is None:
        return warning(
            name,
            f"{found}; its extractors are of Hugging Face",
            "pip install 'annotate-emotions[hub]'",
        )
    return ok(name, f"{found}; its extractors of Hugging Face are looked up by a run")
