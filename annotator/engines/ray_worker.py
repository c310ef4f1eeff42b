"""A worker on a node of a Ray cluster: an actor that loads the extractors once, then takes files.

Ray names this module to the node instead of sending it, so the node runs the code it has
installed; `Release` tells whether that is the same as here.
"""

import hashlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator import __version__
from annotator.clock import StageClock
from annotator.engines.engine import Fault, JobDone, Loadable, events_of, load_tools
from annotator.errors import EnvironmentFault
from annotator.features.cache import Entry, SentFeatures
from annotator.features.sessions import WEIGHTS
from annotator.media.remote import RemotePath
from annotator.stages import Event, MediaFailed, MediaJob
from annotator.types import Bounds

if TYPE_CHECKING:
    from annotator.clipwork import Tools


@dataclass(frozen=True, slots=True)
class Named:
    """An extractor by its name and version alone."""

    id: str


@dataclass(frozen=True, slots=True)
class Names:
    """What a worker extracts with; enough for the feature cache to say what fits."""

    visual: Named
    audio: Named
    text: Named
    asr: Named | None


@dataclass(frozen=True, slots=True)
class Release:
    """What has to be the same on all nodes: the version, and the weights that ship with it."""

    version: str
    weights: str

    def __str__(self) -> str:
        """In words."""
        return f"annotate {self.version} with weights {self.weights[:12]}"


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has loaded its extractors: from now on a crash is its file's fault."""

    node: str
    host: str
    release: Release
    names: Names


def release() -> Release:
    """What is installed here; the weights by the SHA-256 of all their files."""
    digest = hashlib.sha256()
    for file in sorted(WEIGHTS.iterdir()):
        if file.is_file():
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return Release(__version__, digest.hexdigest())


class Worker:
    """One file at a time; `stop` comes in between, on a thread of its own."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._clock = StageClock()
        self._tools: Tools | None = None

    def load(self, settings: Loadable) -> Ready | Fault:
        """Load the extractors and say what they are."""
        import ray

        try:
            with self._clock.stage("load"):
                self._tools = tools = load_tools(settings)[0]
        except EnvironmentFault as fault:
            return _at_home(fault)
        asr = Named(tools.asr.id) if tools.asr else None
        names = Names(Named(tools.visual.id), Named(tools.audio.id), Named(tools.text.id), asr)
        node = ray.get_runtime_context().get_node_id()
        return Ready(node, socket.gethostname(), release(), names)

    def annotate(
        self, job: MediaJob, known: Mapping[Bounds, Entry]
    ) -> Iterator[Event | JobDone | Fault]:
        """A file's events; `known` is what the run's cache holds of clips that it lacks in part."""
        if self._tools is None:
            raise RuntimeError("load comes first")
        if not (isinstance(job.path, RemotePath) or job.path.exists()):
            yield MediaFailed(
                "read",
                f"not on node {socket.gethostname()}: the corpus has to be on a file system that "
                "all nodes share, at the same path",
            )
            yield JobDone({})
            return
        try:
            yield from events_of(
                job, self._tools, SentFeatures(known), self._clock, self._stop.is_set
            )
        except EnvironmentFault as fault:
            yield _at_home(fault)

    def stop(self) -> None:
        """Finish the clip in hand and begin no other."""
        self._stop.set()


def _at_home(fault: EnvironmentFault) -> Fault:
    return Fault(f"on node {socket.gethostname()}: {fault}")
