"""Exactly once, against a real server behind a proxy that fails in every way we know of."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from annotator.errors import UsageError
from annotator.labelstudio import push as pushing
from annotator.labelstudio.export import Chosen, Parcel, send
from annotator.labelstudio.failures import ServerFault
from annotator.labelstudio.hosting import Hosting
from annotator.labelstudio.interface import interface
from annotator.labelstudio.payload import Sent, sample_of, version_of
from annotator.labelstudio.projects import TAB, Wanted, ensure_project
from annotator.labelstudio.pull import pull
from annotator.labelstudio.push import Push, alone, push
from annotator.labelstudio.server import Account, Server
from faulty_proxy import Fault, faulty_proxy
from review_clips import LABELS, THRESHOLDS, Facts, review_world
from review_project import invited

NUMBERS = itertools.count()
LOST_ANSWER = Fault(drop=True)
LOST_REQUEST = Fault(forward=False, drop=True)
FAULTS = {
    "dropped before it arrived": [LOST_REQUEST],
    "dropped after it arrived": [LOST_ANSWER],
    "dropped twice": [LOST_REQUEST, LOST_ANSWER],
    "500 of a server that did nothing": [Fault(forward=False, status=500)],
    "502 of a proxy though the server did it": [Fault(status=502)],
    "a page of a proxy though the server did it": [Fault(status=200)],
    "429": [Fault(forward=False, status=429, headers={"Retry-After": "1"})],
    "timeout of a request that arrives late": [Fault(wait_s=6.0)],
}


@pytest.fixture
def title() -> str:
    return f"push {os.getpid()} {next(NUMBERS)} {time.time_ns()}"


@pytest.fixture
def wanted(title) -> Wanted:
    return Wanted(title, LABELS, overlap=None, shown=True)


@pytest.fixture
def no_wait(monkeypatch):
    monkeypatch.setattr(pushing, "LOOKS_S", (0.0, 0.1, 0.2))


def samples(server: Server, project: int) -> Counter[str]:
    """What is on the server, each sample by how often."""
    return Counter(str(raw["data"]["sample_id"]) for raw in server.changed(project, None))


def connect(label_studio, address: str | None = None, timeout_s: float = 30.0) -> Server:
    return Server(Account(address or label_studio.url, label_studio.token), timeout_s=timeout_s)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_no_task_and_doubles_none(
    name, label_studio, wanted, tmp_path, no_wait, monkeypatch
):
    monkeypatch.setattr(pushing, "BATCH", 4)
    late = max(fault.wait_s for fault in FAULTS[name])
    if late:  # a busy server is slow, too: what it still does after the test would be doubles
        monkeypatch.setattr("annotator.labelstudio.server.IMPORT_TIMEOUT_S", late - 1)
    with review_world(tmp_path / "a.db", 10) as world, faulty_proxy(label_studio.url) as proxy:
        server = connect(label_studio, proxy.address)
        project = ensure_project(world.store, server, wanted, "m1 aaaaaaaa")
        outgoing = world.outgoing()
        proxy.faults += FAULTS[name]
        done = push(world.store, server, project, world.model_id, outgoing, shown=True)
        assert not proxy.faults
        time.sleep(late)  # whatever is late has arrived
        again = push(world.store, server, project, world.model_id, outgoing, shown=True)
        assert samples(server, project.number) == Counter(task.sample for task in outgoing)
        assert done.sent + done.there == again.there == 10
        assert again.sent == 0
        tasks = world.store.tasks(project.project_id)
        assert {task.state for task in tasks} == {"there"}
        numbers = server.task_numbers(project.number)
        assert {task.number for task in tasks} == numbers


@pytest.mark.parametrize("fault", [LOST_REQUEST, LOST_ANSWER])
def test_a_server_that_stays_away_ends_in_a_line_and_the_next_push_goes_on(
    fault, label_studio, wanted, tmp_path, no_wait
):
    with review_world(tmp_path / "a.db", 5) as world, faulty_proxy(label_studio.url) as proxy:
        server = connect(label_studio, proxy.address)
        project = ensure_project(world.store, server, wanted, "m1 aaaaaaaa")
        outgoing = world.outgoing()
        proxy.wanted = lambda method, path: "/import" in path or "/tasks" in path
        proxy.faults += [fault] * 40
        with pytest.raises(ServerFault, match=r"^cannot .*; try again"):
            push(world.store, server, project, world.model_id, outgoing, shown=True,
                 sleep=lambda _s: None)  # fmt: skip
        proxy.faults.clear()
        push(world.store, server, project, world.model_id, outgoing, shown=True)
        assert samples(server, project.number) == Counter(task.sample for task in outgoing)


KILLED = """
import os, signal, sys
from pathlib import Path
from annotator.labelstudio import push as pushing, server as servers
from annotator.labelstudio.projects import Wanted, ensure_project
from review_clips import LABELS, review_world

