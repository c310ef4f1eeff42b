r"""Parse SRT and WebVTT as forgivingly as players do.

Why not a library: pysubs2 1.8 turns NOTE blocks and cue names of WebVTT into speech, takes a
line with two karaoke stamps for a new cue, loses the speaker of `<v Name>`, eats a last line
that is a number, and needs quadratic time on `<a<a<a`; webvtt parsers refuse what players show.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from annotator.corpus.cues import Cue, CueTrack, collect, read_text

_STAMP = r"(?:([0-9]{1,4})\s?:\s?)?([0-9]{1,2})\s?:\s?([0-9]{1,2})(?:\s?[.,:]\s?([0-9]{1,3}))?"
_TIMING = re.compile(rf"\s*{_STAMP}\s*-{{1,2}}>\s*{_STAMP}(?![0-9])")
_INDEX = re.compile(r"\s*[0-9]+\s*")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s([^<>]*)>")
# Only what looks like a tag goes, so that `1 < 2 > 0` stays: <i> </i> <c.red> <00:01.000> {\an8}
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[0-9][0-9:.]*>|\{\\[^{}]*\}")
_ABSURD_REFERENCE = re.compile(r"&#[0-9]{8,};?")  # html.unescape fails past 4,300 digits
_ASS_SPACE = re.compile(r"\\[Nnh]")


def read_subtitles(path: Path) -> CueTrack:
    """Read an .srt or .vtt file.

    Raises:
        StageFailure: it cannot be read, is too large, or is not text.
    """
    return parse_subtitles(read_text(path))


def parse_subtitles(text: str) -> CueTrack:
    r"""The cues of SRT or WebVTT text, sorted by time; overlapping cues stay.

    Indices may be missing, fractions follow a comma or a dot, tags go, a WebVTT voice becomes
    the speaker. Any text is accepted: what holds no timing line holds no cues.

    >>> parse_subtitles("WEBVTT\n\n00:01.5 --> 00:02.000\n<v Ann>Oh, <i>no</i> &amp; yes").cues
    (Cue(start_ms=1500, end_ms=2000, text='Oh, no & yes', speaker='Ann'),)
    """
    lines = re.split(r"\r*\n|\r", text.removeprefix("\ufeff"))
    # In WebVTT a blank line ends a cue, and notes and styles follow; in SRT in the wild a blank
    # line is often part of the text, and only the next timing line ends it.
    blank_ends = lines[0].startswith("WEBVTT")
    return collect(_cue(timing, body) for timing, body in _blocks(lines, blank_ends))


def _blocks(lines: list[str], blank_ends: bool) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Each timing line with the lines of text that belong to it."""
    timing: re.Match[str] | None = None
    body: list[str] = []
    is_open = False
    for line in lines:
        if found := _TIMING.match(line):
            if timing:
                yield timing, _without_index(body) if is_open else body
            timing, body, is_open = found, [], True
        elif blank_ends and not line.strip():
            is_open = False
        elif is_open:
            body.append(line)
    if timing:
        yield timing, body


def _without_index(body: list[str]) -> list[str]:
    """The number right above a timing line is the next cue's index, not this one's text."""
    return body[:-1] if body and _INDEX.fullmatch(body[-1]) else body


def _cue(timing: re.Match[str], body: list[str]) -> Cue:
    stamps = timing.groups()
    marked = _ASS_SPACE.sub(" ", "\n".join(body))
    voices = {_unescape(name).strip() for name in _VOICE.findall(marked)}
    return Cue(
        _milliseconds(*stamps[:4]),
        _milliseconds(*stamps[4:]),
        _unescape(_TAG.sub("", marked)),
        voices.pop() if len(voices) == 1 else None,  # a dialogue in one cue has no one speaker
    )


def _unescape(text: str) -> str:
    return html.unescape(_ABSURD_REFERENCE.sub("\ufffd", text))


def _milliseconds(
    hours: str | None, minutes: str, seconds: str, fraction: str | None = None
) -> int:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int((fraction or "0").ljust(3, "0"))
