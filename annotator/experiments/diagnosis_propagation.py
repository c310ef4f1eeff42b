"""How an error spreads: from ŷ_dir through the fusion to ŷ, and from a lost modality to ŷ.

The fusion weighs the heads on μ and on σ by ŷ_dir, so a wrong ŷ_dir lets the wrong head speak.
What it did to an answer is found by putting the truth in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from annotator.experiments.diagnosis_finding import plain
from annotator.experiments.latents import Flags, Floats, Latents, encode
from annotator.learning.dataset import Example
from annotator.metrics.inputs import ratio
from annotator.metrics.multilabel import count, decide
from annotator.types import MODALITIES, Modality
from lddu_model import LDDU
from lddu_model.fusion import fuse


@dataclass(frozen=True, slots=True)
class Propagation:
    """What became of the answers of one label, or of all; counts, and rates that may be NaN."""

    answers: int
    direct_errors: int  # of ŷ_dir
    final_errors: int  # of ŷ: caused + shared + introduced
    caused: int  # ŷ_dir and ŷ wrong, and ŷ right had ŷ_dir been the truth
    shared: int  # ŷ_dir and ŷ wrong, and ŷ wrong all the same
    corrected: int  # ŷ_dir wrong and ŷ right
    introduced: int  # ŷ_dir right and ŷ wrong: the heads erred
    error_if_direct_wrong: float  # share of wrong ŷ where ŷ_dir is wrong
    error_if_direct_right: float
    shift: float  # mean |ŷ - ŷ had ŷ_dir been the truth|


@dataclass(frozen=True, slots=True)
class Dropped:
    """What happens to ŷ if a modality is taken from the clips that have another; NaN: no such."""

    modality: Modality
    clips: int
    shift: float  # mean |ŷ - ŷ without it|
    broken: float  # share of answers that were right and become wrong
    mended: float  # share of answers that were wrong and become right
    micro_f1: float  # of these clips with it
    micro_f1_without: float


@dataclass(frozen=True, slots=True)
class ErrorPropagation:
    """The paper's question how errors propagate, in numbers."""

    overall: Propagation
    per_label: Mapping[str, Propagation]
    dropped: tuple[Dropped, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        return {
            "overall": _plain(self.overall),
            "per_label": {label: _plain(found) for label, found in self.per_label.items()},
            "dropped": [_plain(found) for found in self.dropped],
        }


def through_fusion(
    latents: Latents, thresholds: ArrayLike, direct_thresholds: ArrayLike
) -> tuple[Propagation, dict[str, Propagation]]:
    """Follow the errors of ŷ_dir to ŷ, for all labels together and for each.

    Args:
        latents: of clips with known labels.
        thresholds: of ŷ, one or (q,).
        direct_thresholds: of ŷ_dir, likewise; like the others chosen on the validation split.
    """
    truth = np.nan_to_num(latents.target)
    repaired = _fused(latents, truth)
    final = _wrong(latents.probability, latents, thresholds)
    direct = _wrong(latents.p_direct, latents, direct_thresholds)
    still = _wrong(repaired, latents, thresholds)
    shift = np.abs(latents.probability - repaired)
    each = {
        label: _follow(final[:, k], direct[:, k], still[:, k], shift[:, k], latents.known[:, k])
        for k, label in enumerate(latents.labels)
    }
    return _follow(final, direct, still, shift, latents.known), each


def without_each(
    network: LDDU, examples: Sequence[Example], thresholds: ArrayLike, device: torch.device
) -> tuple[Dropped, ...]:
    """Take each modality in turn from the clips that have another."""
    return tuple(_without(network, examples, m, thresholds, device) for m in MODALITIES)


def _without(
    network: LDDU,
    examples: Sequence[Example],
    modality: Modality,
    thresholds: ArrayLike,
    device: torch.device,
) -> Dropped:
    given = [e for e in examples if _has(e, modality) and _has(e, *set(MODALITIES) - {modality})]
    if not given:
        return Dropped(modality, 0, *[float("nan")] * 5)
    rest = [
        replace(e, features={m: v for m, v in e.features.items() if m != modality}) for e in given
    ]
    whole, less = (encode(network, clips, device) for clips in (given, rest))
    before = _wrong(whole.probability, whole, thresholds)
    after = _wrong(less.probability, less, thresholds)
    shift = np.abs(whole.probability - less.probability)[whole.known]
    answers = whole.known.sum()
    return Dropped(
        modality,
        len(given),
        float(ratio(shift.sum(), answers)),
        float(ratio((after & ~before).sum(), answers)),
        float(ratio((before & ~after).sum(), answers)),
        *(float(count(x.probability, x.target, thresholds).pooled().f1) for x in (whole, less)),
    )


def _has(example: Example, *modalities: Modality) -> bool:
    """Whether it has one of them."""
    return any(len(example.features.get(m, ())) for m in modalities)


def _fused(latents: Latents, direct: Floats) -> Floats:
    """ŷ with another ŷ_dir."""
    of_mu, of_sigma = torch.from_numpy(latents.p_mu), torch.from_numpy(latents.p_sigma)
    fused: Floats = fuse(torch.from_numpy(direct), of_mu, of_sigma, latents.fusion).numpy()
    return fused


def _wrong(probability: Floats, latents: Latents, thresholds: ArrayLike) -> Flags:
    decided = decide(probability, latents.target, thresholds)
    wrong: Flags = (decided.chosen != decided.present) & decided.known
    return wrong


def _follow(final: Flags, direct: Flags, still: Flags, shift: Floats, known: Flags) -> Propagation:
    """Count answers of any shape; those unknown are never wrong."""
    right = known & ~direct
    return Propagation(
        answers=int(known.sum()),
        direct_errors=int(direct.sum()),
        final_errors=int(final.sum()),
        caused=int((direct & final & ~still).sum()),
        shared=int((direct & final & still).sum()),
        corrected=int((direct & ~final).sum()),
        introduced=int((right & final).sum()),
        error_if_direct_wrong=float(ratio((direct & final).sum(), direct.sum())),
        error_if_direct_right=float(ratio((right & final).sum(), right.sum())),
        shift=float(ratio((shift * known).sum(), known.sum())),
    )


def _plain(found: Propagation | Dropped) -> dict[str, Any]:
    return {k: plain(v) if isinstance(v, float) else v for k, v in asdict(found).items()}
