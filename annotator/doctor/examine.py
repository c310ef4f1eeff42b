"""All checks, in the order in which one would look: machine, weights, workspace, server."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

from annotator.doctor.check import Check, attempt
from annotator.workspace import Workspace


def examine(root: Path, environ: Mapping[str, str]) -> Iterator[Check]:
    """Look at everything; nothing is changed, and no check keeps the others from being made.

    Args:
        root: of the workspace; it need not exist, and is not made.
        environ: may name a Label Studio server.
    """
    place = Workspace(root)
    yield from attempt("packages", _of("installation"))
    yield from attempt("ffmpeg", _of("programs"))
    yield from attempt("device", _of("device"))
    yield from attempt("extractors", _of("weights"))
    yield from attempt("workspace", _of("place", place))
    yield from attempt("models", _of("models", place))
    yield from attempt("Label Studio", _of("label_studio", environ))


def _of(module: str, *given: object) -> Callable[[], Iterable[Check]]:
    """The checks of a module, imported only then: what it needs may be what is broken."""

    def checks() -> Iterable[Check]:
        found: Iterable[Check] = import_module(f"annotator.doctor.{module}").checks(*given)
        return found

    return checks