url, token, title, database, moment = sys.argv[1:]
pushing.BATCH = 3
real = servers.Server.import_tasks
calls = 0

def import_tasks(self, number, tasks):
    global calls
    calls += 1
    if calls == 2 and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    numbers = real(self, number, tasks)
    if calls == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return numbers

servers.Server.import_tasks = import_tasks
with review_world(Path(database), 8) as world:
    server = servers.Server(servers.Account(url, token))
    project = ensure_project(world.store, server, Wanted(title, LABELS, None, True), "m1 a")
    pushing.push(world.store, server, project, world.model_id, world.outgoing(), shown=True)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_in_the_middle_of_an_import(moment, label_studio, title, wanted, tmp_path):
    database = tmp_path / "a.db"
    arguments = [label_studio.url, label_studio.token, title, str(database), moment]
    path = os.pathsep.join(sys.path)
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False,
                            env={**os.environ, "PYTHONPATH": path})  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    with review_world(database, 8) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 a")
        assert sum(samples(server, project.number).values()) == (3 if moment == "before" else 6)
        push(world.store, server, project, world.model_id, world.outgoing(), shown=True)
        assert samples(server, project.number) == Counter(t.sample for t in world.outgoing())


def test_a_lost_database_doubles_nothing(label_studio, wanted, tmp_path):
    server = connect(label_studio)
    for name, found in (("a.db", Push(6, 0, 0)), ("b.db", Push(0, 6, 0))):
        with review_world(tmp_path / name, 6) as world:
            project = ensure_project(world.store, server, wanted, "m1 a")
            outgoing = world.outgoing()
            assert push(world.store, server, project, world.model_id, outgoing,
                        shown=True) == found  # fmt: skip
            assert len(world.store.tasks(project.project_id)) == 6
    assert samples(server, project.number) == Counter(task.sample for task in outgoing)


def test_of_doubles_the_answered_one_stays(label_studio, wanted, tmp_path):
    with review_world(tmp_path / "a.db", 2) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 a")
        outgoing = world.outgoing()
        push(world.store, server, project, world.model_id, outgoing, shown=True)
        extra = server.import_tasks(project.number, [task.payload for task in outgoing])
        server._client.annotations.create(extra[0], result=[], was_cancelled=True)
        done = push(world.store, server, project, world.model_id, outgoing, shown=True)
        assert done == Push(0, 2, 2)
        assert extra[0] in server.task_numbers(project.number)
        assert extra[1] not in server.task_numbers(project.number)
        # and the answer is fetched: it is about the task that we know
        assert {t.number for t in world.store.tasks(project.project_id)} == server.task_numbers(
            project.number
        )
        assert pull(world.store, server, project).answers.new == 1


def test_an_answer_given_between_our_look_and_the_removal_stays(
    label_studio, wanted, tmp_path, monkeypatch
):
    with review_world(tmp_path / "a.db", 2) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 a")
        outgoing = world.outgoing()
        push(world.store, server, project, world.model_id, outgoing, shown=True)
        extra = server.import_tasks(project.number, [task.payload for task in outgoing])
        real = Server.answered

        def answered(self, number, samples):
            seen = real(self, number, samples)
            self._client.annotations.create(extra[0], result=[], was_cancelled=True)
            return seen

        monkeypatch.setattr(Server, "answered", answered)
        done = push(world.store, server, project, world.model_id, outgoing, shown=True)
        assert done == Push(0, 2, 1)
        assert extra[0] in server.task_numbers(project.number)
        assert extra[1] not in server.task_numbers(project.number)
        assert pull(world.store, server, project).answers.new == 1


