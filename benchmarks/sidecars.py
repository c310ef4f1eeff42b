"""The text of the transcripts that lie beside a media file: .srt, .vtt, .txt, ELAN .eaf."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from speech import Line

ANY_DATE = "2000-01-01T00:00:00+00:00"  # ELAN asks for one; the true one would change the bytes
SCHEMA_KEY = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"  # ELAN and pympi look for it
ANYONE = "speech"  # the ELAN tier of lines without a speaker


def srt(lines: Sequence[Line]) -> str:
    """SubRip: numbered cues, a comma before the milliseconds.

    >>> print(srt([Line(400, 1900, "I am so happy.")]), end="")
    1
    00:00:00,400 --> 00:00:01,900
    I am so happy.
    """
    return "\n".join(
        f"{number}\n{_span(line, ',')}\n{line.text}\n" for number, line in enumerate(lines, 1)
    )


def vtt(lines: Sequence[Line]) -> str:
    """WebVTT: a point before the milliseconds, a speaker in a voice tag."""
    voices = (f"<v {line.speaker}>" if line.speaker else "" for line in lines)
    cues = (
        f"{_span(line, '.')}\n{voice}{line.text}\n"
        for line, voice in zip(lines, voices, strict=True)
    )
    return "\n".join(["WEBVTT\n", *cues])


def txt(lines: Sequence[Line]) -> str:
    """The words alone, without times."""
    return " ".join(line.text for line in lines) + "\n"


def eaf(lines: Sequence[Line], media: str) -> str:
    """ELAN 3.0 for a .mp4 of that name in the same folder: one tier a speaker."""
    facts = {"AUTHOR": "", "DATE": ANY_DATE, "FORMAT": "3.0", "VERSION": "3.0"}
    root = ET.Element("ANNOTATION_DOCUMENT", facts | {SCHEMA_KEY: SCHEMA})
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    place = f"./{media}"
    links = {"MEDIA_URL": place, "RELATIVE_MEDIA_URL": place, "MIME_TYPE": "video/mp4"}
    ET.SubElement(header, "MEDIA_DESCRIPTOR", links)
    order = ET.SubElement(root, "TIME_ORDER")
    tiers = {speaker: _tier(root, speaker) for speaker in _speakers(lines)}
    for number, line in enumerate(lines, 1):
        _annotate(tiers[line.speaker or ANYONE], order, number, line)
    ET.SubElement(root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID="utterance", TIME_ALIGNABLE="true")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _tier(root: ET.Element, speaker: str) -> ET.Element:
    names = {"LINGUISTIC_TYPE_REF": "utterance", "PARTICIPANT": speaker, "TIER_ID": speaker}
    return ET.SubElement(root, "TIER", names)


def _annotate(tier: ET.Element, order: ET.Element, number: int, line: Line) -> None:
    marks = {f"ts{2 * number - 1}": line.start_ms, f"ts{2 * number}": line.end_ms}
    for slot, time in marks.items():
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(time))
    first, last = marks
    names = {"ANNOTATION_ID": f"a{number}", "TIME_SLOT_REF1": first, "TIME_SLOT_REF2": last}
    aligned = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", names)
    ET.SubElement(aligned, "ANNOTATION_VALUE").text = line.text


def _speakers(lines: Sequence[Line]) -> list[str]:
    """In order of their first line."""
    return list(dict.fromkeys(line.speaker or ANYONE for line in lines))


def _span(line: Line, separator: str) -> str:
    return f"{_clock(line.start_ms, separator)} --> {_clock(line.end_ms, separator)}"


def _clock(ms: int, separator: str) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{separator}{ms:03}"
