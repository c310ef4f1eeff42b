"""What we ask of a Label Studio server, through its SDK: typed, bounded in time, errors in a line.

The SDK is imported here alone: that takes seconds. What it returns is hostile until parsed.
"""

import json
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from annotator.errors import UsageError
from annotator.labelstudio.failures import KEY, URL, Missing, ServerFault, translated

Json = dict[str, Any]

TIMEOUT_S = 60.0  # of an answer; of a connection, 5
IMPORT_TIMEOUT_S = 300.0  # a slow server takes long over 500 tasks
PAGE = 100  # tasks a page: the server's own limit
MAX_NAME = 200  # characters of what a server calls itself and us
LOOK_UP = 100  # samples in one query: its address stays short enough for any proxy


def _filter(name: str, operator: str, kind: str, value: object) -> Json:
    return {"filter": f"filter:{name}", "operator": operator, "type": kind, "value": value}


UNANSWERED = [
    _filter("tasks:total_annotations", "equal", "Number", 0),
    _filter("tasks:cancelled_annotations", "equal", "Number", 0),
    _filter("tasks:draft_exists", "equal", "Boolean", False),
]


@dataclass(frozen=True, slots=True)
class RemoteProject:
    """A project as the server describes it; `tasks` counts what it holds."""

    number: int
    title: str
    config: str
    tasks: int
    model_version: str


@dataclass(frozen=True, slots=True)
class Account:
    """Where the server is and how to be let in. The token is in no representation."""

    address: str
    token: str

    def __repr__(self) -> str:
        return f"Account({self.address!r})"


def account(environ: Mapping[str, str]) -> Account | None:
    """The server that the environment names; None where it names none.

    Raises:
        UsageError: the address is none, or only one of address and token is there.

    >>> account({"LABEL_STUDIO_URL": "http://ls:8080/", "LABEL_STUDIO_API_KEY": "secret"})
    Account('http://ls:8080')
    """
    address, token = environ.get(URL, "").strip(), environ.get(KEY, "").strip()
    if not address and not token:
        return None
    if not token:
        raise UsageError(f"{URL} is set and {KEY} is not: set it to a token of yours")
    if not address:
        raise UsageError(f"{KEY} is set and {URL} is not: set it to the server's address")
    try:
        parts = urlsplit(address)
        host = parts.hostname and parts.port != 0
        fit = parts.scheme in {"http", "https"} and host and parts.username is None
    except ValueError:
        fit = False
    if not fit or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"{URL} must be an address as in http://localhost:8080, without a user, and {KEY} a "
            "token without spaces"
        )
    return Account(address.rstrip("/"), token)


