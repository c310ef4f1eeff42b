"""A report as one HTML file that needs nothing else: no script, no request."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from annotator.report.build import Report

TEMPLATES = "templates"


@dataclass(frozen=True, slots=True)
class Style:
    """The style sheet, and the policy that lets this one in and nothing from elsewhere."""

    sheet: str

    @property
    def policy(self) -> str:
        """The Content-Security-Policy of a page with this sheet.

        >>> Style("a{}").policy.split("; ")[:3]
        ["default-src 'none'", 'img-src data:', 'media-src data:']
        """
        digest = b64encode(sha256(self.sheet.encode()).digest()).decode()
        return (
            "default-src 'none'; img-src data:; media-src data:; "
            f"style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )


def render(report: "Report") -> str:
    """The page of a report."""
    return _template("report.html.j2", report=report)


def _template(name: str, **values: Any) -> str:
    """A template filled in: every value is escaped unless it is a picture of ours."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("annotator.report", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sheet = (files("annotator.report") / TEMPLATES / "style.css").read_text(encoding="utf-8")
    style = Style(sheet)
    page: str = environment.get_template(name).render(
        **values,
        policy=style.policy,
        sheet=Markup(sheet),  # noqa: S704  ours
    )
    return page
