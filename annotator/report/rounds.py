"""How the model's versions descend from each other, and how good each was."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from markupsafe import Markup

from annotator.metrics.bootstrap import Interval
from annotator.registry import ModelVersion
from annotator.report.charts.panel import Margins
from annotator.report.charts.panel import Panel as Plot
from annotator.report.charts.plots import WIDE
from annotator.report.charts.scale import plain
from annotator.report.charts.svg import Drawing, shorten
from annotator.report.section import Figure, Panel, Section, Table, lacking
from annotator.report.words import count, figure

MEASURES = ("macro_f1", "micro_f1", "mean_average_precision", "accuracy")  # the first that all have
NAMES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "mean_average_precision": "mean average precision",
    "accuracy": "accuracy (Jaccard)",
}
CURVE = ("learning-curve", "Learning curve")
LINEAGE = ("lineage", "Model lineage")
NO_ROUNDS = (
    "A curve needs a model version that was trained from another one, each with its measures: "
    "`annotate finetune` makes one of people's answers, `annotate loop` one a round"
)


def learning_curve_section(versions: Sequence[ModelVersion], current: str) -> Section:
    """A measure over the rounds that led to the current version."""
    line = ancestors(versions, current)
    measure = next((m for m in MEASURES if all(m in _measured(v) for v in line)), None)
    if len(line) < 2 or measure is None:
        return lacking(*CURVE, NO_ROUNDS)
    values = [_measured(version)[measure] for version in line]
    gain = values[-1].value - values[0].value
    name = NAMES[measure]
    title = f"From {values[0].value:.3f} to {values[-1].value:.3f} {name} in " + count(
        len(line) - 1, "round", "rounds"
    )
    return Section(
        *CURVE,
        headline=f"{name[0].upper()}{name[1:]} {'rose' if gain > 0 else 'did not rise'} over "
        + count(len(line) - 1, "round", "rounds"),
        text="Each version measured itself on the clips that its training held out for "
        "validation; where these differ from round to round, so may the numbers.",
        figures=[
            Figure(
                title,
                [Panel(_curve(line, measure, title))],
                f"The {name} of each version, with its 95 % interval over speakers or videos: "
                + "; ".join(f"{c.name} {_measured(c)[measure].value:.3f}" for c in line)
                + ".",
                Table(
                    ("version", "round", name, "low", "high", "answers learnt", "clips measured"),
                    [
                        (c.name, n, figure(v.value), figure(v.low), figure(v.high),
                         _number(c.ancestry.labels_from.get("answers")), _number(c.ancestry.clips))
                        for n, (c, v) in enumerate(zip(line, values, strict=True))
                    ],
                ),
            )
        ],
    )  # fmt: skip


def lineage_section(
    versions: Sequence[ModelVersion], current: str, predictions: Mapping[str, int]
) -> Section:
    """All versions, each under the one it was trained from."""
    if not versions:
        return lacking(*LINEAGE, "A model version is damaged: `annotate models list` says which")
    ordered = list(_descending(versions))
    title = f"{count(len(versions), 'version', 'versions')}; this report is about {current}"
    return Section(
        *LINEAGE,
        headline=_descent(versions),
        figures=[
            Figure(
                title,
                [Panel(_tree(ordered, current, title))],
                "Each version stands under the one it was trained from; the filled one is that of "
                "this report.",
                Table(
                    ("version", "made from", "trained", "labels", "clips annotated", "weights",
                     *(NAMES[m] for m in MEASURES[:2]), "promotion"),
                    [
                        (c.name, c.parent, "yes" if c.trained else "UNTRAINED",
                         ", ".join(c.labels), count(predictions.get(c.name, 0)),
                         c.weights_hash[:12],
                         *(figure(_measured(c)[m].value) if m in _measured(c) else "–"
                           for m in MEASURES[:2]), c.ancestry.reason)
                        for c, _ in ordered
                    ],
                ),
            )
        ],
    )  # fmt: skip


def _descent(versions: Sequence[ModelVersion]) -> str:
    made = sum(version.parent is not None for version in versions)
    known = count(len(versions), "model version", "model versions")
    if made:
        return f"{known}, {made} of them trained from another"
    return f"{known}, not trained from one another" if len(versions) > 1 else "One model version"


def ancestors(versions: Sequence[ModelVersion], name: str) -> list[ModelVersion]:
    """The versions that led to the one of that name, oldest first, itself last; no ring is run."""
    known = {version.name: version for version in versions}
    line: list[ModelVersion] = []
    at: str | None = name
    while at in known and known[at] not in line:
        line.append(known[at])
        at = known[at].parent
    return line[::-1]


def _descending(versions: Sequence[ModelVersion]) -> Iterator[tuple[ModelVersion, int]]:
    """Each version with its depth, after its parent; a parent that is not there makes a root."""
    depth = {version.name: len(ancestors(versions, version.name)) - 1 for version in versions}
    paths = {
        version.name: [c.name for c in ancestors(versions, version.name)] for version in versions
    }
    for version in sorted(versions, key=lambda version: paths[version.name]):
        yield version, depth[version.name]


def _curve(line: Sequence[ModelVersion], measure: str, title: str) -> Markup:
    values = [_measured(version)[measure] for version in line]
    bounds = [b for v in values for b in (v.value, v.low, v.high) if not np.isnan(b)]
    room = (max(bounds) - min(bounds)) * 0.15 or 0.05
    y = (max(0.0, min(bounds) - room), min(1.0, max(bounds) + room))
    plot = Plot(WIDE, title, (-0.3, len(line) - 0.7), y, Margins(left=52, bottom=40))
    plot.y_axis()
    whole = [(float(n), v.low, v.high) for n, v in enumerate(values) if not np.isnan(v.low)]
    if len(whole) > 1:
        plot.band(whole, kind="s0")
    for n, low, high in whole:
        plot.line([(n, low), (n, high)], kind="s0")
    points = [(float(n), v.value) for n, v in enumerate(values)]
    plot.line(points, kind="s0 thick")
    plot.dots(points, "s0 large")
    most = max(6, 90 // len(line))
    for n, version in enumerate(line):
        plot.drawing.write(plot.x(n), plot.y.start + 18, shorten(version.name, most),
                           anchor="middle", kind="name")  # fmt: skip
        plot.drawing.write(plot.x(n), plot.y.start + 33, f"round {plain(n)}", anchor="middle")
    return plot.drawing.markup()


def _tree(ordered: Sequence[tuple[ModelVersion, int]], current: str, title: str) -> Markup:
    row, step, left = 34.0, 36.0, 16.0
    drawing = Drawing(640, row * len(ordered) + 8, title)
    at: dict[str, tuple[float, float]] = {}
    for place, (version, depth) in enumerate(ordered):
        x, y = left + step * depth, 4 + row * (place + 0.5)
        at[version.name] = (x, y)
        if version.parent in at and depth:
            from_x, from_y = at[version.parent]
            drawing.add("path", kind="branch", d=f"M{from_x:.1f} {from_y + 7:.1f}V{y:.1f}"
                        f"H{x - 7:.1f}")  # fmt: skip
        drawing.add("circle", kind="node here" if version.name == current else "node", cx=x, cy=y,
                    r=6.0)  # fmt: skip
        value = _measured(version).get(MEASURES[0])
        drawing.write(x + 16, y + 4, shorten(version.name, 40), kind="name strong")
        if value is not None:
            drawing.write(628, y + 4, f"{NAMES[MEASURES[0]]} {value.value:.3f}", anchor="end",
                          kind="value")  # fmt: skip
    return drawing.markup()


def _measured(version: ModelVersion) -> Mapping[str, Interval]:
    return version.ancestry.validation


def _number(value: int | None) -> str:
    return "–" if value is None else count(value)
