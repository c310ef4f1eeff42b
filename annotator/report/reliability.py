"""Whether probabilities mean what they say, and whether what is uncertain is what is wrong."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from annotator.metrics.calibration import Reliability, expected_calibration_error, reliability
from annotator.metrics.inputs import mean_labels
from annotator.metrics.multilabel import sample_jaccard
from annotator.metrics.selective import Area, aurc, risk_coverage
from annotator.report.charts.plots import WIDE, Axis, Curve, Point, curves
from annotator.report.charts.scale import percent
from annotator.report.charts.svg import shorten
from annotator.report.section import MOST_PANELS, Figure, Key, Panel, Section, Table, lacking
from annotator.report.truth import NONE_KNOWN, Truth
from annotator.report.words import count, figure, quoted, share

BINS = 10
POINTS = 200  # of a curve
UNIT = (0.0, 1.0)
SCORES = ("variance", "entropy")
RELIABILITY = ("reliability", "Reliability")
COVERAGE = ("risk-coverage", "Risk and coverage")
Floats = NDArray[np.float64]


def reliability_section(truth: Truth | None) -> Section:
    """A reliability diagram of each label."""
    if truth is None:
        return lacking(*RELIABILITY, NONE_KNOWN)
    answers = truth.answers
    found = reliability(answers.probability, answers.target, bins=BINS)
    errors = expected_calibration_error(answers.probability, answers.target, bins=BINS)
    mean = float(mean_labels(errors))
    defined = {
        label: float(value)
        for label, value in zip(answers.labels, errors, strict=True)
        if not np.isnan(value)
    }
    worst = max(defined, key=lambda label: defined[label])
    panels = [
        Panel(_diagram(curve, label), f"{shorten(label, 20)}: ECE {figure(float(error))}")
        for label, curve, error in zip(answers.labels, found, errors, strict=True)
    ]
    order = np.argsort(-np.nan_to_num(errors, nan=-1), kind="stable")
    shown = sorted(int(place) for place in order[:MOST_PANELS])
    return Section(
        *RELIABILITY,
        headline=f"Stated and true frequencies differ by {share(mean)} on average",
        text=f"Measured on {truth.source}.",
        figures=[
            Figure(
                f"{quoted(worst)} is the worst calibrated label",
                [panels[place] for place in shown],
                "A dot for each tenth of the probability: how often the label is there among clips "
                "that the model gave it that probability. On the dashed line they agree; a dot "
                "below it is too sure. ECE is the mean distance over clips: "
                f"{figure(defined[worst])} for {worst}, {figure(mean)} over all labels.",
                _bins(answers.labels, found),
            )
        ],
    )


def risk_coverage_section(truth: Truth | None, thresholds: Mapping[str, float]) -> Section:
    """The risk of leaving to the model what it is surest of."""
    if truth is None:
        return lacking(*COVERAGE, NONE_KNOWN)
    answers = truth.answers
    loss = 1 - sample_jaccard(
        answers.probability, answers.target, list(thresholds.values()), empty=1.0
    )
    known = ~np.isnan(loss)
    scores = {name: getattr(answers, name)[known] for name in SCORES}
    areas = {name: aurc(score, loss[known]) for name, score in scores.items()}
    lines = {name: _thinned(score, loss[known]) for name, score in scores.items()}
    best = max(areas, key=lambda name: _gain(areas[name]))
    gain = _gain(areas[best])
    mean = float(loss[known].mean())
    half = _risk_at(lines[best], 0.5)
    title = f"The surer half of the clips has a risk of {half:.2f}, all of them {mean:.2f}"
    return Section(
        *COVERAGE,
        headline=f"Ranking by {best} gains {share(max(0.0, gain))} of what a perfect order could"
        if gain > 0
        else "Uncertainty does not tell right from wrong here",
        text=f"Measured on {truth.source}. The risk of a clip is one minus the Jaccard index of "
        "its labels, found and true.",
        figures=[
            Figure(
                title,
                [Panel(_risks(lines, loss[known], title))],
                "Risk of the clips that are answered, if the least certain are left to people; "
                "dashed: clips left out at random; dotted: in the best order. "
                + "; ".join(
                    f"AURC by {name} {figure(float(area.value))}" for name, area in areas.items()
                )
                + f"; at random {figure(float(areas[best].random))}.",
                Table(
                    ("coverage", *(f"risk by {name}" for name in SCORES)),
                    [
                        (f"{c:.0%}", *(figure(_risk_at(lines[name], c)) for name in SCORES))
                        for c in np.linspace(0.1, 1.0, 10)
                    ],
                ),
                [Key(f"s{n}", name) for n, name in enumerate(SCORES)],
            )
        ],
    )


def _diagram(curve: Reliability, label: str) -> Markup:
    points = [
        (float(c), float(f))
        for c, f in zip(curve.confidence, curve.frequency, strict=True)
        if not np.isnan(c)
    ]
    return curves(
        [Curve([(0.0, 0.0), (1.0, 1.0)], "quiet dashed"), Curve(points, "s0", dots=True)],
        f"Reliability of {label}",
        Axis(UNIT, "probability given"),
        Axis(UNIT),
        (300.0, 240.0),
    )


def _bins(labels: Sequence[str], found: Sequence[Reliability]) -> Table:
    rows = [
        (label, f"{c:.2f}", f"{f:.2f}", count(int(n)))
        for label, curve in zip(labels, found, strict=True)
        for c, f, n in zip(curve.confidence, curve.frequency, curve.count, strict=True)
        if n
    ]
    return Table(("label", "mean probability", "share where it is there", "clips"), rows)


def _risks(lines: Mapping[str, Sequence[Point]], loss: Floats, title: str) -> Markup:
    mean = float(loss.mean())
    drawn = [
        Curve([(0.0, mean), (1.0, mean)], "quiet dashed"),
        Curve(_thinned(loss, loss), "quiet dotted"),
        *(Curve(points, f"s{n}") for n, points in enumerate(lines.values())),
    ]
    top = max(y for curve in drawn for _, y in curve.points) * 1.05 or 1.0
    x = Axis(UNIT, "coverage: share of the clips that the model answers alone", percent)
    return curves(drawn, title, x, Axis((0.0, min(1.0, top)), "risk"), WIDE)


def _thinned(score: Floats, loss: Floats) -> list[Point]:
    found = risk_coverage(score, loss)
    chosen = np.unique(np.linspace(0, len(found.coverage) - 1, POINTS).astype(int))
    return [(float(found.coverage[n]), float(found.risk[n])) for n in chosen]


def _risk_at(points: Sequence[Point], coverage: float) -> float:
    """Of the first point that covers as much."""
    return next((risk for at, risk in points if at >= coverage - 1e-9), points[-1][1])


def _gain(area: Area) -> float:
    gain = float(area.gain)
    return 0.0 if np.isnan(gain) else gain
