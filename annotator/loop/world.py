"""Where a loop works, and what its steps look up there."""

from dataclasses import dataclass
from typing import TypeVar

from annotator import registry
from annotator.errors import EnvironmentFault, UsageError
from annotator.labelstudio.hosting import Hosting
from annotator.labelstudio.server import Server
from annotator.loop.records import Round
from annotator.loop.settings import LoopSettings, Observer
from annotator.registry import ModelVersion
from annotator.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """Where a loop works: its workspace, the server it asks on, and where its clips play."""

    workspace: Workspace
    server: Server
    hosting: Hosting
    settings: LoopSettings
    observer: Observer


def model_of(world: World, now: Round) -> ModelVersion:
    """The version that was in use when the round began.

    Raises:
        UsageError: it is gone, or another has its name.
    """
    wanted = need(now.predicted)
    model = registry.choose(world.workspace, wanted.model)
    if model.weights_hash != wanted.weights_sha256:
        raise UsageError(
            f"model {wanted.model!r} has other weights than when round {now.number} began: put "
            "the version of then back under that name"
        )
    return model


def need(fact: T | None) -> T:
    """What an earlier step of the round has left: steps are done in order.

    Raises:
        EnvironmentFault: it has left nothing.
    """
    if fact is None:
        raise EnvironmentFault("the record of the loop lacks a step: steps are written in order")
    return fact
