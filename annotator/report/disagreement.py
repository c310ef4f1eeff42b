"""Whether the model is unsure where people disagree."""

import numpy as np

from annotator.metrics.uncertainty import spearman
from annotator.report.charts.plots import Axis, scatter
from annotator.report.section import Figure, Panel, Section, Table, lacking
from annotator.report.truth import Truth
from annotator.report.words import count, figure

HEAD = ("disagreement", "Human disagreement")
MOST = 4_000  # dots
TWO_NEEDED = (
    "No clip has the answers of two people: send clips to several "
    "(`annotate export --uncertain-top 100 --overlap 2`), then `annotate pull`"
)


def disagreement_section(truth: Truth | None) -> Section:
    """Uncertainty beside the disagreement of people, clip by clip."""
    asked = None if truth is None else ~np.isnan(truth.disagreement)
    if truth is None or asked is None or not asked.any():
        return lacking(*HEAD, TWO_NEEDED)
    variance, people = truth.answers.variance[asked], truth.disagreement[asked]
    rho = float(spearman(variance, people))
    chosen = np.unique(np.linspace(0, len(people) - 1, MOST).astype(int))
    points = list(zip(variance[chosen].tolist(), people[chosen].tolist(), strict=True))
    low, high = float(variance.min()), float(variance.max())
    title = f"Spearman's ρ of uncertainty and disagreement is {figure(rho)}"
    thirds = np.array_split(np.argsort(variance, kind="stable"), 3)
    means = [float(people[third].mean()) if len(third) else float("nan") for third in thirds]
    return Section(
        *HEAD,
        headline=_headline(rho),
        text=f"{count(int(asked.sum()), 'clip', 'clips')} with usable answers of two people or "
        "more. Disagreement is the mean entropy of the votes on each label, in bits: 0 where all "
        "say the same, 1 where they split in half on every label.",
        figures=[
            Figure(
                title,
                [
                    Panel(
                        scatter(
                            {"s0 medium": points},
                            title,
                            Axis((low, high if high > low else low + 1), "uncertainty (variance)"),
                            Axis((-0.03, 1.03), "disagreement"),
                        )
                    )
                ],
                "A dot for each clip: the model's uncertainty to the right, people's disagreement "
                f"upwards. Mean disagreement is {figure(means[0])} in the surest third of the "
                f"clips and {figure(means[2])} in the least sure.",
                Table(
                    ("third of the clips, by uncertainty", "clips", "mean disagreement"),
                    [
                        (name, count(len(third)), figure(mean))
                        for name, third, mean in zip(
                            ("surest", "middle", "least sure"), thirds, means, strict=True
                        )
                    ],
                ),
            )
        ],
    )


def _headline(rho: float) -> str:
    if np.isnan(rho):
        return "Too little varies to compare uncertainty with disagreement"
    if rho > 0.1:
        return "The model is less sure where people disagree"
    return "The model's uncertainty does not follow people's disagreement"
