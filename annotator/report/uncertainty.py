"""How uncertain the model is, label by label and modality by modality."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from annotator.report.charts.plots import histogram, outlines, shares
from annotator.report.charts.scale import plain
from annotator.report.charts.svg import shorten
from annotator.report.labels import NO_CLIPS
from annotator.report.section import MOST_PANELS, Figure, Key, Panel, Section, Table, lacking
from annotator.report.words import count, figure, quoted
from annotator.store.survey import ScoreSample, Survey
from annotator.types import MODALITIES

BINS = 36
LOOKS = {name: f"s{place}" for place, name in enumerate(MODALITIES)}
QUANTILES = (0.1, 0.5, 0.9)
Floats = NDArray[np.float64]


def uncertainty_section(survey: Survey, labels: Sequence[str]) -> Section:
    """The distributions of σ and of the clips' scores."""
    sample = survey.sample
    if not len(sample.clip_ids) or np.isnan(sample.sigma).all():
        return lacking("uncertainty", "Uncertainty", NO_CLIPS)
    medians = [_median(sample.sigma[:, :, m]) for m in range(len(MODALITIES))]
    known = {m: value for m, value in zip(MODALITIES, medians, strict=True) if value is not None}
    most = max(known, key=lambda m: known[m])
    return Section(
        id="uncertainty",
        name="Uncertainty",
        headline=f"In the median clip, {most} is the least certain modality",
        text="The model gives each label a distribution in each modality; the norm of its "
        "standard deviation, ‖σ‖, says how unsure that modality is of that label. "
        f"Drawn from a sample of {count(len(sample.clip_ids))} clips.",
        figures=[_by_label(sample, labels), _of_clips(sample)],
    )


def _by_label(sample: ScoreSample, labels: Sequence[str]) -> Figure:
    known = sample.sigma[~np.isnan(sample.sigma)]
    low, high = (float(q) for q in np.quantile(known, [0.005, 0.995]))
    edges = np.linspace(low, max(high, low + 1e-6), BINS + 1)
    heights = [
        {LOOKS[m]: shares(_known(sample.sigma[:, k, place]), edges)
         for place, m in enumerate(MODALITIES) if len(_known(sample.sigma[:, k, place]))}
        for k in range(len(labels))
    ]  # fmt: skip
    top = 1.05 * max(
        (float(values.max()) for of_label in heights for values in of_label.values()), default=1.0
    )
    panels = [
        Panel(outlines(edges, of_label, f"‖σ‖ of {label} by modality", "‖σ‖", top),
              shorten(label, 28))
        for label, of_label in zip(labels, heights, strict=True)
    ]  # fmt: skip
    spreads = {label: _quantiles(sample.sigma[:, k])[1] for k, label in enumerate(labels)}
    least, most = (pick(spreads, key=lambda name: spreads[name]) for pick in (min, max))
    return Figure(
        f"{quoted(most)} is the hardest label to be sure of, {quoted(least)} the easiest",
        [panels[place] for place in _hardest(spreads)],
        f"Distribution of ‖σ‖ over clips, all panels on the same axes; the median is "
        f"{spreads[most]:.2f} for {most} and {spreads[least]:.2f} for {least}. What lies "
        "beyond the axis, half a per cent on either side, counts in the outermost bin.",
        Table(
            ("label", "modality", "clips", "10 %", "median", "90 %"),
            [
                (label, m, count(len(_known(sample.sigma[:, k, place]))),
                 *map(figure, _quantiles(sample.sigma[:, k, place])))
                for k, label in enumerate(labels)
                for place, m in enumerate(MODALITIES)
            ],
        ),
        [Key(LOOKS[m], m) for m in MODALITIES if any(LOOKS[m] in drawn for drawn in heights)],
    )  # fmt: skip


def _hardest(spreads: Mapping[str, float]) -> Sequence[int]:
    """Places of the labels to draw, in their order: all, or the hardest to be sure of."""
    order = sorted(range(len(spreads)), key=lambda place: -list(spreads.values())[place])
    return sorted(order[:MOST_PANELS])


def _of_clips(sample: ScoreSample) -> Figure:
    low, middle, high = np.quantile(sample.variance, QUANTILES)
    edges = np.linspace(
        float(sample.variance.min()),
        max(float(np.quantile(sample.variance, 0.995)), float(sample.variance.min()) + 1e-6),
        BINS + 1,
    )
    heights = shares(sample.variance, edges)
    title = f"A tenth of the clips score over {high:.2f}, half of them over {middle:.2f}"
    return Figure(
        title,
        [Panel(histogram(edges, heights, title, "uncertainty of the clip (variance)",
                         plain))],
        "The score that ranks clips for review: the mean over labels of ‖σ‖, the modalities of a "
        f"clip taken together. Eight of ten clips lie between {low:.2f} and {high:.2f}.",
        Table(
            ("from", "to", "clips of the sample"),
            [(f"{a:.3f}", f"{b:.3f}", f"{100 * h:.1f} %")
             for a, b, h in zip(edges[:-1], edges[1:], heights, strict=True)],
        ),
    )  # fmt: skip


def _known(values: Floats) -> Floats:
    known: Floats = values[~np.isnan(values)]
    return known


def _median(values: Floats) -> float | None:
    known = _known(values)
    return float(np.median(known)) if len(known) else None


def _quantiles(values: Floats) -> list[float]:
    known = _known(values)
    return [float(q) for q in np.quantile(known, QUANTILES)] if len(known) else [float("nan")] * 3
