"""A Label Studio in memory: what our code asks of a server, and people who answer by a script."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from annotator.labelstudio.failures import Missing, ServerFault
from annotator.labelstudio.interface import EMOTIONS, NEUTRAL, VIDEO
from annotator.labelstudio.server import RemoteProject, sample_in

Json = dict[str, object]
START = datetime(2026, 1, 1, tzinfo=UTC)


def picks(words: str) -> list[Json]:
    """An answer as a person gives it: labels between blanks, none is neutral."""
    chosen = words.split() or [NEUTRAL]
    return [{"from_name": EMOTIONS, "to_name": VIDEO, "type": "choices",
             "value": {"choices": chosen}, "origin": "manual"}]  # fmt: skip


@dataclass
class ScriptedServer:
    """Stands in for `annotator.labelstudio.server.Server`; `faults` are met one a request."""

    address: str = "http://label.studio"
    held: dict[int, RemoteProject] = field(default_factory=dict)
    tasks: dict[int, dict[int, Json]] = field(default_factory=dict)  # project → number → task
    faults: list[Callable[[str], None]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __deepcopy__(self, _memo: object) -> "ScriptedServer":
        return self

    def _asked(self, what: str) -> None:
        if self.faults:
            self.faults.pop(0)(what)

    def _now(self) -> str:
        return (START + timedelta(seconds=next(self.numbers))).isoformat()

    def projects(self, title: str) -> list[RemoteProject]:
        self._asked("projects")
        return [self.project(n) for n, p in self.held.items() if p.title == title]

    def project(self, number: int) -> RemoteProject:
        self._asked("project")
        if number not in self.held:
            raise Missing(f"no project {number}")
        return replace(self.held[number], tasks=len(self.tasks[number]))

    def create_project(self, title: str, config: str, **settings: object) -> RemoteProject:
        self._asked("create_project")
        number = next(self.numbers)
        self.held[number] = RemoteProject(
            number, title, config, 0, str(settings.get("model_version", ""))
        )
        self.tasks[number] = {}
        return self.held[number]

    def update_project(self, number: int, **settings: object) -> None:
        self._asked("update_project")
        if "model_version" in settings:
            version = str(settings["model_version"])
            self.held[number] = replace(self.held[number], model_version=version)

    def ensure_tab(self, number: int, title: str, order: str) -> None:
        self._asked("ensure_tab")

    def add_local_storage(self, number: int, folder: str, title: str) -> None:
        self._asked("add_local_storage")

    def import_tasks(self, number: int, tasks: Sequence[Mapping[str, object]]) -> list[int]:
        self._asked("import_tasks")
        made = [next(self.numbers) for _ in tasks]
        for task_number, task in zip(made, tasks, strict=True):
            self.tasks[number][task_number] = {
                "id": task_number, **task, "annotations": [], "updated_at": self._now(),
            }  # fmt: skip
        self._asked("import_tasks: done")
        return made

    def find(self, number: int, samples: Sequence[str]) -> dict[str, list[int]]:
        self._asked("find")
        found: dict[str, list[int]] = {}
        for task_number, task in self.tasks[number].items():
            if (sample := sample_in(task)) in samples:
                found.setdefault(str(sample), []).append(task_number)
        return found

    def changed(
        self, number: int, since: datetime | None, counted: Callable[[int], None]
    ) -> Iterator[Json]:
        self._asked("changed")
        found = [
            task
            for task in self.tasks[number].values()
            if since is None or datetime.fromisoformat(str(task["updated_at"])) > since
        ]
        counted(len(found))
        yield from found

    def changed_last(self, number: int) -> Json | None:
        self._asked("changed_last")
        return max(self.tasks[number].values(), key=lambda t: str(t["updated_at"]), default=None)

    def task_numbers(self, number: int) -> set[int]:
        self._asked("task_numbers")
        return set(self.tasks[number])

    def answered(self, number: int, samples: Sequence[str]) -> set[int]:
        self._asked("answered")
        held = self.tasks[number].items()
        return {n for n, task in held if sample_in(task) in samples and task["annotations"]}

    def delete_unanswered(self, number: int, tasks: Sequence[int]) -> None:
        self._asked("delete_unanswered")
        for task in tasks:
            if not self.tasks[number][task]["annotations"]:
                del self.tasks[number][task]

    def without_predictions(self, number: int) -> set[int]:
        self._asked("without_predictions")
        return {n for n, task in self.tasks[number].items() if not task.get("predictions")}

    def add_predictions(self, number: int, tasks: Mapping[int, Mapping[str, object]]) -> None:
        self._asked("add_predictions")
        for task, payload in tasks.items():
            self.tasks[number][task]["predictions"] = payload["predictions"]

    def delete_task(self, task: int) -> None:
        self._asked("delete_task")
        for held in self.tasks.values():
            held.pop(task, None)

    def people(self) -> dict[int, str]:
        self._asked("people")
        return {}

    # What people do.

    def unanswered(self, number: int) -> list[int]:
        return [n for n, task in self.tasks[number].items() if not task["annotations"]]

    def answer(self, number: int, task: int, words: str, *, by: int = 1, skip: bool = False):
        held = self.tasks[number][task]
        given = held["annotations"]
        assert isinstance(given, list)
        now = self._now()
        given.append({
            "id": next(self.numbers), "result": picks(words), "completed_by": by,
            "created_username": f"p{by}@b.org, {by}", "was_cancelled": skip, "lead_time": 4.0,
            "created_at": now, "updated_at": now,
        })  # fmt: skip
        held["updated_at"] = now

    def samples(self) -> list[str]:
        """Of all tasks of all projects."""
        return [str(sample_in(t)) for held in self.tasks.values() for t in held.values()]


def down(what: str) -> None:
    """A fault: the server is not there."""
    raise ServerFault(f"cannot {what}: no server at http://label.studio", certain=True)
