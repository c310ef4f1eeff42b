"""People's answers come back, from a real server: all of them, once, whatever happens meanwhile."""

import itertools
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from annotator.labelstudio import server as servers
from annotator.labelstudio.client import TRIES
from annotator.labelstudio.failures import Missing, ServerFault
from annotator.labelstudio.interface import EMOTIONS, QUALITY, VIDEO, config, interface
from annotator.labelstudio.projects import Wanted, ensure_project
from annotator.labelstudio.pull import OVERLAP, Pull, pull
from annotator.labelstudio.push import push
from annotator.labelstudio.server import Account, Server
from annotator.store.review_records import Answer, GivenLabel, ReviewProject, SavedAnswers
from faulty_proxy import Fault, Proxy, faulty_proxy
from review_clips import LABELS, ReviewWorld, review_world

NUMBERS = itertools.count()


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


@pytest.fixture
def make_review(label_studio, tmp_path) -> Iterator[object]:
    """Makes a review of so many clips."""
    opened, projects = [], []
    server = connect(label_studio)

    def make(clips: int) -> Review:
        context = review_world(tmp_path / f"{next(NUMBERS)}.db", clips)
        world = context.__enter__()
        opened.append(context)
        wanted = Wanted(f"pull {time.time_ns()}", LABELS, 3, True)
        project = ensure_project(world.store, server, wanted, "m1 aaaaaaaa")
        projects.append(project.number)
        push(world.store, server, project, world.model_id, world.outgoing(), shown=True)
        tasks = [t.number for t in world.store.tasks(project.project_id)]
        return Review(world, server, project.project_id, sorted(tasks))

    yield make
    for context in opened:
        context.__exit__(None, None, None)
    for number in projects:
        try:
            server._client.projects.delete(number)
        except Exception as error:  # noqa: BLE001 - the test removed it itself
            assert "404" in str(error)


@pytest.fixture
def review(make_review) -> Review:
    """A review of four clips."""
    return make_review(4)


@pytest.fixture
def overlap(monkeypatch):
    """No overlap of pulls, so that what is read is what changed."""
    monkeypatch.setattr("annotator.labelstudio.pull.OVERLAP", OVERLAP * 0)


@pytest.fixture(scope="module")
def second(label_studio) -> tuple[str, Server]:
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


def test_nothing_answered_is_nothing_pulled(review):
    assert review.pull() == Pull(SavedAnswers(), 4, 0, ())
    assert review.present() == {}
    assert review.project.pulled_to is not None


def test_answers_of_two_people(review, second, label_studio):
    first = label_studio.email
    email, other = second
    mine = review.answer(review.tasks[0], picks("happy", "sad") + stars("sad", 4), lead_time=2.5)
    theirs = review.answer(review.tasks[0], picks("neutral"), by=other)
    unusable = review.answer(review.tasks[1], picks("unusable", name=QUALITY), by=other)
    empty = review.answer(review.tasks[2])
    skipped = review.answer(review.tasks[3], picks("happy", origin="prediction"),
                            was_cancelled=True)  # fmt: skip
    assert review.pull().answers == SavedAnswers(new=5)
    present = review.present()
    assert {n: (a.annotator, a.state, a.neutral) for n, a in present.items()} == {
        mine: (first, "labelled", False), theirs: (email, "labelled", True),
        unusable: (email, "unusable", False), empty: (first, "empty", False),
        skipped: (first, "skipped", False),
    }  # fmt: skip
    assert present[mine].labels == (
        GivenLabel("happy", None, "manual"), GivenLabel("sad", 4, "manual"),
    )  # fmt: skip
    assert present[mine].lead_seconds == 2.5
    assert present[skipped].labels == ()
    assert [item["from_name"] for item in present[skipped].result] == [EMOTIONS]
    clips = {a.answer.number: a.clip_id for a in review.world.store.answers()}
    assert clips[mine] == clips[theirs] != clips[empty]
    assert review.pull().answers == SavedAnswers(known=5)


def test_each_answer_is_about_the_clip_its_task_shows(review):
    annotations = {review.answer(task, picks("sad")): task for task in review.tasks}
    review.pull()
    tasks = review.server.changed(review.project.number, None)
    shown = {raw["id"]: raw["data"]["start"] for raw in tasks}
    starts = {clip.clip_id: clip.start_ms / 1000 for clip in review.world.ranked()}
    for found in review.world.store.answers():
        assert starts[found.clip_id] == shown[annotations[found.answer.number]]


