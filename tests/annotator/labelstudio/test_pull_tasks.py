"""Whose answers are pulled: those to our tasks and their doubles, whatever becomes of the tasks."""

import pytest

from annotator.labels.consensus import consensuses
from annotator.labels.stored import votes_of
from annotator.labelstudio import server as servers
from annotator.labelstudio.failures import Missing
from annotator.labelstudio.interface import VIDEO
from annotator.labelstudio.projects import Wanted, ensure_project
from annotator.labelstudio.pull import Pull, pull
from annotator.labelstudio.push import push
from annotator.labelstudio.server import Server
from annotator.store.review_records import SavedAnswers
from review_clips import LABELS, review_world
from review_project import make_double, picks


def test_the_tasks_of_others_are_left_alone(review):
    data = {"sample_id": "theirs", VIDEO: "/a.mp4", "transcript": "hi"}
    foreign = review.server.import_tasks(review.project.number, [{"data": data}] * 12)
    review.answer(foreign[0], picks("sad"))
    review.answer(review.tasks[0], picks("happy"))
    done = review.pull()
    assert done.answers == SavedAnswers(new=1)
    named = ", ".join(str(number) for number in foreign[:10])
    assert done.problems == (f"12 tasks ({named}, ...) are not ours, and left alone",)
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


def test_the_answers_to_both_of_two_doubles_are_about_the_clip(review, second):
    """Both are people's work, and stay so whatever becomes of either task."""
    _, other = second
    number = review.tasks[0]
    double = make_double(review, number)
    mine = review.answer(number, picks("happy"))
    theirs = review.answer(double, picks("sad"), by=other)
    pulled = review.pull()
    assert pulled.answers == SavedAnswers(new=2)
    assert pulled.problems == (f"1 task ({double}) is there a second time: answers to both count",)
    assert {n: a.task for n, a in review.present().items()} == {mine: number, theirs: double}
    votes = votes_of(review.world.store.answers(review.project_id))
    assert len({vote.clip_id for vote in votes}) == 1
    (clip,) = consensuses(votes, LABELS)
    assert (clip.voters, clip.soft["happy"], clip.soft["sad"]) == (2, 0.5, 0.5)
    assert review.pull(everything=True).answers == SavedAnswers(known=2)
    review.change(theirs, picks("anger"))
    assert review.pull().answers.changed == 1
    review.delete(theirs)
    assert review.pull().answers.deleted == 1
    assert set(review.present()) == {mine}


def test_the_answers_to_a_double_stay_when_it_is_removed(review):
    double = make_double(review, review.tasks[0])
    number = review.answer(double, picks("sad"))
    review.pull()
    review.server.delete_task(double)
    done = review.pull()
    assert (done.gone, done.answers.deleted) == (0, 0)
    assert set(review.present()) == {number}


def test_a_double_is_ours_once_our_task_is_gone(review):
    number = review.tasks[0]
    double = make_double(review, number)
    answer = review.answer(double, picks("sad"))
    assert review.pull().answers == SavedAnswers(new=1)
    review.change(answer, picks("happy"))
    review.server.delete_task(number)
    pulled = review.pull()
    assert (pulled.answers, pulled.gone, pulled.problems) == (SavedAnswers(changed=1), 1, ())
    there = {t.number for t in review.world.store.tasks(review.project_id) if t.state == "there"}
    assert double in there and number not in there
    again = review.pull()
    assert (again.answers, again.gone, again.problems) == (SavedAnswers(known=1), 0, ())


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


def test_tasks_removed_while_a_pull_reads_hide_none(review, monkeypatch):
    monkeypatch.setattr(servers, "PAGE", 2)
    number = review.answer(review.tasks[2], picks("sad"))
    real = Server.changed

    def changed(self, project, since, *told):
        for raw in real(self, project, since, *told):
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


def test_a_project_that_was_removed(review):
    number = review.answer(review.tasks[0], picks("sad"))
    review.pull()
    review.server._client.projects.delete(review.project.number)
    with pytest.raises(
        Missing,
        match=r"has no such thing.*; name another with --project$",
    ):
        review.pull()
    assert set(review.present()) == {number}
