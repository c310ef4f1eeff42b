"""What is said of a report that was written."""

from pathlib import Path

from annotator.console import print_json, say
from annotator.report.build import Report


def print_report(report: Report, out: Path, *, as_json: bool) -> None:
    """Where it is, how large, and what it could not show."""
    size = out.stat().st_size
    if as_json:
        sections = [
            {"id": s.id, "name": s.name, "headline": s.headline, "missing": s.missing}
            for s in report.sections
        ]
        print_json(
            {
                "out": out,
                "bytes": size,
                "model": report.model,
                "trained": report.trained,
                "clips": report.clips,
                "sections": sections,
            }
        )
        return
    say(f"Report on {report.clips} clips written to {out} ({size / 1e6:.1f} MB).")
    for section in report.sections:
        if section.missing:
            say(f"{section.name} is not in it: {section.missing}.")