def test_an_answer_as_shown_a_changed_one_and_what_was_typed(review):
    said = next(iter(review.server.changed(review.project.number, None)))["predictions"][0]["id"]
    kept = review.answer(review.tasks[0], picks("happy", origin="prediction"),
                         parent_prediction=said)  # fmt: skip
    changed = review.answer(review.tasks[1], picks("sad", origin="prediction-changed"))
    alone = review.answer(review.tasks[2], picks("sad"))
    review.pull()
    unchanged = {number: answer.unchanged for number, answer in review.present().items()}
    assert unchanged == {kept: True, changed: False, alone: None}


def test_changes_and_deletions_keep_what_was_there_before(review):
    first = review.answer(review.tasks[0], picks("happy"))
    second = review.answer(review.tasks[1], picks("sad"))
    review.pull()
    review.change(first, picks("anger"))
    review.delete(second)
    assert review.pull().answers == SavedAnswers(changed=1, deleted=1)
    (answer,) = review.present().values()
    assert [given.label for given in answer.labels] == ["anger"]
    rows = review.rows(
        "SELECT number, label, current, deleted_at IS NOT NULL FROM annotation "
        "JOIN annotation_label ON annotation.id = annotation_id ORDER BY annotation.id"
    )
    assert rows == [(first, "happy", 0, 0), (second, "sad", 0, 1), (first, "anger", 1, 0)]
    review.answer(review.tasks[1], picks("anger"))
    assert review.pull().answers == SavedAnswers(new=1, known=1)


def test_an_unknown_label_is_told_and_left_out(review):
    review.server.update_project(
        review.project.number, label_config=config(interface([*LABELS, "calm"]))
    )
    number = review.answer(review.tasks[0], picks("calm", "sad"))
    done = review.pull()
    assert done.problems == (
        f"task {review.tasks[0]}, annotation {number}: no label of the project: 'calm'",
    )
    assert [given.label for given in review.present()[number].labels] == ["sad"]


def test_the_tasks_of_others_are_left_alone(review):
    data = {"sample_id": "theirs", VIDEO: "/a.mp4", "transcript": "hi"}
    foreign = review.server.import_tasks(review.project.number, [{"data": data}] * 12)
    review.answer(foreign[0], picks("sad"))
    review.answer(review.tasks[0], picks("happy"))
    done = review.pull()
    assert done.answers == SavedAnswers(new=1)
    named = ", ".join(str(number) for number in foreign[:10])
    assert done.problems == (
        f"12 tasks are not ours or doubles of ours, and left alone: {named}, ...",
    )
    assert {a.task for a in review.present().values()} == {review.tasks[0]}


def test_a_number_that_is_used_again_is_not_taken_for_our_task(review):
    """Label Studio gives the numbers of removed tasks to new ones."""
    last = review.tasks[-1]
    review.answer(last, picks("happy"))
    review.pull()
    review.server.delete_task(last)
    data = {"sample_id": "theirs", VIDEO: "/a.mp4", "transcript": "hi"}
    (foreign,) = review.server.import_tasks(review.project.number, [{"data": data}])
    review.answer(foreign, picks("sad"))
    done = review.pull()
    assert done.gone == 1
    assert done.answers.new == 0
    (answer,) = review.present().values()
    assert [given.label for given in answer.labels] == ["happy"]


def test_a_task_that_was_removed_is_gone_and_its_answers_stay(review):
    number = review.answer(review.tasks[0], picks("sad"))
    review.pull()
    review.server.delete_task(review.tasks[0])
    done = review.pull()
    assert (done.gone, done.answers.deleted) == (1, 0)
    assert set(review.present()) == {number}
    states = {t.number: t.state for t in review.world.store.tasks(review.project_id)}
    assert states[review.tasks[0]] == "gone"
    assert sorted(states.values()) == ["gone", "there", "there", "there"]
    assert review.pull().gone == 0


def test_a_double_that_was_answered_is_ours_once_our_task_is_gone(review):
    """Both are found out by the same pull: the next one begins after the answer."""
    number = review.tasks[0]
    task = review.server._client.tasks.get(str(number))
    (double,) = review.server.import_tasks(review.project.number, [{"data": task.data}])
    answer = review.answer(double, picks("sad"))
    assert review.pull().answers == SavedAnswers()  # left alone while ours is there
    review.change(answer, picks("happy"))
    review.server.delete_task(number)
    pulled = review.pull()
    assert (pulled.answers, pulled.gone, pulled.problems) == (SavedAnswers(new=1), 1, ())
    assert {given.task for given in review.present().values()} == {double}


