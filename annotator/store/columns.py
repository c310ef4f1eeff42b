"""Column types for what databases do not hold exactly: file names and instants; and safe text."""

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

_ESCAPE = re.compile(r"\\(\\|u[0-9a-f]{4})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PathText(TypeDecorator[str]):
    r"""A file name as Python has it, bytes that are not UTF-8 included.

    Python carries such bytes as lone surrogates (PEP 383), which no database takes as text. They
    are stored as `\udcXX`, and a backslash as two, so that every name has one spelling.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Python to database."""
        del dialect
        return None if value is None else escape_path(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Database to Python."""
        del dialect
        return None if value is None else unescape_path(value)


class Instant(TypeDecorator[datetime]):
    """A moment, as whole milliseconds since 1970 UTC: the same in every database and time zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Python to database."""
        del dialect
        return None if value is None else epoch_ms(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Database to Python."""
        del dialect
        return None if value is None else _EPOCH + timedelta(milliseconds=value)


def epoch_ms(moment: datetime) -> int:
    """How an `Instant` is stored.

    >>> epoch_ms(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000
    """
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def escape_path(path: str) -> str:
    r"""Spell a file name in valid Unicode, reversibly.

    >>> print(escape_path("caf\udce9\\x"))
    caf\udce9\\x
    """
    return readable(path.replace("\\", "\\\\"))


def unescape_path(text: str) -> str:
    r"""Undo `escape_path`.

    >>> unescape_path(escape_path("caf\udce9\\x")) == "caf\udce9\\x"
    True
    """

    def restore(match: re.Match[str]) -> str:
        return "\\" if match[1] == "\\" else chr(int(match[1][1:], 16))

    return _ESCAPE.sub(restore, text) if "\\" in text else text


def readable(text: str) -> str:
    r"""Text that any database takes: lone surrogates and NULs spelled out, the rest as it is.

    Transcripts, labels and reasons come from files nobody vouches for; JSON may smuggle in both.

    >>> print(readable("a\udce9b\0"))
    a\udce9b\x00
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def readable_or_none(text: str | None) -> str | None:
    """The same for a value that may be missing."""
    return None if text is None else readable(text)
