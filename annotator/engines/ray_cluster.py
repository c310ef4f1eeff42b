"""A Ray cluster as the engine sees it: how to get there, and which nodes are alive."""

import os
import socket
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

from annotator.errors import EnvironmentFault, UsageError
from annotator.features.extractor import from_extra

CONNECT_S = 10.0  # to wait for an address to answer


@dataclass(frozen=True, slots=True)
class ClusterState:
    """Nodes that are alive, workers that have loaded, and those of them with a file in hand."""

    nodes: int
    workers: int
    busy: int


class Watch(Protocol):
    """Told of what happens to a cluster."""

    def cluster(self, state: ClusterState) -> None:
        """Nodes or workers came, went, or took up work."""
        ...

    def node(self, note: str) -> None:
        """A node was lost or has joined."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is alive, with its whole CPU cores and GPUs."""

    id: str
    host: str
    cpus: int
    gpus: int


def connect(address: str | None) -> ModuleType:
    """Join the cluster at `address` (auto, or host:port), or without one start Ray here.

    Returns:
        The package ray; call its `shutdown` when done, which also ends what was started here.

    Raises:
        UsageError: the address is none.
        EnvironmentFault: Ray is not installed, does not answer, or is of another version.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # no warning about it
    ray = from_extra("ray", "ray")
    if address not in (None, "auto"):
        _knock(str(address))
    own = {} if address else {"include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="CRITICAL", **own)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise EnvironmentFault(
            f"no Ray cluster at {address or 'this machine'} ({reason}): start one with "
            "`ray start --head`, with the same versions of Python and Ray as here"
        ) from error
    return ray


def alive(ray: ModuleType) -> dict[str, Node]:
    """The nodes that are alive, by their id."""
    return {
        node["NodeID"]: Node(
            node["NodeID"],
            f"{node['NodeManagerHostname']} ({node['NodeID'][:6]})",
            int(node["Resources"].get("CPU", 0)),
            int(node["Resources"].get("GPU", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    }


def _knock(address: str) -> None:
    """Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in address:
        raise UsageError(f"{address!r} is no address of a Ray cluster: expected auto or HOST:PORT")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise EnvironmentFault(
            f"nothing answers at {address} ({error}): start a cluster with `ray start --head`, "
            "or leave --address out"
        ) from error