class Server:
    """A Label Studio server. Every method raises as `failures.translated` does."""

    def __init__(self, account: Account, *, timeout_s: float = TIMEOUT_S) -> None:
        """Nothing is asked yet, but an expired token is told at once."""
        import httpx
        import label_studio_sdk

        from annotator.labelstudio.client import PatientClient

        self.address = account.address
        timeout = httpx.Timeout(timeout_s, connect=min(5.0, timeout_s))
        with translated(self.address, "use the token"):
            sdk: Any = label_studio_sdk
            client = PatientClient(timeout=timeout, follow_redirects=False)
            weakref.finalize(self, client.close)  # a connection lives as long as who asks over it
            self._client: Any = sdk.LabelStudio(
                base_url=account.address + "/",  # else it forgets a path when it renews a token
                api_key=account.token,
                max_retries=0,
                httpx_client=client,
            )

    def version(self) -> str:
        """What the server calls itself; it tells that to anyone."""
        with translated(self.address, "ask for the version"):
            return str(self._client.versions.get().release)[:MAX_NAME]

    def whoami(self) -> str:
        """The email of the user whose token it is."""
        with translated(self.address, "log in"):
            return str(self._client.users.whoami().email)[:MAX_NAME]

    def projects(self, title: str) -> list[RemoteProject]:
        """The projects of exactly that title, oldest first."""
        with translated(self.address, "list projects"):
            pages = self._client.projects.list(title=title, page_size=PAGE)
            found = [_project(item) for item in pages]
        return sorted((p for p in found if p.title == title), key=lambda p: p.number)

    def project(self, number: int) -> RemoteProject:
        """The project of that number."""
        try:
            with translated(self.address, f"open project {number}"):
                return _project(self._client.projects.get(number))
        except Missing as error:
            raise Missing(f"{error}; name another with --project") from None

    def create_project(self, title: str, config: str, **settings: object) -> RemoteProject:
        """Make a project. Where that is uncertain, ask for `projects` before trying again."""
        with translated(self.address, f"make the project {title!r}"):
            made = self._client.projects.create(title=title, label_config=config, **settings)
            return self.project(int(made.id))

    def update_project(self, number: int, **settings: object) -> None:
        """Change settings of a project."""
        with translated(self.address, f"change project {number}"):
            self._client.projects.update(number, **settings)

    def ensure_tab(self, number: int, title: str, order: str) -> None:
        """A tab of the Data Manager by that title, ordered by a column; what is there stays."""
        with translated(self.address, f"make a tab in project {number}"):
            views = self._client.views.list(project=number)
            if any((view.data or {}).get("title") == title for view in views):
                return
            self._client.views.create(
                project=number,
                data={"title": title, "type": "list", "target": "tasks", "ordering": [order]},
            )

    def import_tasks(self, number: int, tasks: Sequence[Json]) -> list[int]:
        """Send tasks, once; their numbers, in order.

        Raises:
            ServerFault: it was not done, or if that is not `certain`, perhaps it was.
        """
        options = {"timeout_in_seconds": IMPORT_TIMEOUT_S}
        what = f"send {len(tasks)} tasks to project {number}"
        with translated(self.address, what):
            answer = self._client.projects.import_tasks(
                number, request=list(tasks), return_task_ids=True, request_options=options
            )
            numbers = [int(n) for n in answer.task_ids or ()]
        if len(numbers) != len(tasks) or len(set(numbers)) != len(numbers):
            raise ServerFault(
                f"cannot {what}: the server speaks of {len(numbers)}; try again", certain=False
            )
        expected = sum(len(task.get("predictions", ())) for task in tasks)
        if (answer.prediction_count or 0) == 0 < expected:
            self.add_predictions(number, dict(zip(numbers, tasks, strict=True)))
        return numbers

    def add_predictions(self, number: int, tasks: Mapping[int, Json]) -> None:
        """Send what the server lost: an import that meets a locked database is done anew without.

        Raises:
            ServerFault: it was not done; the tasks are there all the same.
        """
        said = [
            {"task": n, **one} for n, task in tasks.items() for one in task.get("predictions", ())
        ]
        try:
            with translated(self.address, f"send {len(said)} predictions to project {number}"):
                self._client.projects.import_predictions(number, request=said)
        except ServerFault as fault:
            raise ServerFault(str(fault), certain=False) from None

    def find(self, number: int, samples: Sequence[str]) -> dict[str, list[int]]:
        """The tasks of a project that carry these samples, by sample, oldest first."""
        found: dict[str, list[int]] = {}
        for sample, item in self._carrying(number, samples, "id,data"):
            found.setdefault(sample, []).append(item["id"])
        return {sample: sorted(numbers) for sample, numbers in found.items()}

    def answered(self, number: int, samples: Sequence[str]) -> set[int]:
        """The tasks carrying these samples that somebody has answered, skipped or begun to."""
        found = self._carrying(number, samples, "id,data,annotations,draft_exists")
        return {item["id"] for _, item in found if item["annotations"] or item["draft_exists"]}

    def without_predictions(self, number: int) -> set[int]:
        """The tasks of a project that have no prediction."""
        counted = _filter("tasks:total_predictions", "equal", "Number", 0)
        found = self._tasks(number, counted)  # its count lags behind, if it was cut off
        return {item["id"] for item in found if not item["predictions"]}

    def changed(
        self,
        number: int,
        since: datetime | None,
        counted: Callable[[int], None] = lambda _total: None,
    ) -> Iterator[Json]:
        """The tasks of a project that changed after a moment, or all, with their annotations.

        Up to PAGE of them are as they were at one moment. `counted` is told how many there are
        before the first.
        """
        newer = []
        if since is not None:
            moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            newer = [_filter("tasks:updated_at", "greater", "Datetime", moment)]
        yield from self._tasks(number, *newer, counted=counted)

    def changed_last(self, number: int) -> Json | None:
        """Of a project's tasks the one that changed last, its number and time only."""
        with translated(self.address, f"read tasks of project {number}"):
            found, _ = self._page(number, [], "-tasks:updated_at", 1, include="id,updated_at")
        return found[0] if found else None

    def task_numbers(self, number: int) -> set[int]:
        """The numbers of all tasks in a project."""
        return {item["id"] for item in self._tasks(number, include="id")}

    def delete_unanswered(self, number: int, tasks: Sequence[int]) -> None:
        """Remove those of the tasks that nobody has answered, skipped or begun to.

        The server looks and removes in one request: there is no more time between than it takes.
        """
        with translated(self.address, f"remove tasks of project {number}"):
            self._client.actions.create(
                id="delete_tasks",
                project=number,
                filters={"conjunction": "and", "items": UNANSWERED},
                ordering=[],
                selected_items={"all": False, "included": list(tasks)},
            )

    def delete_task(self, task: int) -> None:
        """Remove a task."""
        with translated(self.address, f"remove task {task}"):
            self._client.tasks.delete(str(task))

    def people(self) -> dict[int, str]:
        """The users the token may see: number → email; of removed ones it says no more."""
        with translated(self.address, "list users"):
            users = {int(user.id): str(user.email) for user in self._client.users.list()}
        return {number: email for number, email in users.items() if "@" in email}

    def add_local_storage(self, number: int, folder: str, title: str) -> None:
        """Let a project serve the files in a folder of the server's; what is there stays."""
        with translated(self.address, f"let project {number} serve files"):
            local = self._client.import_storage.local
            if any(storage.path == folder for storage in local.list(project=number)):
                return
            local.create(
                project=number,
                path=folder,
                title=title,
                use_blob_urls=True,
            )

    def _carrying(
        self, number: int, samples: Sequence[str], include: str
    ) -> Iterator[tuple[str, Json]]:
        """The tasks of a project that carry these samples, each with its sample."""
        for first in range(0, len(samples), LOOK_UP):
            some = samples[first : first + LOOK_UP]
            pattern = "^(" + "|".join(some) + ")$"
            wanted = _filter("tasks:data.sample_id", "regex", "String", pattern)
            for item in self._tasks(number, wanted, include=include):
                sample = sample_in(item)
                if sample is not None and sample in some:
                    yield sample, item

    def _tasks(
        self,
        number: int,
        *filters: Json,
        include: str | None = None,
        counted: Callable[[int], None] = lambda _total: None,
    ) -> Iterator[Json]:
        """Tasks in the order of their numbers, page by page.

        A page begins after the last one's tasks. Counted pages would shift, and tasks fall between
        two of them, whenever others remove one.
        """
        last, more = 0, True
        while more:
            what = f"read tasks of project {number}"
            with translated(self.address, what):
                rest = [*filters, _filter("tasks:id", "greater", "Number", last)]
                found, total = self._page(number, rest, "tasks:id", PAGE, include)
                numbers = [int(item["id"]) for item in found]
            if last == 0:
                counted(total)
            more = len(found) < total
            if more and (not found or min(numbers) <= last):
                raise ServerFault(
                    f"cannot {what}: the server says there are {total} more and does not send "
                    "them; try again",
                    certain=True,
                )
            last = max(numbers, default=last)
            yield from found

    def _page(
        self, number: int, filters: list[Json], order: str, size: int, include: str | None = None
    ) -> tuple[list[Json], int]:
        """The first of the tasks that pass the filters, and how many do."""
        query = {"filters": {"conjunction": "and", "items": filters}, "ordering": [order]}
        asked: Json = {} if include is None else {"include": include}
        answer = self._client.tasks.list(
            project=number, page=1, page_size=size, fields="all", query=json.dumps(query), **asked
        ).response
        return [item.model_dump(warnings=False) for item in answer.tasks], int(answer.total)


def sample_in(task: Mapping[str, Any]) -> str | None:
    """The sample a task carries, if it is of our making.

    >>> sample_in({"data": {"sample_id": "ab"}}), sample_in({"data": None})
    ('ab', None)
    """
    data = task.get("data")
    sample = data.get("sample_id") if isinstance(data, Mapping) else None
    return sample if isinstance(sample, str) else None


def _project(item: Any) -> RemoteProject:
    return RemoteProject(
        number=int(item.id),
        title=str(item.title),
        config=str(item.label_config or ""),
        tasks=int(item.task_number or 0),
        model_version=str(item.model_version or ""),
    )
