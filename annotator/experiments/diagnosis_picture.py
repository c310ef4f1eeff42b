"""A map of the latent distributions: do they gather by emotion, by modality, or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from annotator.experiments.latents import Distributions, Floats, Places
from annotator.experiments.pictures import (
    COLOURS,
    FAINT,
    MARKERS,
    Look,
    legend_beside,
    needed,
    new_figure,
    save,
    write_title,
)
from annotator.types import MODALITIES

SHAPES = dict(zip(MODALITIES, MARKERS, strict=False))
POINTS: Mapping[str, Any] = {"alpha": 0.75, "linewidths": 0.4, "edgecolors": "w"}
PERPLEXITY = 30.0  # of t-SNE; van der Maaten and Hinton 2008 advise 5 to 50


def draw_latents(found: Distributions, out: Path, seed: int) -> tuple[Path, Path]:
    """Draw a t-SNE map of latent distributions: colour is the emotion, marker the modality.

    Of more labels than there are colours the commonest are drawn.

    Args:
        found: k rows.
        out: without a suffix; .png and .svg are added.
        seed: of t-SNE.

    Returns:
        The two files.

    Raises:
        EnvironmentFault: matplotlib or scikit-learn is missing, or the disk refuses.
    """
    numbers = np.bincount(found.label, minlength=len(found.labels))
    shown = np.sort(np.argsort(-numbers, kind="stable")[: len(COLOURS)])
    chosen = np.isin(found.label, shown)
    label, modality = found.label[chosen], found.modality[chosen]
    places = embed(found.rows[chosen], seed)
    looks = {k: ("o", colour) for k, colour in zip(shown, COLOURS, strict=False)}
    with new_figure((7.2, 6.0)) as figure:
        axes = figure.add_axes((0.02, 0.03, 0.76, 0.86))
        for k, (_, colour) in looks.items():
            for m, marker in SHAPES.items():
                x, y = places[(label == k) & (modality == MODALITIES.index(m))].T
                axes.scatter(x, y, s=20, c=colour, marker=marker, **POINTS)
        axes.set(xticks=[], yticks=[])
        axes.set_aspect("equal", "datalim")
        axes.spines[["left", "bottom"]].set_visible(False)
        write_title(figure, "Latent distributions", _subtitle(places, found.labels, shown))
        legend_beside(figure, "emotion", {found.labels[k]: v for k, v in looks.items()}, top=0.88)
        shapes: dict[str, Look] = {m: (marker, FAINT) for m, marker in SHAPES.items()}
        legend_beside(figure, "modality", shapes, top=0.24)
        return save(figure, out)


def embed(rows: Floats, seed: int) -> Floats:
    """(k, width) to the plane (k, 2) by t-SNE, the same for the same seed.

    Raises:
        EnvironmentFault: scikit-learn is missing.
    """
    if len(rows) < 3:
        return np.zeros((len(rows), 2))
    manifold = needed("sklearn.manifold", "scikit-learn")
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    places: Floats = manifold.TSNE(
        perplexity=perplexity, init="pca", random_state=seed
    ).fit_transform(rows)
    return places


def _subtitle(places: Floats, labels: Sequence[str], shown: Places) -> str:
    subtitle = f"t-SNE of [μ/|μ|; σ/|σ|], {len(places)} latent distributions of present emotions"
    if len(shown) < len(labels):
        subtitle += f", the {len(shown)} commonest of {len(labels)} labels"
    return subtitle
