"""Answers from files, and clips by file and time: what the store keeps and gives."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from annotator.store.annotations import signed, signed_by
from annotator.store.columns import readable
from annotator.store.review_records import IMPORTED, GivenAnswer, GivenLabel, SavedAnswers
from annotator.store.timeline import timeline

LABELS = ("happy", "sad")


def given_answer(clip_id: int, person: str, *labels: str, state="labelled", comment=None):
    picked = tuple(GivenLabel(label, None, None) for label in labels)
    neutral = state == "labelled" and not labels
    return GivenAnswer(clip_id, person, state, picked, neutral, comment, [{"row": 1}])


@pytest.fixture
def clips(world, make_segment):
    """Two files with two clips each; the later name first."""
    world.sync("b.mp4", "a.mp4")
    plan = [make_segment(0, 1000), make_segment(1000, 2000)]
    return [*world.plan("a.mp4", plan), *world.plan("b.mp4", plan)]


def test_a_project_of_files_is_made_once_and_keeps_its_labels(world):
    made = world.store.imported_project("pilot", LABELS)
    assert (made.server, made.number, made.labels) == (IMPORTED, 1, LABELS)
    assert world.store.imported_project("pilot", ["other"]) == made
    assert world.store.imported_project("second", ["other"]).number == 2
    assert world.store.projects("http://ls") == []


def test_the_same_is_known_and_a_change_keeps_what_was(world, clips):
    project = world.store.imported_project("pilot", LABELS).project_id
    save = world.store.save_imported
    assert save(project, [given_answer(clips[0], "ann", "happy")]) == SavedAnswers(new=1)
    assert save(project, [given_answer(clips[0], "ann", "happy")]) == SavedAnswers(known=1)
    assert save(project, [given_answer(clips[0], "bob", "happy")]) == SavedAnswers(new=1)
    for labels in (("sad",), ("happy",), ("happy", "sad"), ()):
        assert save(project, [given_answer(clips[0], "ann", *labels)]) == SavedAnswers(changed=1)
    present = {one.answer.annotator: one.answer for one in world.store.answers(project)}
    assert present["ann"].neutral
    assert present["bob"].labels == (GivenLabel("happy", None, None),)
    rows = world.rows("SELECT current, created_at, updated_at FROM annotation ORDER BY id")
    assert [row[0] for row in rows] == [0, 1, 0, 0, 0, 1]
    ann = [rows[0], *rows[2:]]
    assert len({row[1] for row in ann}) == 1
    assert [row[2] for row in ann] == sorted({row[2] for row in ann})


@pytest.mark.parametrize("name", ["Rater, 7", "Rater, ", ", 7", "Rater, 7, 8"])
def test_a_name_that_looks_like_a_persons_number_stays_a_name(world, clips, name):
    project = world.store.imported_project("pilot", LABELS).project_id
    for expected in (SavedAnswers(new=1), SavedAnswers(known=1)):
        saved = world.store.save_imported(project, [given_answer(clips[0], name, "happy")])
        assert saved == expected
    (one,) = world.store.answers(project)
    assert (one.answer.annotator, one.answer.person) == (name, None)


@given(st.text(), st.none() | st.integers(0, 10**18 - 1))
def test_whoever_signed_can_be_read_again(name, person):
    assert signed_by(signed(name, person)) == (readable(name), person)


@pytest.mark.parametrize(
    "other",
    [
        given_answer(1, "ann", state="unusable"),
        given_answer(1, "ann", "happy", comment="c"),
        given_answer(1, "ann"),
    ],
)
def test_whatever_differs_is_a_change(world, clips, other):
    project = world.store.imported_project("pilot", LABELS).project_id
    world.store.save_imported(project, [given_answer(1, "ann", "happy")])
    assert world.store.save_imported(project, [other]) == SavedAnswers(changed=1)


def test_projects_do_not_touch_each_other(world, clips):
    one, two = (world.store.imported_project(name, LABELS).project_id for name in ("a", "b"))
    world.store.save_imported(one, [given_answer(clips[0], "ann", "happy")])
    assert world.store.save_imported(two, [given_answer(clips[0], "ann", "sad")]) == SavedAnswers(
        new=1
    )
    assert len(world.store.answers()) == 2


saying = st.tuples(
    st.integers(1, 4), st.sampled_from("ab"), st.sets(st.sampled_from(LABELS)), st.booleans()
)


@given(st.lists(st.lists(saying, max_size=4), max_size=4))
def test_any_order_of_imports_against_a_model(open_world, make_segment, files):
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(Path(folder) / "a.db")
        with world.store:
            world.sync("a.mp4")
            world.plan("a.mp4", [make_segment(1000 * n, 1000 * n + 900) for n in range(4)])
            project = world.store.imported_project("p", LABELS).project_id
            present: dict[tuple[int, str], tuple[object, ...]] = {}
            versions = 0
            for file in files:
                answers = [
                    given_answer(clip, person, *(() if bad else sorted(labels)),
                                 state="unusable" if bad else "labelled")
                    for clip, person, labels, bad in file
                ]  # fmt: skip
                world.store.save_imported(project, answers)
                for one in answers:
                    says = one.state, tuple(label.label for label in one.labels)
                    versions += present.get((one.clip_id, one.annotator)) != says
                    present[one.clip_id, one.annotator] = says
            found = {
                (one.clip_id, one.answer.annotator): (
                    one.answer.state, tuple(label.label for label in one.answer.labels),
                )
                for one in world.store.answers(project)
            }  # fmt: skip
            assert found == present
            assert world.count("annotation") == versions


def test_the_timeline_goes_file_by_file_by_time(world, clips):
    world.answer(clips[3], clips[2], clips[1])
    project = world.store.imported_project("p", LABELS).project_id
    world.store.save_imported(project, [given_answer(clips[0], "ann", "happy")])
    found = list(world.store.timeline(world.model_id))
    assert [(one.path.name, one.start_ms) for one in found] == [
        ("a.mp4", 0), ("a.mp4", 1000), ("b.mp4", 0), ("b.mp4", 1000),
    ]  # fmt: skip
    assert [one.scores is None for one in found] == [True, False, False, False]
    assert [len(one.answers) for one in found] == [1, 0, 0, 0]
    assert found[0].tool_version is None
    assert found[1].tool_version == "0.1.0"
    assert found[1].scores.labels[0].label == "happy"
    assert found[0].duration_ms == 60_000


def test_the_timeline_of_people_alone_and_of_a_split(world, clips):
    world.answer(*clips)
    assert list(world.store.timeline(None)) == []
    assert list(world.store.timeline(world.model_id, "val")) == []
    project = world.store.imported_project("p", LABELS).project_id
    world.store.save_imported(project, [given_answer(clips[2], "ann")])
    assert [one.clip_id for one in world.store.timeline(None)] == [clips[2]]


def test_the_timeline_needs_no_sorting(sqlite_world):
    """SQLite walks the index of paths, then that of a file's clips."""
    asked = []

    def note(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    with sqlite_world.store._read() as connection:
        event.listen(connection, "before_cursor_execute", note)
        assert list(timeline(connection, 1, None)) == []
        statement, parameters = asked[0]
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).fetchall()
    assert not [row for row in plan if "TEMP B-TREE" in str(row)], plan


