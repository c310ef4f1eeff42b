"""Pulling again and again: what changed is read, once, whatever happens meanwhile."""

import itertools
import threading
import time

import pytest

from annotator.labelstudio import server as servers
from annotator.labelstudio.client import TRIES
from annotator.labelstudio.failures import Missing, ServerFault
from annotator.labelstudio.pull import Pull, pull
from annotator.labelstudio.server import Server
from annotator.store.review_records import SavedAnswers
from faulty_proxy import Fault, Proxy, faulty_proxy
from review_project import Review, connect, picks


def read(review: Review, monkeypatch) -> list[int]:
    """The tasks that a pull reads."""
    seen: list[int] = []
    real = Server.changed

    def changed(self, number, since, *told):
        for raw in real(self, number, since, *told):
            seen.append(raw["id"])
            yield raw

    with monkeypatch.context() as patch:
        patch.setattr(Server, "changed", changed)
        review.pull()
    return seen


def test_a_second_pull_reads_what_changed(review, overlap, monkeypatch):
    first, second, third, _ = review.tasks
    review.answer(first)
    assert read(review, monkeypatch) == review.tasks
    number = review.answer(second, picks("sad"))
    # The cursor is as fine as a millisecond: what set it may be read once more.
    assert read(review, monkeypatch) in ([second], [first, second])
    review.answer(third, was_cancelled=True)
    assert read(review, monkeypatch) in ([third], [second, third])
    review.delete(number)
    assert read(review, monkeypatch) in ([second], [second, third])
    assert {answer.task for answer in review.present().values()} == {first, third}


def test_a_pull_without_news_costs_two_requests(review, label_studio, overlap):
    review.pull()
    with faulty_proxy(label_studio.url) as proxy:
        review.pull(connect(label_studio, proxy.address))
    assert len(proxy.asked) == 2  # the project and what changed


def test_reading_everything_again_changes_nothing(review):
    for task in review.tasks:
        review.answer(task, picks("sad"))
    review.pull()
    before = review.rows("SELECT * FROM annotation"), review.present()
    for _ in range(2):
        assert review.pull(everything=True).answers == SavedAnswers(known=4)
    assert (review.rows("SELECT * FROM annotation"), review.present()) == before


def tasks_only(method: str, path: str) -> bool:
    return method == "GET" and path.startswith("/api/tasks")


def failing_at(proxy: Proxy, page: int, faults: list[Fault]) -> None:
    """Fail from a page of tasks on: 0 and 1 show that there are several, 2 tells the newest change,
    3 and 4 are what changed.
    """
    count = itertools.count()

    def wanted(method: str, path: str) -> bool:
        return tasks_only(method, path) and next(count) >= page

    proxy.wanted = wanted
    proxy.faults += faults


FAULTS = {
    "drop": Fault(drop=True), "500": Fault(status=500), "page": Fault(status=200),
    "404": Fault(status=404, body=b'{"detail": "no"}'), "429": Fault(status=429,
                                                                     headers={"Retry-After": "90"}),
    "no tasks": Fault(status=200, body=b'{"tasks": [], "total": 4, "total_annotations": 0, '
                                       b'"total_predictions": 0}'),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "page"),
    [("drop", 0), ("404", 1), ("drop", 2), ("drop", 3), *((name, 4) for name in FAULTS)],
)
def test_a_server_that_fails_midway_costs_no_answer(
    name, page, review, label_studio, monkeypatch, overlap
):
    monkeypatch.setattr(servers, "PAGE", 2)
    monkeypatch.setattr("annotator.labelstudio.client.PAUSE_S", 0.01)
    monkeypatch.setattr("annotator.labelstudio.pull.CHUNK", 1)
    numbers = {review.answer(task, picks("sad")) for task in review.tasks}
    with faulty_proxy(label_studio.url) as proxy:
        failing_at(proxy, page, [FAULTS[name]] * TRIES)
        server = connect(label_studio, proxy.address)
        with pytest.raises((ServerFault, Missing), match=r"^cannot read tasks of project"):
            review.pull(server)
    assert review.project.pulled_to is None
    assert len(review.present()) == (2 if page == 4 else 0)
    review.pull()
    assert set(review.present()) == numbers
    assert review.rows("SELECT count(*) FROM annotation") == [(4,)]


