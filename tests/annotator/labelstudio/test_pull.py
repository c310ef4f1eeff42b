"""People's answers come back, from a real server: all of them, as they were given."""

import httpx

from annotator.labels.stored import votes_of
from annotator.labelstudio.interface import EMOTIONS, QUALITY, config, interface
from annotator.labelstudio.pull import Pull
from annotator.store.review_records import GivenLabel, SavedAnswers
from review_clips import LABELS
from review_project import connect, invited, picks, stars


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


def test_people_who_were_removed_stay_apart(review, label_studio):
    """Of a removed member the server knows the number, of a deleted user nothing."""
    removed, deleted, late = (invited(label_studio) for _ in range(3))
    task = review.tasks[0]
    numbers = [review.answer(task, picks("sad"), by=who) for _, who in (removed, deleted)]
    client = httpx.Client(base_url=label_studio.url, timeout=60,
                          headers={"Authorization": f"Token {label_studio.token}"})  # fmt: skip
    with client:
        member = removed[1]._client.users.whoami().id
        client.delete(f"/api/organizations/1/memberships/{member}/").raise_for_status()
        review.pull()
        numbers += [review.answer(task, picks("anger"), by=late[1])]
        for _, who in (deleted, late):
            client.delete(f"/api/users/{who._client.users.whoami().id}/").raise_for_status()
    for number in numbers:
        review.change(number, picks("happy"))
    review.pull()
    names = {number: answer.annotator for number, answer in review.present().items()}
    known, known_before, unknown = numbers
    assert names == {
        known: removed[0], known_before: deleted[0], unknown: f"removed user (answer {unknown})",
    }  # fmt: skip
    assert review.present()[known].person == member
    assert len(votes_of(review.world.store.answers(review.project_id))) == 3


def test_a_removed_member_whose_name_the_answers_do_not_tell_keeps_the_number(label_studio):
    server = connect(label_studio)
    email, gone = invited(label_studio)
    number = gone._client.users.whoami().id
    assert server.people()[number] == email
    client = httpx.Client(base_url=label_studio.url, timeout=60,
                          headers={"Authorization": f"Token {label_studio.token}"})  # fmt: skip
    with client:
        client.delete(f"/api/organizations/1/memberships/{number}/").raise_for_status()
    assert number not in server.people()  # there they are all called "Deleted"