def test_a_ranking_tells_of_answers_if_asked(world, clips):
    world.answer(*clips)
    project = world.store.imported_project("p", LABELS).project_id
    world.store.save_imported(project, [given_answer(clips[2], "ann")])
    assert not any(one.answers for one in world.store.ranked(world.model_id))
    answered = {
        one.clip_id: one.answers for one in world.store.ranked(world.model_id, answered=True)
    }
    assert [clip for clip, answers in answered.items() if answers] == [clips[2]]
    assert answered[clips[2]][0].answer.annotator == "ann"


def test_whether_anybody_has_answered(world, clips):
    assert not world.store.has_answers()
    project = world.store.imported_project("p", LABELS).project_id
    world.store.save_imported(project, [given_answer(clips[0], "ann")])
    assert world.store.has_answers()


def test_bounds_are_of_the_present_plan(world, clips, make_segment):
    world.plan("a.mp4", [make_segment(0, 1000), make_segment(1000, 3000)])
    found = world.store.bounds(Path("/c/a.mp4"))
    assert set(found) == {(0, 1000), (1000, 3000)}
    assert found[0, 1000] == clips[0]
    assert world.store.bounds(Path("/c/none.mp4")) == {}
    assert world.store.has_clip(clips[0])
    assert not world.store.has_clip(10**30)