def test_a_double_on_which_another_person_has_begun_stays(label_studio, wanted, tmp_path):
    """Nobody but that person may read the draft."""
    _, other = invited(label_studio)
    with review_world(tmp_path / "a.db", 1) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 a")
        outgoing = world.outgoing()
        push(world.store, server, project, world.model_id, outgoing, shown=True)
        (extra,) = server.import_tasks(project.number, [task.payload for task in outgoing])
        post = other._client._client_wrapper.httpx_client.request
        post(f"api/tasks/{extra}/drafts", method="POST", json={"result": [], "lead_time": 1})
        assert not server._client.tasks.get(str(extra)).drafts
        done = push(world.store, server, project, world.model_id, outgoing, shown=True)
        assert done == Push(0, 1, 1)
        assert server.task_numbers(project.number) == {extra}
        assert {t.number for t in world.store.tasks(project.project_id)} == {extra}


def test_what_arrives_late_under_older_numbers_is_the_one_we_know(
    label_studio, wanted, tmp_path, no_wait
):
    """The server was still at the first request when the second one came."""
    with review_world(tmp_path / "a.db", 3) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 a")
        outgoing = world.outgoing()
        real = server.import_tasks
        calls = 0

        def import_tasks(number, tasks):
            nonlocal calls
            calls += 1
            if calls == 1:
                raise ServerFault("cannot", certain=False)
            real(number, tasks)  # the first one arrives just before
            return real(number, tasks)

        server.import_tasks = import_tasks
        done = push(world.store, server, project, world.model_id, outgoing, shown=True,
                    sleep=lambda _s: None)  # fmt: skip
        assert done == Push(3, 0, 3)
        known = {task.number for task in world.store.tasks(project.project_id)}
        assert known == server.task_numbers(project.number)


def test_what_was_removed_on_the_server_is_sent_again(label_studio, wanted, tmp_path):
    with review_world(tmp_path / "a.db", 4) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 a")
        outgoing = world.outgoing()
        push(world.store, server, project, world.model_id, outgoing, shown=True)
        server.delete_task(min(server.task_numbers(project.number)))
        again = push(world.store, server, project, world.model_id, outgoing, shown=True)
        assert again == Push(1, 3, 0)
        assert samples(server, project.number) == Counter(task.sample for task in outgoing)
        known = {task.number for task in world.store.tasks(project.project_id)}
        assert known == server.task_numbers(project.number)


def versions(server: Server, project: int) -> list[list[str]]:
    """The versions of each task's predictions, by task."""
    found = list(server.changed(project, None))
    return [[one["model_version"] for one in raw["predictions"]] for raw in found]


def forget_predictions(server: Server, monkeypatch) -> None:
    """Imports lose their predictions on the way."""
    real = server._client.projects.import_tasks

    def import_tasks(number, *, request, **options):
        return real(number, request=[{"data": task["data"]} for task in request], **options)

    monkeypatch.setattr(server._client.projects, "import_tasks", import_tasks)


def test_pre_annotations_that_the_server_loses_are_sent_after(
    label_studio, wanted, tmp_path, monkeypatch
):
    """It does an import anew when its database was locked, and has then forgotten them."""
    with review_world(tmp_path / "a.db", 3) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 aaaaaaaa")
        forget_predictions(server, monkeypatch)
        done = push(world.store, server, project, world.model_id, world.outgoing(), shown=True)
        assert done == Push(3, 0, 0)
        assert versions(server, project.number) == [["m1 aaaaaaaa"]] * 3


@pytest.mark.parametrize("fault", [LOST_ANSWER, Fault(wait_s=1.5), Fault(status=502)])
def test_pre_annotations_lost_by_an_import_whose_end_is_uncertain_are_sent_after(
    fault, label_studio, wanted, tmp_path, monkeypatch
):
    monkeypatch.setattr("annotator.labelstudio.server.IMPORT_TIMEOUT_S", 1.0)
    with review_world(tmp_path / "a.db", 3) as world, faulty_proxy(label_studio.url) as proxy:
        server = connect(label_studio, proxy.address)
        project = ensure_project(world.store, server, wanted, "m1 aaaaaaaa")
        proxy.faults.append(fault)
        with monkeypatch.context() as patch:
            forget_predictions(server, patch)
            done = push(world.store, server, project, world.model_id, world.outgoing(), shown=True)
        assert not proxy.faults
        assert done == Push(3, 0, 0, completed=3)
        assert versions(server, project.number) == [["m1 aaaaaaaa"]] * 3


