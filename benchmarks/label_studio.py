"""What exactly-once costs: push and pull against the bare calls they are made of.

    python benchmarks/label_studio.py --tasks 2000

Needs a Label Studio: LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY. Makes projects there and removes
them. A push of so many clips is held against the same tasks in the same batches through the SDK's
import call alone; a pull of three changes among them against the SDK's filtered request alone.
Each is timed in turn, several times; ratios are of medians.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import label_studio_sdk

from annotator.errors import AnnotateError
from annotator.labelstudio.projects import Wanted, ensure_project
from annotator.labelstudio.pull import OVERLAP, pull
from annotator.labelstudio.push import BATCH, push
from annotator.labelstudio.server import Account, Server, account
from annotator.store.review_records import ReviewProject
from review_clips import LABELS, ReviewWorld, review_world

CHANGES = 3


def connect() -> tuple[Account, Server]:
    """The server of the environment. Raises SystemExit where it names none."""
    found = account(os.environ)
    if found is None:
        raise SystemExit("label_studio: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")
    return found, Server(found)


def bare_client(found: Account) -> Any:
    """The SDK as anybody would use it."""
    sdk: Any = label_studio_sdk
    return sdk.LabelStudio(base_url=found.address, api_key=found.token)


def seconds(action: Callable[[], object]) -> float:
    """How long it takes, there and then."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def bare_import(client: Any, project: int, payloads: list[dict[str, Any]]) -> None:
    """The tasks in batches, and nothing else."""
    for first in range(0, len(payloads), BATCH):
        client.projects.import_tasks(
            project, request=payloads[first : first + BATCH], return_task_ids=True
        )


def bare_pull(client: Any, project: int, since: datetime) -> int:
    """One filtered request; how many tasks it gives."""
    moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    item = {
        "filter": "filter:tasks:updated_at",
        "operator": "greater",
        "type": "Datetime",
        "value": moment,
    }
    query = json.dumps({"filters": {"conjunction": "and", "items": [item]}})
    return len(client.tasks.list(project=project, query=query, fields="all").items)


def compare_push(
    server: Server, client: Any, world: ReviewWorld, title: str
) -> tuple[float, float, ReviewProject]:
    """Seconds of a push and of the bare calls, and the project that was pushed to."""
    outgoing = world.outgoing()
    ours = ensure_project(world.store, server, Wanted(f"{title} ours", LABELS, None, True), "m1 a")
    bare = server.create_project(f"{title} bare", server.project(ours.number).config)
    pushed = seconds(lambda: push(world.store, server, ours, world.model_id, outgoing, shown=True))
    imported = seconds(lambda: bare_import(client, bare.number, [t.payload for t in outgoing]))
    client.projects.delete(bare.number)
    return pushed, imported, ours


def compare_pull(
    server: Server, client: Any, world: ReviewWorld, project: ReviewProject, repeats: int
) -> tuple[float, float]:
    """Median seconds of a pull of a few changes and of the bare request."""
    pull(world.store, server, project)
    numbers = sorted(server.task_numbers(project.number))
    ours, bare = [], []
    result = [
        {
            "from_name": "emotions",
            "to_name": "video",
            "type": "choices",
            "value": {"choices": ["sad"]},
        }
    ]
    for turn in range(repeats):
        time.sleep(OVERLAP.total_seconds() + 1)  # or the changes of the turn before come again
        (known,) = [p for p in world.store.projects(server.address) if p.number == project.number]
        since = datetime.now(UTC)
        for task in numbers[CHANGES * turn : CHANGES * (turn + 1)]:
            client.annotations.create(task, result=result)
        found: list[int] = []
        bare.append(seconds(lambda: found.append(bare_pull(client, project.number, since))))  # noqa: B023
        if found != [CHANGES]:
            raise SystemExit(f"label_studio: {found} tasks changed where {CHANGES} should have")
        ours.append(seconds(lambda: pull(world.store, server, known)))  # noqa: B023
    return median(ours), median(bare)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    try:
        found, server = connect()
        client = bare_client(found)
        title = f"benchmark {time.time():.0f}"
        times = []
        for turn in range(asked.repeats):
            with (
                tempfile.TemporaryDirectory() as folder,
                review_world(Path(folder) / "annotate.db", asked.tasks) as world,
            ):
                *pair, project = compare_push(server, client, world, f"{title} {turn}")
                times.append(pair)
                if turn == asked.repeats - 1:
                    pulled, filtered = compare_pull(server, client, world, project, asked.repeats)
                client.projects.delete(project.number)
    except AnnotateError as error:
        sys.exit(f"label_studio: {error}")
    pushed, imported = (median(column) for column in zip(*times, strict=True))
    print(f"push of {asked.tasks} tasks: {pushed / imported:.2f} × the bare import "
          f"({pushed:.2f} s against {imported:.2f} s)")  # fmt: skip
    print(f"pull of {CHANGES} changes among them: {pulled / filtered:.2f} × the bare request "
          f"({pulled:.2f} s against {filtered:.2f} s)")  # fmt: skip


if __name__ == "__main__":
    main()
