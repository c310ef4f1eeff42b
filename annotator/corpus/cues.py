"""Timed text: what subtitles, ELAN files and plain transcripts have in common."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import StageFailure
from annotator.media.filesystem import head_of
from annotator.media.remote import RemotePath

STAGE = "segment"  # the stage that a clip's failure to be planned is filed under
MAX_SIDECAR_BYTES = 10 * 2**20  # a day of dense speech is about 1.5 MB of SRT

# Control characters break terminals and databases, lone surrogates cannot be encoded at all.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Cue:
    """A piece of text and when it is said: 0 <= start_ms < end_ms, text in one line."""

    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class CueTrack:
    """Cues in order of time (they may overlap), and how many unusable ones were dropped."""

    cues: tuple[Cue, ...]
    dropped: int = 0


def collect(candidates: Iterable[Cue]) -> CueTrack:
    """Clean and sort cues; those without text or without positive length are dropped.

    >>> track = collect([Cue(5, 9, " b "), Cue(0, 5, "a"), Cue(7, 7, "c")])
    >>> [cue.text for cue in track.cues], track.dropped
    (['a', 'b'], 1)
    """
    kept: list[Cue] = []
    total = 0
    for total, cue in enumerate(candidates, 1):  # noqa: B007 (the count is used below)
        start, text = max(cue.start_ms, 0), clean_text(cue.text)
        if text and start < cue.end_ms:
            kept.append(Cue(start, cue.end_ms, text, clean_text(cue.speaker or "") or None))
    kept.sort(key=lambda cue: (cue.start_ms, cue.end_ms))
    return CueTrack(tuple(kept), total - len(kept))


def clean_text(text: str) -> str:
    r"""One line of text that any database and terminal takes.

    >>> clean_text("  two\nlines\x00 ")
    'two lines'
    """
    return " ".join(_SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text)).split())


def read_limited(path: Path) -> bytes:
    """The bytes of a sidecar.

    Raises:
        StageFailure: it cannot be read, or is larger than `MAX_SIDECAR_BYTES`.
    """
    if isinstance(path, RemotePath):
        data = head_of(path, MAX_SIDECAR_BYTES + 1)
    else:
        try:
            with path.open("rb") as handle:
                data = handle.read(MAX_SIDECAR_BYTES + 1)
        except OSError as error:
            raise StageFailure(STAGE, f"{path.name!r} cannot be read: {error.strerror}") from error
    if len(data) > MAX_SIDECAR_BYTES:
        limit = MAX_SIDECAR_BYTES // 2**20
        raise StageFailure(STAGE, f"{path.name!r} is larger than {limit} MiB; is it a sidecar?")
    return data


def read_text(path: Path) -> str:
    """The text of a sidecar: UTF-8, UTF-16 with a byte order mark, else Windows-1252.

    Windows-1252 is what old subtitle tools write; its five undefined bytes become U+FFFD.

    Raises:
        StageFailure: it cannot be read, is too large, or is not text.
    """
    data = read_limited(path)
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        if b"\0" not in data:
            return _decode(data)
    except UnicodeDecodeError:
        pass
    raise StageFailure(STAGE, f"{path.name!r} is not text; save it as UTF-8 or remove it")


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
