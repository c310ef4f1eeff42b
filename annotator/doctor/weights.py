"""The extractors that `annotate run` uses, loaded with their weights as it loads them."""

import hashlib
from collections.abc import Iterator
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from annotator.doctor.check import Check, attempt, failed, ok
from annotator.features.extractor import (
    DEFAULT_EXTRACTORS,
    GROUP,
    extractor_spec,
    load_extractor,
)
from annotator.features.sessions import WEIGHTS
from annotator.types import MODALITIES, Modality

# Of the files that ship with us; those of other packages are checked whenever they are loaded.
SHA256 = {
    "expression.onnx": "3117a7e572203921b2d743939dbcec11214a459c77d799965c8efb5956ba11be",
    "minilm.safetensors": "0301f43716f8fea1d3896bb91e30439423058529760c3bfef263406de4ecd29d",
    "minilm_tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "retinaface.onnx": "b7a7acab55e104dce6f32cdfff929bd83946da5cd869b9e2e9bdffafd1b7e4a5",
}


def checks() -> Iterator[Check]:
    """Those of a run, the voice detector and Whisper; and what installed packages bring."""
    yield _shipped(WEIGHTS)
    for modality in MODALITIES:
        name = DEFAULT_EXTRACTORS[modality]
        yield from attempt(f"extractor {name}", partial(_loaded, name, modality))
    yield from attempt("speech", _speech)
    for entry in entry_points(group=GROUP):
        yield from attempt(f"extractor {entry.name}", partial(_described, entry.name))


def _shipped(folder: Path) -> Check:
    unsound = [name for name, digest in SHA256.items() if _sha256(folder / name) != digest]
    if unsound:
        return failed(
            "weights",
            f"{', '.join(unsound)} in {folder} missing or damaged",
            "pip install --force-reinstall --no-deps annotate-emotions",
        )
    return ok("weights", f"the {len(SHA256)} files that ship are those expected")


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _loaded(name: str, modality: Modality) -> Iterator[Check]:
    load_extractor(name, modality)
    yield ok(f"extractor {name}", f"{extractor_spec(name).id}, loaded with its weights")


def _speech() -> Iterator[Check]:
    from annotator.features.asr import WhisperTranscriber

    yield ok("speech", f"{WhisperTranscriber().id} and the voice detector")


def _described(name: str) -> Iterator[Check]:
    yield ok(f"extractor {name}", f"{extractor_spec(name).id}, of an installed package")
