"""What a check is, and how one that cannot be made becomes one that failed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from annotator.errors import AnnotateError

State: TypeAlias = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    `remedy` is one line that says what to do; empty where nothing needs to be done. What is ok
    may have one, too: it then says how to get more, such as an optional part.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def ok(name: str, found: str, remedy: str = "") -> Check:
    """It is as it should be."""
    return Check(name, "ok", found, remedy)


def warning(name: str, found: str, remedy: str) -> Check:
    """It works, but less well than it could."""
    return Check(name, "warning", found, remedy)


def failed(name: str, found: str, remedy: str) -> Check:
    """Some command will not work."""
    return Check(name, "failed", found, remedy)


def attempt(name: str, checks: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The checks, up to the first that raises: that is a failed one of this name.

    >>> def broken():
    ...     raise AnnotateError("no disk: plug one in")
    >>> list(attempt("disk", broken))
    [Check(name='disk', state='failed', found='not usable', remedy='no disk: plug one in')]
    """
    try:
        yield from checks()
    except AnnotateError as error:
        yield failed(name, "not usable", str(error))
    except Exception as error:  # noqa: BLE001 - what is broken may raise anything
        reason = str(error).partition("\n")[0]
        yield failed(
            name,
            f"{type(error).__name__}: {reason}",
            "install annotate-emotions and its packages again",
        )
