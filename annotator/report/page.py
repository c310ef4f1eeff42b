"""A report as one HTML file that needs nothing else: no script, no request."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from annotator.report.section import Figure

if TYPE_CHECKING:
    from markupsafe import Markup

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


def render_timeline(name: str, facts: str, figure: Figure) -> str:
    """The page of one file's timeline."""
    return _template("timeline.html.j2", name=name, facts=facts, figure=figure)


def coded(text: str) -> "Markup":
    """Text whose commands stand between backticks, as the terminal shows them.

    >>> print(coded("a < b: `annotate run`"))
    a &lt; b: <code>annotate run</code>
    """
    from markupsafe import Markup, escape

    parts = text.split("`")
    wrapped = [Markup("<code>{}</code>").format(p) if n % 2 else escape(p)
               for n, p in enumerate(parts)]  # fmt: skip
    return Markup("").join(wrapped)


def _template(template: str, **values: Any) -> str:
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
    environment.filters["coded"] = coded
    sheet = (files("annotator.report") / TEMPLATES / "style.css").read_text(encoding="utf-8")
    style = Style(sheet)
    page: str = environment.get_template(template).render(
        **values,
        policy=style.policy,
        sheet=Markup(sheet),  # noqa: S704  ours
    )
    return page
