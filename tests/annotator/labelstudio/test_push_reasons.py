"""Why a task was sent is in our book and not in what the server is given."""

import json
from dataclasses import dataclass, field, replace

import pytest

from annotator.labelstudio.push import push
from review_clips import LABELS, review_world


@dataclass
class Remote:
    """A server that does as it is told and keeps what it was given."""

    given: dict[int, dict] = field(default_factory=dict)

    def import_tasks(self, _project, payloads):
        numbers = range(len(self.given) + 1, len(self.given) + len(payloads) + 1)
        self.given |= dict(zip(numbers, payloads, strict=True))
        return list(numbers)

    def project(self, _number):
        return self

    @property
    def tasks(self):
        return len(self.given)

    def find(self, _project, samples):
        found = {task["data"]["sample_id"]: [n] for n, task in self.given.items()}
        return {sample: found[sample] for sample in samples if sample in found}

    def answered(self, _project, _samples):
        return set()

    def without_predictions(self, _project):
        return set()


@pytest.fixture
def world(tmp_path):
    with review_world(tmp_path / "a.db", 4) as made:
        yield made


def stored(world, project):
    return {task.sample: task.reason for task in world.store.tasks(project.project_id)}


def test_the_audit_is_recorded_and_what_was_there_joins_it_but_never_leaves(world):
    server = Remote()
    project = world.store.save_project("http://ls", 1, "t", LABELS)
    plain = world.outgoing()
    drawn = [replace(task, reason="audit") for task in plain]
    mixed = [plain[0], drawn[1]]
    push(world.store, server, project, world.model_id, mixed, shown=True)
    assert stored(world, project) == {plain[0].sample: "score", plain[1].sample: "audit"}
    later = [drawn[0], plain[1], drawn[2], plain[3]]
    done = push(world.store, server, project, world.model_id, later, shown=True)
    assert (done.sent, done.there) == (2, 2)
    expected = dict(zip([t.sample for t in plain], ["audit"] * 3 + ["score"], strict=True))
    assert stored(world, project) == expected
    assert "audit" not in json.dumps(server.given)


def test_tasks_that_only_the_server_knows_get_their_reason_too(world):
    server = Remote()
    project = world.store.save_project("http://ls", 1, "t", LABELS)
    (task,) = world.outgoing(1)
    server.import_tasks(1, [task.payload])  # sent by a workspace whose database is lost
    task = replace(task, reason="audit")
    push(world.store, server, project, world.model_id, [task], shown=True)
    assert stored(world, project) == {task.sample: "audit"}
    assert len(server.given) == 1
