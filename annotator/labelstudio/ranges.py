"""The part of a file that a request's Range header asks for.

A player asks for one range at a time. Several in one request are answered with the whole file, as
RFC 9110 (14.2) allows: there is then nothing to multiply by a hostile header.
"""

import re

MAX_HEADER = 64  # characters; two numbers of 19 digits and the unit take less

_ONE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range lies outside the file."""


def asked_range(header: str | None, size: int) -> range | None:
    """The bytes asked for; None means the whole file: no range, several, or no valid one.

    >>> asked_range("bytes=0-99", 1_000), asked_range("bytes=-10", 1_000)
    (range(0, 100), range(990, 1000))
    >>> asked_range("bytes=0-1,5-6", 1_000), asked_range(None, 1_000)
    (None, None)

    Raises:
        Unsatisfiable: it starts behind the end of the file.
    """
    if header is None or len(header) > MAX_HEADER:
        return None
    found = _ONE.fullmatch(header)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:  # the last so many bytes
        wanted = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None  # not valid, so to be ignored
    else:
        wanted = range(int(first), min(size, int(last) + 1) if last else size)
    if not wanted:
        raise Unsatisfiable
    return wanted