def test_a_task_whose_push_was_cut_off_is_ours(review):
    """It was on its way; people answer before the next push finds it there."""
    (late,) = review.tasks[-1:]
    number = review.answer(late, picks("sad"))
    with review.world.store._write() as connection:
        connection.exec_driver_sql(
            "UPDATE task SET state = 'sending', number = NULL WHERE number = ?", (late,)
        )
    assert review.pull() == Pull(SavedAnswers(new=1), 4, 0, ())
    assert set(review.present()) == {number}
    assert {t.state for t in review.world.store.tasks(review.project_id)} == {"there"}


def test_a_task_that_was_thought_gone_is_back(review):
    review.pull()
    assert review.world.store.gone(review.project_id, review.tasks[:1]) == 1
    review.answer(review.tasks[0], picks("sad"))
    assert review.pull().answers == SavedAnswers(new=1)
    assert {t.state for t in review.world.store.tasks(review.project_id)} == {"there"}


def read(review: Review, monkeypatch) -> list[int]:
    """The tasks that a pull reads."""
    seen: list[int] = []
    real = Server.changed

    def changed(self, number, since):
        for raw in real(self, number, since):
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


def test_a_lost_database_gets_everything_back(make_review, review, label_studio, tmp_path):
    for task in review.tasks:
        review.answer(task, picks("sad"))
    review.pull()
    with review_world(tmp_path / "again.db", 4) as world:
        wanted = Wanted(review.project.title, LABELS, None, True)
        project = ensure_project(world.store, review.server, wanted, "m1 a")
        push(world.store, review.server, project, world.model_id, world.outgoing(), shown=True)
        assert pull(world.store, review.server, project).answers == SavedAnswers(new=4)
        again = {a.answer.number: a.answer for a in world.store.answers()}
    assert again == review.present()


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

    def changed(self, number, since):
        for raw in real(self, number, since):
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


def test_tasks_removed_while_a_pull_reads_hide_none(review, monkeypatch):
    monkeypatch.setattr(servers, "PAGE", 2)
    number = review.answer(review.tasks[2], picks("sad"))
    real = Server.changed

    def changed(self, project, since):
        for raw in real(self, project, since):
            yield raw
            if raw["id"] == review.tasks[1]:
                for task in review.tasks[:2]:
                    self.delete_task(task)

    with monkeypatch.context() as patch:
        patch.setattr(Server, "changed", changed)
        review.pull()
    assert set(review.present()) == {number}
    assert review.pull().gone == 2
    left = [t.number for t in review.world.store.tasks(review.project_id) if t.state == "there"]
    assert sorted(left) == review.tasks[2:]


def test_a_task_that_cannot_be_read_holds_the_cursor(review, monkeypatch, overlap):
    review.answer(review.tasks[0], picks("sad"))
    review.answer(review.tasks[1], picks("happy"))
    real = Server.changed

    def changed(self, number, since):
        for raw in real(self, number, since):
            yield {**raw, "annotations": [{"id": "x"}]} if raw["id"] == review.tasks[0] else raw

    with monkeypatch.context() as patch:
        patch.setattr(Server, "changed", changed)
        done = review.pull()
    assert done.answers == SavedAnswers(new=1)
    (problem,) = done.problems
    assert problem.startswith(f"a task was left alone: task {review.tasks[0]}: an answer's number")
    assert review.project.pulled_to is None
    assert review.pull().answers == SavedAnswers(new=1, known=1)


def test_a_project_that_was_removed(review):
    number = review.answer(review.tasks[0], picks("sad"))
    review.pull()
    review.server._client.projects.delete(review.project.number)
    with pytest.raises(Missing, match=r"^cannot open project \d+: .* has no such thing"):
        review.pull()
    assert set(review.present()) == {number}


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

    def changed(self, project, since):
        read = list(real(self, project, since))
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
    told: list[int] = []
    pull(review.world.store, review.server, review.project, progress=told.append)
    assert sum(told) == 5


def test_many_pages(make_review):
    review = make_review(2 * servers.PAGE + 1)
    for task in (review.tasks[0], review.tasks[servers.PAGE], review.tasks[-1]):
        review.answer(task, picks("sad"))
    assert review.pull() == Pull(SavedAnswers(new=3), len(review.tasks), 0, ())
