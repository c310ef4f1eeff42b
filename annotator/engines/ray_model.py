"""The model on the GPUs of a Ray cluster: an actor each, batches in turn, answers in order."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from annotator.errors import AnnotateError, EnvironmentFault
from annotator.predict import Predictor, choose_device
from annotator.registry import ModelVersion, load_network
from annotator.store.records import FreshScores
from annotator.types import ClipFeatures

AHEAD = 2  # batches an actor may have: one in hand, one to go on with


class Answering:
    """A predictor on a node."""

    def __init__(
        self, version: ModelVersion, files: Mapping[str, bytes], device: str, mc_dropout: int
    ) -> None:
        """Load the network from the files of its version, which are checked against its hash."""
        with TemporaryDirectory(prefix="annotate-model-") as folder:
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            network = load_network(replace(version, path=Path(folder)))
        self._predictor = Predictor(network, choose_device(device), mc_dropout)

    def answers(self, clips: Sequence[ClipFeatures]) -> list[FreshScores]:
        """One answer a clip; see `Predictor`."""
        return self._predictor(clips)


class RayPredictor:
    """As `annotator.predict.Predictor`, on actors of one GPU each.

    The version's files are sent to the cluster once, whatever the number of actors. The batch of
    an actor that is lost goes to another; where none is left, the run's own process takes over,
    as on a cluster without GPUs, and the user is `told`.
    """

    def __init__(
        self,
        ray: ModuleType,
        version: ModelVersion,
        device: str,
        mc_dropout: int,
        gpus: int,
        told: Callable[[str], None],
    ) -> None:
        self._ray = ray
        self._told = told
        self._load_here = partial(_load, version, device, mc_dropout)
        files = ray.put(_files(version.path))
        remote: Any = ray.remote(num_gpus=1, num_cpus=0)(Answering)
        self._actors = [remote.remote(version, files, device, mc_dropout) for _ in range(gpus)]
        self._turn = itertools.count()

    def each(self, batches: Iterable[Sequence[ClipFeatures]]) -> Iterator[list[FreshScores]]:
        """Answers batch by batch, in order; at most `AHEAD` an actor are under way.

        Raises:
            EnvironmentFault: the model cannot answer there.
        """
        under_way: deque[tuple[Sequence[ClipFeatures], Any, Any]] = deque()
        for batch in batches:
            under_way.append((batch, *self._ask(batch)))
            if len(under_way) >= AHEAD * len(self._actors):
                yield self._wait_for(*under_way.popleft())
        while under_way:
            yield self._wait_for(*under_way.popleft())

    def _ask(self, batch: Sequence[ClipFeatures]) -> tuple[Any, Any]:
        """The actor whose turn it is, None where none is left, and its answer to come."""
        if not self._actors:
            return None, None
        actor = self._actors[next(self._turn) % len(self._actors)]
        return actor, actor.answers.remote(batch)

    def _wait_for(
        self, batch: Sequence[ClipFeatures], actor: Any, answer: Any
    ) -> list[FreshScores]:
        from ray.exceptions import RayActorError

        while actor is not None:
            try:
                scores: list[FreshScores] = self._ray.get(answer)
            except AnnotateError as error:  # Ray gives it its own type and the actor's
                raise EnvironmentFault(str(getattr(error, "cause", error))) from error
            except RayActorError:
                if actor in self._actors:
                    self._actors.remove(actor)
                actor, answer = self._ask(batch)
            else:
                return scores
        return self._here(batch)

    @cached_property
    def _here(self) -> Predictor:
        self._told("no process with a GPU is left: the model goes on in this one, slower")
        return self._load_here()


def on_gpus(
    version: ModelVersion, device: str, mc_dropout: int, told: Callable[[str], None]
) -> RayPredictor | None:
    """The model on the free GPUs of the cluster we are connected to; None where it has none."""
    import ray

    gpus = int(ray.available_resources().get("GPU", 0))
    return RayPredictor(ray, version, device, mc_dropout, gpus, told) if gpus else None


def _load(version: ModelVersion, device: str, mc_dropout: int) -> Predictor:
    try:
        chosen = choose_device(device)
    except EnvironmentFault:  # it was meant for the cluster's machines
        chosen = choose_device("auto")
    return Predictor(load_network(version), chosen, mc_dropout)


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
