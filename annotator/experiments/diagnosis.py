"""What ails a trained LDDU: the paper's four failure signatures, and how errors propagate.

Each signature has a number, the threshold from which it is a failure (where that comes from stands
in its module) and a remedy. Nothing here changes the model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annotator.experiments.diagnosis_confidence import overconfident_errors
from annotator.experiments.diagnosis_finding import Finding
from annotator.experiments.diagnosis_gap import modality_gap
from annotator.experiments.diagnosis_picture import draw_latents
from annotator.experiments.diagnosis_propagation import (
    ErrorPropagation,
    through_fusion,
    without_each,
)
from annotator.experiments.diagnosis_queue import stale_queue
from annotator.experiments.diagnosis_variance import variance_collapse
from annotator.experiments.latents import distributions, encode, some
from annotator.learning.dataset import VALID, Dataset, check
from annotator.learning.evaluation import demand_fit
from annotator.learning.facts import thresholds_of
from annotator.metrics.thresholds import f1_thresholds
from lddu_model import Checkpoint

CLIPS = 5_000  # of a split that are looked at: 6 labels take 180 MB of μ and σ
EACH = 60  # points of a label and modality in the picture: t-SNE of 1,080 takes some seconds


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings on one split."""

    dataset: str
    split: str
    clips: int
    findings: tuple[Finding, ...]
    propagation: ErrorPropagation
    pictures: tuple[Path, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What needs a remedy."""
        return tuple(finding for finding in self.findings if finding.failed)

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "clips": self.clips,
            "findings": [finding.to_json() for finding in self.findings],
            "propagation": self.propagation.to_json(),
            "pictures": [str(picture) for picture in self.pictures],
        }


def diagnose(
    model: Checkpoint,
    dataset: Dataset,
    split: str,
    *,
    device: torch.device,
    picture: Path | None = None,
    clips: int = CLIPS,
    seed: int = 0,
) -> Diagnosis:
    """Look for the failure signatures on a split.

    Args:
        model: with the labels and features of the corpus.
        dataset: with a valid split, where the thresholds of ŷ_dir are chosen.
        split: which examples.
        device: where the network runs.
        picture: where to draw the latent distributions, without a suffix; None: nowhere.
        clips: at most how many examples, drawn at random.
        seed: of the draw and the picture.

    Raises:
        UsageError: a split is empty, or the model does not fit the corpus or is damaged.
        EnvironmentFault: the picture cannot be drawn or written.
    """
    check(dataset, dict.fromkeys((split, VALID)))
    demand_fit(model, dataset)
    network = model.network.to(device)
    thresholds = thresholds_of(model.metadata, dataset.labels)
    valid = encode(network, some(dataset.split(VALID), clips, seed), device)
    examples = some(dataset.split(split), clips, seed)
    latents = valid if split == VALID else encode(network, examples, device)
    findings = (
        *variance_collapse(latents),
        modality_gap(latents),
        *overconfident_errors(latents, np.array(thresholds)),
        stale_queue(model.metadata),
    )
    direct = f1_thresholds(valid.p_direct, valid.target)
    overall, per_label = through_fusion(latents, thresholds, direct)
    dropped = without_each(network, examples, thresholds, device)
    drawn = draw_latents(distributions(latents, EACH, seed), picture, seed) if picture else ()
    propagation = ErrorPropagation(overall, per_label, dropped)
    return Diagnosis(dataset.name, split, len(examples), findings, propagation, drawn)
