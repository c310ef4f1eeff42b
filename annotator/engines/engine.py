"""What all engines have in common: their interface, their messages, and the way of one file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from annotator.errors import AnnotateError, EnvironmentFault
from annotator.stages import Event, MediaFailed, MediaJob

if TYPE_CHECKING:
    from annotator.clipwork import Tools
    from annotator.clock import StageClock
    from annotator.features.cache import FeatureCache


@dataclass(frozen=True, slots=True)
class JobDone:
    """The worker is through with the file; seconds by stage, in the worker's wall time.

    `complete` is false where it was asked to stop, and clips may be left.
    """

    seconds: dict[str, float]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """The worker met something that is not the file's fault; the run has to stop."""

    message: str


class Loadable(Protocol):
    """Names of tools, which a worker loads; see `annotator.toolkit.ToolSettings`."""

    def load(self) -> "tuple[Tools, FeatureCache]":
        """Load the extractors, and say where cached features lie."""
        ...


class Engine(Protocol):
    """Where the stage functions run; a context manager that leaves no worker behind."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def finish_clips_in_flight(self) -> None:
        """Ask the workers to stop after the clip they are at; safe in a signal handler."""
        ...

    def run(self, jobs: Iterator[MediaJob]) -> Iterator[tuple[MediaJob, Event | JobDone]]:
        """Give out the jobs to whoever is free, in their order, and yield what comes back.

        Raises:
            EnvironmentFault: no worker can start, or one reports what is not its file's fault.
        """
        ...


def load_tools(settings: Loadable) -> "tuple[Tools, FeatureCache]":
    """Load the extractors in a worker.

    Raises:
        EnvironmentFault: they cannot be loaded, whatever the reason.
    """
    try:
        return settings.load()
    except AnnotateError as error:
        raise EnvironmentFault(str(error)) from error
    except Exception as error:  # a plugin may raise anything; no file is to blame
        raise EnvironmentFault(
            f"cannot load the extractors ({error}): `annotate doctor` says which"
        ) from error


def events_of(
    job: MediaJob,
    tools: "Tools",
    cache: "FeatureCache",
    clock: "StageClock",
    stopping: Callable[[], bool],
) -> Iterator[Event | JobDone]:
    """All that a worker has to say of one file, whatever goes wrong with it.

    Raises:
        EnvironmentFault: something is not the file's fault.
    """
    from annotator.stages import annotate_media

    try:
        yield from annotate_media(job, tools, cache, clock, stopping)
    except EnvironmentFault:
        raise
    except Exception as error:  # noqa: BLE001  one file of a batch; the reason is stored
        yield MediaFailed("worker", f"{type(error).__name__}: {error}")
    yield JobDone(dict(clock.seconds), complete=not stopping())
    clock.seconds.clear()
