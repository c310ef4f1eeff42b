"""A map of the latent distributions of a sample of clips, from cached features."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import EnvironmentFault, UsageError
from annotator.report.charts.plots import field
from annotator.report.section import Figure, Key, Panel, Section, Table, lacking
from annotator.report.words import count, share
from annotator.store.engine import Store
from annotator.store.survey import ScoreSample
from annotator.types import MODALITIES

if TYPE_CHECKING:
    from annotator.experiments.latents import Distributions
    from annotator.features.cache import FeatureCache
    from annotator.learning.dataset import Example
    from annotator.registry import ModelVersion

Floats = NDArray[np.floating[Any]]
Places = NDArray[np.int64]
HEAD = ("latents", "Latent map")
CLIPS = 240  # looked at
EACH = 25  # distributions of a label in a modality: t-SNE's time grows with all of them
LOOKS = 8  # colours
SEED = 0
FEWEST = 10  # distributions that make a map
CLEAR = 0.5  # of the way from chance to always
NO_FEATURES = (
    "No features of this model's extractors are cached in the workspace: `annotate run CORPUS` "
    "makes and keeps them"
)


def latents_section(
    store: Store,
    cache: "FeatureCache",
    model: "ModelVersion",
    model_id: int,
    sample: ScoreSample,
    thresholds: Mapping[str, float],
) -> Section:
    """Where the model puts labels and modalities: t-SNE of [μ/|μ|; σ/|σ|]."""
    examples = _examples(store, cache, model, model_id, sample, thresholds)
    if not examples:
        return lacking(*HEAD, NO_FEATURES)
    try:
        found, places = _embedded(model, examples)
    except (EnvironmentFault, UsageError) as error:
        return lacking(*HEAD, f"The map could not be drawn: {error}")
    if len(found.rows) < FEWEST:
        return lacking(
            *HEAD, f"{len(examples)} clips give {len(found.rows)} distributions: too few for a map"
        )
    return _section(found, places, len(examples))


def _examples(
    store: Store,
    cache: "FeatureCache",
    model: "ModelVersion",
    model_id: int,
    sample: ScoreSample,
    thresholds: Mapping[str, float],
) -> "list[Example]":
    """Clips whose features are there; the target is what the model says, for all have that."""
    from annotator.learning.dataset import Example

    ids = sample.clip_ids
    chosen = np.unique(np.linspace(0, len(ids) - 1, CLIPS).astype(int)) if len(ids) else ()
    known = store.known_clips(model_id, [int(ids[n]) for n in chosen])
    examples = []
    for clip_id, clip in known.items():
        features = cache.peek(clip.content_hash, clip.bounds)
        if features is not None and features.fits(model.extractors) and clip.scores is not None:
            p = {label.label: label.p for label in clip.scores.labels}
            target = np.array([p[name] >= at for name, at in thresholds.items()], np.float32)
            examples.append(Example(str(clip_id), clip.content_hash, features.present, target))
    return examples


def _embedded(
    model: "ModelVersion", examples: "Sequence[Example]"
) -> "tuple[Distributions, Floats]":
    import torch

    from annotator import registry
    from annotator.experiments.diagnosis_picture import embed
    from annotator.experiments.latents import distributions, encode

    network = registry.load_network(model)
    found = distributions(encode(network, examples, torch.device("cpu")), EACH, SEED)
    return found, embed(found.rows, SEED)


def _section(found: "Distributions", places: Floats, clips: int) -> Section:
    numbers = np.bincount(found.label, minlength=len(found.labels))
    shown = [int(k) for k in np.argsort(-numbers, kind="stable")[:LOOKS] if numbers[k]]
    by_label = {f"s{look}": places[found.label == k].tolist() for look, k in enumerate(shown)}
    by_modality = {
        f"s{m}": places[found.modality == m].tolist() for m in range(len(MODALITIES))
        if (found.modality == m).any()
    }  # fmt: skip
    near = _neighbours(places, found.label), _neighbours(places, found.modality)
    names = [found.labels[k] for k in shown]
    text = (
        f"{count(len(places))} latent distributions of the labels that the model finds in "
        f"{count(clips)} clips, drawn by t-SNE of the directions of μ and σ. Only who is near "
        "whom means anything, not distances or axes."
    )
    table = Table(
        ("label", *MODALITIES),
        [
            (found.labels[k], *(count(int(((found.label == k) & (found.modality == m)).sum()))
                                for m in range(len(MODALITIES))))
            for k in range(len(found.labels))
        ],
    )  # fmt: skip
    return Section(
        *HEAD,
        headline=_headline(*(_lift(*found) for found in near)),
        text=text,
        figures=[
            Figure(
                f"The nearest neighbour has the same label in {share(near[0][0])}, the same "
                f"modality in {share(near[1][0])}",
                [
                    Panel(
                        field(by_label, "Latent map, coloured by emotion"),
                        "By emotion",
                        [Key(f"s{look}", name) for look, name in enumerate(names)],
                    ),
                    Panel(
                        field(by_modality, "The same map, coloured by modality"),
                        "By modality",
                        [Key(f"s{m}", name) for m, name in enumerate(MODALITIES)],
                    ),
                ],
                f"By chance it would be {share(near[0][1])} and {share(near[1][1])}. Both pictures "
                "have the same dots; the table counts them.",
                table,
            )
        ],
    )


def _headline(emotion: float, modality: float) -> str:
    by = [name for name, lift in (("emotion", emotion), ("modality", modality)) if lift > CLEAR]
    if not by:
        return "The latent distributions do not gather"
    return f"The latent distributions gather by {' and by '.join(by)}"


def _lift(same: float, chance: float) -> float:
    """How far from chance, 0, to always, 1."""
    return (same - chance) / (1 - chance) if chance < 1 else 0.0


def _neighbours(places: Floats, group: Places) -> tuple[float, float]:
    """The share whose nearest neighbour is of the same group, and that share by chance."""
    apart = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    same = float((group[apart.argmin(axis=1)] == group).mean())
    sizes = np.unique(group, return_counts=True)[1] / len(group)
    return same, float((sizes**2).sum())