def test_what_people_do_while_a_pull_reads_is_read_by_the_next(
    review, label_studio, monkeypatch, overlap
):
    """A task that was read already changes, and another, read later, changes after that."""
    monkeypatch.setattr(servers, "PAGE", 1)
    early, late = review.tasks[0], review.tasks[-1]
    real, last = Server.changed, Server.changed_last
    begun = []  # once it is known which change is the newest

    def changed_last(self, number):
        begun.append(number)
        return last(self, number)

    def changed(self, number, since, *told):
        for raw in real(self, number, since, *told):
            yield raw
            if raw["id"] == early and begun:
                numbers.append(review.answer(early, picks("happy")))
                time.sleep(0.05)
                numbers.append(review.answer(late, picks("sad")))

    numbers: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Server, "changed", changed)
        patch.setattr(Server, "changed_last", changed_last)
        review.pull()
    assert set(review.present()) == {numbers[1]}
    review.pull()
    assert set(review.present()) == set(numbers)


def test_a_task_that_cannot_be_read_holds_the_cursor(review, monkeypatch, overlap):
    review.answer(review.tasks[0], picks("sad"))
    review.answer(review.tasks[1], picks("happy"))
    real = Server.changed

    def changed(self, number, since, *told):
        for raw in real(self, number, since, *told):
            yield {**raw, "annotations": [{"id": "x"}]} if raw["id"] == review.tasks[0] else raw

    with monkeypatch.context() as patch:
        patch.setattr(Server, "changed", changed)
        done = review.pull()
    assert done.answers == SavedAnswers(new=1)
    (problem,) = done.problems
    assert problem.startswith(f"a task was left alone: task {review.tasks[0]}: an answer's number")
    assert review.project.pulled_to is None
    assert review.pull().answers == SavedAnswers(new=1, known=1)


def test_two_pulls_at_once(make_review, monkeypatch, label_studio):
    monkeypatch.setattr(servers, "PAGE", 2)
    monkeypatch.setattr("annotator.labelstudio.pull.CHUNK", 1)
    review = make_review(8)
    numbers = {review.answer(task, picks("sad")) for task in review.tasks}
    done: list[Pull] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            done.append(review.pull(connect(label_studio)))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test tells
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert set(review.present()) == numbers
    assert review.rows("SELECT count(*) FROM annotation") == [(8,)]
    assert sum(d.answers.new for d in done) == sum(d.answers.known for d in done) == 8


def test_a_slower_pull_does_not_hide_what_a_quicker_one_saw(review, monkeypatch, overlap):
    """The slow one read a task before it changed, and writes after the quick one has written."""
    number = review.answer(review.tasks[0], picks("happy"))
    review.pull()
    review.change(number, picks("sad"))
    real = Server.changed

    def changed(self, project, since, *told):
        read = list(real(self, project, since, *told))
        review.change(number, picks("anger"))
        patch.undo()
        review.pull()
        assert [given.label for given in review.present()[number].labels] == ["anger"]
        yield from read

    with monkeypatch.context() as patch:
        patch.setattr(Server, "changed", changed)
        review.pull()
    review.pull()
    assert [given.label for given in review.present()[number].labels] == ["anger"]
    assert review.rows("SELECT count(*), sum(current) FROM annotation") == [(3, 1)]


def test_progress_tells_of_every_task(make_review, monkeypatch):
    monkeypatch.setattr("annotator.labelstudio.pull.CHUNK", 2)
    review = make_review(5)
    told: list[tuple[int, int]] = []
    pull(
        review.world.store, review.server, review.project,
        progress=lambda count, total: told.append((count, total)),
    )  # fmt: skip
    assert told == [(2, 5), (2, 5), (1, 5)]


def test_many_pages(make_review):
    review = make_review(2 * servers.PAGE + 1)
    for task in (review.tasks[0], review.tasks[servers.PAGE], review.tasks[-1]):
        review.answer(task, picks("sad"))
    assert review.pull() == Pull(SavedAnswers(new=3), len(review.tasks), 0, ())
