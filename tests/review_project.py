"""A project on a real server, and people who answer."""

import re
import time
from dataclasses import dataclass

import httpx

from annotator.labelstudio.interface import EMOTIONS, VIDEO, interface
from annotator.labelstudio.pull import Pull, pull
from annotator.labelstudio.server import Account, Server
from annotator.store.review_records import Answer, ReviewProject
from review_clips import LABELS, ReviewWorld


def picks(*chosen: str, name: str = EMOTIONS, **more: object) -> list[dict[str, object]]:
    return [{"from_name": name, "to_name": VIDEO, "type": "choices",
             "value": {"choices": list(chosen)}, "origin": "manual", **more}]  # fmt: skip


def stars(label: str, count: int) -> list[dict[str, object]]:
    name = interface(LABELS).intensities[LABELS.index(label)]
    return [{"from_name": name, "to_name": VIDEO, "type": "rating", "value": {"rating": count},
             "origin": "manual"}]  # fmt: skip


@dataclass
class Review:
    """A project with a task for each clip of a world, and people who answer."""

    world: ReviewWorld
    server: Server
    project_id: int
    tasks: list[int]

    @property
    def project(self) -> ReviewProject:
        """As it is now: the cursor moves."""
        projects = self.world.store.projects()
        return next(p for p in projects if p.project_id == self.project_id)

    def pull(self, server: Server | None = None, *, everything: bool = False) -> Pull:
        return pull(self.world.store, server or self.server, self.project, everything=everything)

    def answer(self, task: int, result: object = (), *, by: Server | None = None, **more: object):
        client = (by or self.server)._client
        return client.annotations.create(task, result=list(result), **more).id

    def change(self, annotation: int, result: object, **more: object) -> None:
        self.server._client.annotations.update(annotation, result=list(result), **more)

    def delete(self, annotation: int) -> None:
        self.server._client.annotations.delete(annotation)

    def present(self) -> dict[int, Answer]:
        """The present answers, by their number."""
        return {a.answer.number: a.answer for a in self.world.store.answers(self.project_id)}

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.world.store._read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]


def connect(label_studio, address: str | None = None) -> Server:
    return Server(Account(address or label_studio.url, label_studio.token), timeout_s=30)


def make_double(review: Review, number: int) -> int:
    """A second task that shows the clip of a task."""
    task = review.server._client.tasks.get(str(number))
    return review.server.import_tasks(review.project.number, [{"data": task.data}])[0]


def invited(label_studio) -> tuple[str, Server]:
    """Another person, let in by an invitation: email and connection."""
    first = httpx.Client(base_url=label_studio.url, timeout=60,
                         headers={"Authorization": f"Token {label_studio.token}"})  # fmt: skip
    with first, httpx.Client(base_url=label_studio.url, timeout=60) as browser:
        page = "/user/signup/?token=" + first.get("/api/invite").json()["token"]
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(page).text)
        email = f"second-{time.time_ns()}@example.com"
        form = {"csrfmiddlewaretoken": found[1], "email": email, "password": "testpass456",
                "allow_newsletters": "false"}  # fmt: skip
        assert browser.post(page, data=form).status_code == 302
        token = browser.get("/api/current-user/token").json()["token"]
    return email, Server(Account(label_studio.url, token))
