"""The corpus at a glance: hours, clips, speakers, what is absent and what failed."""

from collections.abc import Iterator

import numpy as np

from annotator.report.charts.plots import histogram, shares
from annotator.report.charts.rows import Bar, bars
from annotator.report.charts.scale import percent, plain, whole
from annotator.report.section import Figure, Panel, Section, Table
from annotator.report.words import count, duration, share
from annotator.store.records import FailureCount
from annotator.store.survey import Survey

BINS = 30
MOST_SPEAKERS = 12


def corpus_section(survey: Survey) -> Section:
    """What was annotated."""
    failed = sum(failure.count for failure in survey.status.failures)
    files = sum(survey.status.media.values())
    speakers = len([name for name in survey.speakers if name is not None])
    facts = [
        ("of clips", _short(survey.clip_ms)),
        ("clips", count(survey.clips)),
        ("files", count(files)),
        ("speakers", count(speakers) if speakers else "unnamed"),
        ("failed", count(failed)),
    ]
    return Section(
        id="corpus",
        name="Corpus",
        headline=f"{duration(survey.clip_ms)} of clips, "
        + (f"{count(failed)} failures" if failed else "and nothing failed"),
        text=f"{count(survey.clips, 'clip', 'clips')} of {count(files, 'file', 'files')} "
        f"({duration(survey.status.media_ms)} of media) have the model's answer.",
        facts=facts,
        figures=list(_figures(survey)),
        tables=[("What failed, and why", _failures(survey.status.failures))] if failed else [],
    )


def _figures(survey: Survey) -> Iterator[Figure]:
    if len(survey.sample.duration_ms):
        yield _durations(survey)
    if any(name is not None for name in survey.speakers):
        yield _speakers(survey)
    if survey.clips:
        yield _modalities(survey)


def _short(milliseconds: float) -> str:
    return duration(milliseconds).replace("minutes", "min").replace("hours", "h")


def _durations(survey: Survey) -> Figure:
    seconds = survey.sample.duration_ms / 1000
    low, middle, high = np.quantile(seconds, [0.1, 0.5, 0.9])
    edges = np.linspace(0, max(1.0, float(np.quantile(seconds, 0.995))), BINS + 1)
    heights = shares(seconds, edges)
    title = f"Half of the clips last {middle:.1f} s or less"
    table = Table(
        ("from, s", "to, s", "clips of the sample"),
        [
            (f"{a:.2f}", f"{b:.2f}", share(h))
            for a, b, h in zip(edges[:-1], edges[1:], heights, strict=True)
        ],
    )
    return Figure(
        title,
        [Panel(histogram(edges, heights, title, "seconds", plain))],
        f"Length of {count(len(seconds))} clips: eight of ten lie between {low:.1f} and "
        f"{high:.1f} s. What is longer than the axis counts in the last bar.",
        table,
    )


def _speakers(survey: Survey) -> Figure:
    named = [(name, number) for name, number in survey.speakers.items() if name is not None]
    unnamed = survey.speakers.get(None, 0)
    shown = named[:MOST_SPEAKERS]
    most = share(named[0][1] / survey.clips)
    title = f"Of {len(named)} speakers, the busiest has {most} of the clips"
    if len(named) == 1:
        title = f"One speaker has {most} of the clips"
    caption = "Clips of each speaker"
    if len(shown) < len(named):
        caption = f"Clips of the {len(shown)} most frequent speakers"
    caption += f"; {count(unnamed, 'clip names', 'clips name')} none." if unnamed else "."
    rows = [Bar(name, number, count(number)) for name, number in shown]
    return Figure(
        title,
        [Panel(bars(rows, caption, "clips", whole))],
        caption,
        Table(("speaker", "clips"), shown),
    )


def _modalities(survey: Survey) -> Figure:
    there = {name: 1 - absent / survey.clips for name, absent in survey.absent.items()}
    least = min(there, key=lambda name: there[name])
    complete = there[least] == 1
    title = "Every clip has all three modalities" if complete else (
        f"{share(1 - there[least])} of the clips lack the {least} modality"
    )  # fmt: skip
    rows = [Bar(name, part, share(part)) for name, part in there.items()]
    return Figure(
        title,
        [Panel(bars(rows, title, "share of clips that have it", percent))],
        "A modality that a clip lacks (no face, no sound, no words) is masked, never filled in: "
        + ", ".join(f"{name} {share(part)}" for name, part in there.items())
        + " present.",
        Table(
            ("modality", "clips without"),
            [(name, count(number)) for name, number in survey.absent.items()],
        ),
    )


def _failures(failures: tuple[FailureCount, ...]) -> Table:
    names = {"media": "file", "clip": "clip"}
    return Table.first(
        ("stage", "reason", "what", "how many"),
        [(f.stage, f.reason, names[f.kind], count(f.count)) for f in failures],
    )
