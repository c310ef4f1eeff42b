"""An SVG picture built element by element: text is escaped by the serialiser, never by us."""

from typing import Literal
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

Value = str | float
Anchor = Literal["start", "middle", "end"]


class Drawing:
    """A picture of a size in CSS pixels; `label` is what a screen reader says of it.

    >>> drawing = Drawing(10, 10, 'of "<b>"')
    >>> drawing.add("rect", x=1.0, y=2.5, kind="bar s0")
    >>> print(drawing.markup())
    <svg viewBox="0 0 10 10" width="10" role="img" aria-label="of &quot;&lt;b&gt;&quot;" \
class="chart"><rect x="1" y="2.5" class="bar s0" /></svg>
    """

    def __init__(self, width: float, height: float, label: str) -> None:
        size = f"0 0 {number(width)} {number(height)}"
        self._root = Element(
            "svg",
            {
                "viewBox": size,
                "width": number(width),
                "role": "img",
                "aria-label": clean(label),
                "class": "chart",
            },
        )

    def add(self, tag: str, text: str | None = None, *, kind: str = "", **values: Value) -> None:
        """Add an element; `kind` is its class, an underscore in a name stands for a hyphen."""
        attributes = {
            name.replace("_", "-"): value if isinstance(value, str) else number(value)
            for name, value in values.items()
        }
        if kind:
            attributes["class"] = kind
        made = SubElement(self._root, tag, attributes)
        if text is not None:
            made.text = clean(text)

    def write(
        self, x: float, y: float, text: str, *, anchor: Anchor = "start", kind: str = "tick"
    ) -> None:
        """Add a line of text with its baseline at y."""
        self.add("text", text, kind=kind, x=x, y=y, text_anchor=anchor)

    def markup(self) -> Markup:
        """The picture, safe to put into a page."""
        return Markup(tostring(self._root, encoding="unicode"))  # noqa: S704  escaped by ElementTree


def number(value: float) -> str:
    """As short as a hundredth of a pixel needs.

    >>> number(3.0), number(0.126), number(-0.001)
    ('3', '0.13', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def clean(text: str) -> str:
    r"""Text without the control characters that XML does not take.

    >>> clean("a\x00b\tc")
    'a b c'
    """
    return "".join(c if c.isprintable() else " " for c in text)


def shorten(text: str, most: int) -> str:
    """Text of at most so many characters; the whole is in the table beside the picture.

    >>> shorten("disappointment", 8)
    'disappo…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"
