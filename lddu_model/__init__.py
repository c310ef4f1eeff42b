"""LDDU, an uncertainty-aware multimodal emotion network (arXiv 2502.13954), in plain torch."""

from lddu_model.checkpoint import Checkpoint, load, save
from lddu_model.config import MODALITIES, Config, InputSpec, Modality
from lddu_model.network import LDDU, Output, untrained
from lddu_model.released import from_released
from lddu_model.weights import read_weights, weights_sha256

__all__ = [
    "LDDU",
    "MODALITIES",
    "Checkpoint",
    "Config",
    "InputSpec",
    "Modality",
    "Output",
    "from_released",
    "load",
    "read_weights",
    "save",
    "untrained",
    "weights_sha256",
]
