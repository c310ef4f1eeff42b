"""How far the people who answered agree."""

from collections.abc import Iterator, Sequence

from annotator.labels.agreement import Agreement, agreement
from annotator.labels.figure import Figure as Measure
from annotator.labels.stored import votes_of
from annotator.report.charts.rows import Range, ranges
from annotator.report.section import Figure, Panel, Section, Table, lacking
from annotator.report.words import count, figure, quoted, share
from annotator.store.engine import Store
from annotator.store.review_records import ReviewProject

HEAD = ("people", "Annotator agreement")
RESAMPLES = 200
MOST_CLIPS = 2_000  # of which intervals are worth their seconds
NOBODY = (
    "Nobody has answered yet: send clips with `annotate export --uncertain-top 100`, bring the "
    "answers back with `annotate pull`"
)


def people_section(store: Store) -> Section:
    """Krippendorff's alpha, Cohen's kappa and each person, of each project with answers."""
    found = [
        (project, measured)
        for project in store.projects()
        if (measured := _measured(store, project)).votes
    ]
    if not found:
        return lacking(*HEAD, NOBODY)
    known = [m.alpha_sets.value for _, m in found if m.alpha_sets.value is not None]
    return Section(
        *HEAD,
        headline=f"Krippendorff's alpha of whole answers is {figure(known[0])}"
        if known
        else "No clip has two answers to compare",
        text="Alpha is 1 where people agree, 0 where they agree as chance would have it. "
        + "; ".join(
            f"Project {quoted(project.title)}: {count(m.votes)} answers to {count(m.clips)} clips"
            for project, m in found
        )
        + ".",
        figures=[_alphas(project, measured) for project, measured in found],
        tables=[table for project, measured in found for table in _tables(project, measured)],
    )


def _measured(store: Store, project: ReviewProject) -> Agreement:
    votes = votes_of(store.answers(project.project_id))
    few = len({vote.clip_id for vote in votes}) <= MOST_CLIPS
    return agreement(votes, project.labels, resamples=RESAMPLES if few else 0)


def _alphas(project: ReviewProject, found: Agreement) -> Figure:
    rows = [*found.alpha.items(), ("whole answer", found.alpha_sets)]
    known = {label: m.value for label, m in found.alpha.items() if m.value is not None}
    title = f"Project {quoted(project.title)}: no label has two answers on one clip"
    if known:
        best, worst = (pick(known, key=lambda name: known[name]) for pick in (max, min))
        title = f"People agree most on {quoted(best)}, least on {quoted(worst)}"
    low = min([0.0, *(m.low if m.low is not None else m.value or 0.0 for _, m in rows)])
    drawn = [Range(label, m.value, m.low, m.high, figure(m.value)) for label, m in rows]
    return Figure(
        title,
        [Panel(ranges(drawn, title, "Krippendorff's alpha", (low, 1.0)))],
        f"Project {quoted(project.title)}. Dots: alpha; lines: its 95 % interval over clips. "
        + _reasons(rows),
        Table(
            ("label", "alpha", "low", "high", "clips"),
            [(label, figure(m.value), figure(m.low), figure(m.high), count(m.clips))
             for label, m in rows],
        ),
    )  # fmt: skip


def _reasons(rows: Sequence[tuple[str, Measure]]) -> str:
    unknown = [f"{label}: {m.reason}" for label, m in rows if m.reason]
    return f"Unknown for {'; '.join(unknown)}." if unknown else ""


def _tables(project: ReviewProject, found: Agreement) -> Iterator[tuple[str, Table]]:
    if found.pairs:
        yield (
            f"Cohen's kappa two by two, project {quoted(project.title)}",
            Table.first(
                ("pair", "clips", *project.labels, "mean"),
                [
                    (f"{pair.first} and {pair.second}", count(pair.clips),
                     *(figure(pair.kappa[label].value) for label in project.labels),
                     figure(pair.mean.value))
                    for pair in found.pairs
                ],
            ),
        )  # fmt: skip
    yield (
        f"Each person, project {quoted(project.title)}",
        Table.first(
            ("person", "answers", "like the others", "kappa", "seconds an answer", "unusable"),
            [
                (p.name, count(p.votes), _share(p.overall.share), figure(p.overall.kappa.value),
                 "–" if p.seconds.value is None else f"{p.seconds.value:.1f}", _share(p.unusable))
                for p in found.annotators
            ],
        ),
    )  # fmt: skip


def _share(measure: Measure) -> str:
    return "–" if measure.value is None else share(measure.value)
