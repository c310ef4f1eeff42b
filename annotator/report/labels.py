"""Which labels the model finds, how many a clip, and which of them together."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from annotator.report.charts.rows import Bar, bars, matrix
from annotator.report.charts.scale import percent
from annotator.report.section import Figure, Panel, Section, Table, lacking
from annotator.report.words import count, quoted, share
from annotator.store.survey import Survey

MOST = 16  # labels of the matrix: more could not be read
MOST_BARS = 40

NO_CLIPS = "The model has annotated no clip here: `annotate run CORPUS`"


def labels_section(survey: Survey, thresholds: Mapping[str, float]) -> Section:
    """The distribution of labels, and their co-occurrence."""
    if not survey.clips:
        return lacking("labels", "Labels", NO_CLIPS)
    totals = {
        label: sum(n for found, n in survey.label_sets.items() if label in found)
        for label in thresholds
    }
    order = sorted(totals, key=lambda label: -totals[label])
    first = order[0]
    return Section(
        id="labels",
        name="Labels",
        headline=f"{quoted(first)} is the commonest label, in "
        f"{share(totals[first] / survey.clips)} of the clips"
        if totals[first]
        else "No clip has any label",
        text="A label counts where its probability reaches the threshold that the model's "
        "training chose on its validation split, or 0.5 where it chose none.",
        figures=[
            _distribution(survey, thresholds, totals, order),
            _how_many(survey),
            _together(survey, totals, order[:MOST]),
        ],
    )


def _distribution(
    survey: Survey,
    thresholds: Mapping[str, float],
    totals: Mapping[str, int],
    order: Sequence[str],
) -> Figure:
    means = dict(zip(thresholds, _means(survey.sample.probability), strict=True))
    rows = [
        Bar(label, totals[label] / survey.clips, share(totals[label] / survey.clips), means[label])
        for label in order
    ]
    title = f"From {quoted(order[0])} {rows[0].text} down to {quoted(order[-1])} {rows[-1].text}"
    return Figure(
        title,
        [Panel(bars(rows[:MOST_BARS], title, "share of clips", percent))],
        f"Bars: share of all {count(survey.clips)} clips. Marks: the mean probability, of a "
        f"sample of {count(len(survey.sample.clip_ids))}. Where a mark lies far beyond its bar, "
        "the model often half suspects a label that it rarely asserts.",
        Table(
            ("label", "threshold", "clips", "share", "mean probability"),
            [
                (
                    label,
                    f"{thresholds[label]:.2f}",
                    count(totals[label]),
                    share(totals[label] / survey.clips),
                    f"{means[label]:.3f}",
                )
                for label in order
            ],
        ),
    )


def _how_many(survey: Survey) -> Figure:
    numbers: dict[int, int] = {}
    for found, clips in survey.label_sets.items():
        numbers[len(found)] = numbers.get(len(found), 0) + clips
    several = sum(clips for number, clips in numbers.items() if number > 1) / survey.clips
    none = numbers.get(0, 0) / survey.clips
    title = f"{share(several)} of the clips have several labels at once, {share(none)} have none"
    rows = [
        Bar(count(n, "label", "labels") if n else "none", numbers.get(n, 0) / survey.clips,
            share(numbers.get(n, 0) / survey.clips))
        for n in range(max(numbers, default=0) + 1)
    ]  # fmt: skip
    return Figure(
        title,
        [Panel(bars(rows, title, "share of clips", percent))],
        f"Labels at or over their threshold in each of {count(survey.clips)} clips.",
        Table(
            ("labels", "clips", "share"),
            [(row.name, count(numbers.get(n, 0)), row.text) for n, row in enumerate(rows)],
        ),
    )


def _together(survey: Survey, totals: Mapping[str, int], order: Sequence[str]) -> Figure:
    joint = np.array(
        [
            [sum(n for found, n in survey.label_sets.items() if {a, b} <= found) for b in order]
            for a in order
        ],
        np.float64,
    )
    given = joint / np.maximum(1, np.array([[totals[label]] for label in order]))
    apart = np.where(np.eye(len(order), dtype=bool), -1.0, given)
    row, column = divmod(int(apart.argmax()), len(order))
    pair = f"{quoted(order[column])} comes with {quoted(order[row])}"
    title = (
        f"{pair} in {share(given[row, column])} of its clips"
        if len(order) > 1 and given[row, column] > 0
        else "No two labels occur in one clip"
    )
    cells = [[(float(value), f"{100 * value:.0f}") for value in values] for values in given]
    return Figure(
        title,
        [Panel(matrix(order, cells, title))],
        "Of the clips with the label of the row, the per cent that have the label of the column, "
        "too.",
        Table(
            ("label", *order),
            [(label, *(count(value) for value in joint[place])) for place, label in
             enumerate(order)],
        ),
    )  # fmt: skip


def _means(probability: NDArray[np.float64]) -> list[float]:
    known = ~np.isnan(probability)
    sums = np.where(known, probability, 0).sum(axis=0)
    return [float(value) for value in sums / np.maximum(1, known.sum(axis=0))]
