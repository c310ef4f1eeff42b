"""An ELAN annotation file (.eaf), format 3.0: what the MPI's schema EAFv3.0.xsd asks for."""

import mimetypes
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from xml.etree.ElementTree import Element, SubElement, tostring

from annotator.export.export import facts
from annotator.export.timed import Document, Tier, tiers

AUTHOR = "annotate"
KIND = "emotion"  # the linguistic type of our tiers
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_NOT_XML = re.compile("[\ufffe\uffff]")  # beside the control characters, which names are free of


def elan(document: Document) -> str:
    """The file as text; ids run through it, and every value is escaped."""
    root = Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": AUTHOR,
            "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    _header(root, document)
    ours = tiers(document)
    slots = _slots(root, ours)
    ids = (f"a{number}" for number in count(1))
    for tier in ours:
        _tier(root, tier, slots, ids)
    kind = {"LINGUISTIC_TYPE_ID": KIND, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    SubElement(root, "LINGUISTIC_TYPE", kind)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _header(root: Element, document: Document) -> None:
    header = SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    kind = mimetypes.guess_type(document.media.name)[0] or "application/octet-stream"
    media = {"MEDIA_URL": document.media.absolute().as_uri(), "MIME_TYPE": kind}
    SubElement(header, "MEDIA_DESCRIPTOR", media)
    for name, value in facts(document.contents).items():
        SubElement(header, "PROPERTY", {"NAME": name}).text = _text(value)


def _slots(root: Element, ours: list[Tier]) -> Mapping[int, str]:
    """A slot for each moment that a span begins or ends at, in order of time."""
    moments = {edge for t in ours for span in t.spans for edge in (span.start_ms, span.end_ms)}
    order = SubElement(root, "TIME_ORDER")
    slots = {moment: f"ts{place}" for place, moment in enumerate(sorted(moments), 1)}
    for moment, name in slots.items():
        SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": name, "TIME_VALUE": str(moment)})
    return slots


def _tier(root: Element, tier: Tier, slots: Mapping[int, str], ids: Iterator[str]) -> None:
    described = {"LINGUISTIC_TYPE_REF": KIND, "TIER_ID": _text(tier.name), "ANNOTATOR": AUTHOR}
    element = SubElement(root, "TIER", described)
    for span in tier.spans:
        aligned = SubElement(
            SubElement(element, "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            {
                "ANNOTATION_ID": next(ids),
                "TIME_SLOT_REF1": slots[span.start_ms],
                "TIME_SLOT_REF2": slots[span.end_ms],
            },
        )
        SubElement(aligned, "ANNOTATION_VALUE").text = _text(span.text)


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