def test_pre_annotations_lost_by_an_export_that_was_cut_off_are_sent_by_the_next(
    label_studio, wanted, tmp_path, monkeypatch
):
    with review_world(tmp_path / "a.db", 3) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 aaaaaaaa")
        outgoing = world.outgoing()
        with monkeypatch.context() as patch:

            def fail(*_: object) -> None:
                raise ServerFault("cannot send predictions", certain=True)

            forget_predictions(server, patch)
            patch.setattr(Server, "add_predictions", fail)
            with pytest.raises(ServerFault, match="predictions"):
                push(world.store, server, project, world.model_id, outgoing, shown=True)
        assert versions(server, project.number) == [[]] * 3
        for done in (Push(0, 3, 0, completed=3), Push(0, 3, 0)):
            assert push(world.store, server, project, world.model_id, outgoing,
                        shown=True) == done  # fmt: skip
        assert versions(server, project.number) == [["m1 aaaaaaaa"]] * 3


def test_nothing_is_shown_of_clips_that_were_sent_blind(label_studio, wanted, tmp_path):
    """Not even when the database that knew of it is lost."""
    server = connect(label_studio)
    for name, shown in (("a.db", False), ("a.db", True), ("b.db", True)):
        with review_world(tmp_path / name, 2) as world:
            project = ensure_project(world.store, server, wanted, "m1 a")
            outgoing = world.outgoing(shown=shown)
            push(world.store, server, project, world.model_id, outgoing, shown=shown)
            assert versions(server, project.number) == [[], []]
            assert {t.shown for t in world.store.tasks(project.project_id)} == {False}


def test_the_project_asks_shows_and_orders_as_it_should(label_studio, wanted, tmp_path):
    with review_world(tmp_path / "a.db", 3) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 aaaaaaaa")
        assert ensure_project(world.store, server, wanted, "m1 aaaaaaaa") == project
        push(world.store, server, project, world.model_id, world.outgoing(), shown=True)
        views = list(server._client.views.list(project=project.number))
        assert [view.data["title"] for view in views] == [TAB]
        first = next(iter(server._client.tasks.list(view=views[0].id)))
        assert first.data["uncertainty"] == 3.0
        said = first.model_dump()["predictions"][0]
        assert said["model_version"] == "m1 aaaaaaaa"
        assert said["result"][0]["value"]["choices"] == ["happy"]
        assert server.project(project.number).model_version == "m1 aaaaaaaa"


def test_a_project_of_other_labels_is_refused(label_studio, wanted, tmp_path):
    with review_world(tmp_path / "a.db", 1) as world:
        server = connect(label_studio)
        ensure_project(world.store, server, wanted, "m1 a")
        other = Wanted(wanted.named, ("calm",), None, True)
        with pytest.raises(UsageError, match="asks other questions than the labels calm"):
            ensure_project(world.store, server, other, "m1 a")


def test_a_removed_project_is_said_to_be(label_studio, wanted, tmp_path):
    with review_world(tmp_path / "a.db", 1) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m1 a")
        server._client.projects.delete(project.number)
        with pytest.raises(UsageError, match=r"is no longer at .* with --project"):
            ensure_project(world.store, server, wanted, "m1 a")


def test_only_one_process_sends(tmp_path):
    with alone(tmp_path), pytest.raises(UsageError, match="another command"), alone(tmp_path):
        pytest.fail("two at once")
    with alone(tmp_path):
        pass


def test_a_later_versions_answers_are_shown_in_a_project_made_for_an_earlier(
    label_studio, wanted, tmp_path
):
    with review_world(tmp_path / "a.db", 2) as world:
        server = connect(label_studio)
        project = ensure_project(world.store, server, wanted, "m0 00000000")
        clips = world.ranked()
        chosen = Chosen({sample_of(c.content_hash, c.start_ms, c.end_ms): c for c in clips}, 0)
        sent = Sent(interface(LABELS), Facts(), THRESHOLDS, "variance", True)
        parcel = Parcel(
            wanted, sent, Hosting(tmp_path, str, None), chosen, tuple(world.outgoing()), ()
        )
        review = send(world.store, server, parcel, world.model_id, tmp_path, lambda _count: None)
        assert review.push == Push(2, 0, 0)
        assert server.project(project.number).model_version == version_of(Facts())
