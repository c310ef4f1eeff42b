"""Any order of pushes and pulls, against a model in plain Python."""

import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from annotator.store.review_records import Answer, ClipAnswer, GivenLabel, SavedAnswers, SentTask

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
SAMPLES = ("s0", "s1", "s2", "s3")
LABELS = ("happy", "sad")
STATES = ("labelled", "unusable", "skipped", "empty")


def moment(step: int) -> datetime:
    return START + timedelta(seconds=step)


def answer(number: int, task: int, updated_at: datetime) -> Answer:
    """An answer whose words follow from when it was given."""
    step = (updated_at - START) // timedelta(seconds=1)
    labels = tuple(
        GivenLabel(label, (step + number) % 6 or None, ("manual", "prediction", None)[step % 3])
        for label in LABELS[: (step + number) % 3]
    )
    return Answer(
        number=number, task=task, annotator=f"{number}@example.com", state=STATES[step % 4],
        labels=labels, neutral=step % 2 == 0, comment=f"at {step}" if step % 3 else None,
        lead_seconds=None if step % 5 else step / 2, unchanged=(None, True, False)[step % 3],
        result=[{"step": step}], created_at=START, updated_at=updated_at,
    )  # fmt: skip


@dataclass
class Known:
    """What a project should be: its tasks, each version of each answer, and which are present."""

    tasks: dict[str, SentTask] = field(default_factory=dict)
    clips: dict[int, int] = field(default_factory=dict)  # of every task there ever was
    versions: dict[tuple[int, datetime], Answer] = field(default_factory=dict)
    present: dict[tuple[int, int], Answer] = field(default_factory=dict)
    deleted: set[tuple[int, datetime]] = field(default_factory=set)
    cursor: datetime | None = None

    def numbers(self) -> dict[int, str]:
        """The tasks that are or were there."""
        return {t.number: t.sample for t in self.tasks.values() if t.number is not None}

    def save(self, found: dict[int, list[Answer]]) -> SavedAnswers:
        before = {k: a for k, a in self.present.items() if a.task in found}
        counts = dict.fromkeys(("new", "changed", "deleted", "known"), 0)
        seen = [given for answers in found.values() for given in answers]
        for given in seen:
            key = self.clips[given.task], given.number
            if before.get(key) == given:
                counts["known"] += 1
                continue
            counts["changed" if key in self.present else "new"] += 1
            self.versions[given.number, given.updated_at] = given
            self.present[key] = given
            self.deleted.discard((given.number, given.updated_at))
        for key in before.keys() - {(self.clips[given.task], given.number) for given in seen}:
            lost = self.present.pop(key)
            self.deleted.add((lost.number, lost.updated_at))
            counts["deleted"] += 1
        return SavedAnswers(**counts)


class ReviewMachine(RuleBasedStateMachine):
    """The test adds `open_world`, `fresh_place` and `segment`, which are fixtures."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = self.open_world(self.fresh_place(Path(self.folder.name)))
        self.world.sync("a.mp4")
        plan = [self.segment(1000 * n, 1000 * n + 900) for n in range(len(SAMPLES))]
        self.clips = dict(zip(SAMPLES, self.world.plan("a.mp4", plan), strict=True))
        save = self.world.store.save_project
        self.projects = [save("http://ls", n, f"p{n}", LABELS).project_id for n in (1, 2)]
        self.known = {project: Known() for project in self.projects}
        self.numbers = dict.fromkeys(self.projects, 0)  # servers count, too

    def teardown(self):
        self.world.store.close()
        self.folder.cleanup()

    def project(self, data) -> tuple[int, Known]:
        chosen = data.draw(st.sampled_from(self.projects))
        return chosen, self.known[chosen]

    def found(self, data, known: Known) -> dict[int, list[Answer]]:
        """What a server might say: an answer is about one task, and its number may be reused."""
        tasks = data.draw(
            st.lists(st.sampled_from(sorted(known.numbers())), unique=True, min_size=1)
        )
        found: dict[int, list[Answer]] = {task: [] for task in tasks}
        for number in data.draw(st.sets(st.integers(1, 4))):
            task = data.draw(st.sampled_from(tasks))
            step = 100 * task + data.draw(st.integers(0, 2))
            found[task].append(answer(number, task, moment(step)))
        return found

    @rule(data=st.data(), samples=st.sets(st.sampled_from(SAMPLES)), shown=st.booleans())
    def begin_sending(self, data, samples, shown):
        project, known = self.project(data)
        clips = {sample: self.clips[sample] for sample in sorted(samples)}
        self.world.store.begin_sending(project, self.world.model_id, clips, shown=shown)
        for sample, clip in clips.items():
            if sample not in known.tasks or known.tasks[sample].state != "there":
                known.tasks[sample] = SentTask(
                    sample, clip, None, "sending", shown, self.world.model_id
                )

    @rule(data=st.data(), samples=st.sets(st.sampled_from(SAMPLES), min_size=1))
    def sent(self, data, samples):
        """Those of a batch that were never entered are not ours to write down."""
        project, known = self.project(data)
        numbers = {}
        for sample in sorted(samples):
            self.numbers[project] += 1
            numbers[sample] = self.numbers[project]
        self.world.store.sent(project, numbers)
        for sample, number in numbers.items():
            if sample in known.tasks:
                known.tasks[sample] = replace(known.tasks[sample], number=number, state="there")
                known.clips[number] = self.clips[sample]

    @rule(data=st.data(), numbers=st.sets(st.integers(1, 12)))
    def gone(self, data, numbers):
        project, known = self.project(data)
        there = [t for t in known.tasks.values() if t.state == "there" and t.number in numbers]
        assert self.world.store.gone(project, sorted(numbers)) == len(there)
        for task in there:
            known.tasks[task.sample] = replace(task, state="gone")

    @precondition(lambda self: any(known.numbers() for known in self.known.values()))
    @rule(data=st.data())
    def save_answers(self, data):
        project = data.draw(st.sampled_from([p for p, k in self.known.items() if k.numbers()]))
        known = self.known[project]
        found = self.found(data, known)
        assert self.world.store.save_answers(project, found) == known.save(found)
        again = self.world.store.save_answers(project, found)
        assert again == SavedAnswers(known=sum(map(len, found.values()))) == known.save(found)

    @precondition(lambda self: any(known.numbers() for known in self.known.values()))
    @rule(data=st.data(), said=st.booleans())
    def save_answers_about_a_task_that_is_not_ours(self, data, said):
        project = data.draw(st.sampled_from([p for p, k in self.known.items() if k.numbers()]))
        found = self.found(data, self.known[project])
        found[999] = [answer(9, 999, moment(1))] if said else []
        with pytest.raises(KeyError):
            self.world.store.save_answers(project, found, moment(10**6))

    @rule(data=st.data(), to=st.integers(0, 9), start=st.none() | st.integers(0, 9))
    def move_the_cursor(self, data, to, start):
        """Another pull may have moved it since this one began."""
        project, known = self.project(data)
        began = known.cursor if start is None else moment(start)
        self.world.store.save_answers(project, {}, moment(to), began)
        if known.cursor in {None, began}:
            known.cursor = moment(to)
        else:
            known.cursor = min(known.cursor, moment(to))

    @rule()
    def reopen(self):
        path = self.world.path
        self.world.store.close()
        self.world.store = self.open_world(path).store

    @invariant()
    def the_tasks_are_what_they_should_be(self):
        for project, known in self.known.items():
            expected = sorted(known.tasks.values(), key=lambda task: task.sample)
            assert self.world.store.tasks(project) == expected
            cursors = {p.project_id: p.pulled_to for p in self.world.store.projects()}
            assert cursors[project] == known.cursor

    @invariant()
    def the_present_answers_are_the_newest(self):
        everything = []
        for project, known in self.known.items():
            expected = [ClipAnswer(known.clips[a.task], project, a) for a in known.present.values()]
            found = self.world.store.answers(project)
            assert by_number(found) == by_number(expected)
            assert [a.clip_id for a in found] == sorted(a.clip_id for a in found)
            everything += found
        assert by_number(self.world.store.answers()) == by_number(everything)

    @invariant()
    def no_version_is_ever_lost(self):
        for project, known in self.known.items():
            rows = self.world.rows(
                "SELECT number, updated_at, task, clip_id, current, deleted_at IS NOT NULL "
                "FROM annotation WHERE project_id = ? ORDER BY number, updated_at",
                project,
            )
            assert rows == [
                (
                    number, int(when.timestamp() * 1000), kept.task, known.clips[kept.task],
                    kept in known.present.values(), (number, when) in known.deleted,
                )
                for (number, when), kept in sorted(known.versions.items())
            ]  # fmt: skip
        labels = [a.labels for known in self.known.values() for a in known.versions.values()]
        assert self.world.count("annotation_label") == sum(map(len, labels))


def by_number(answers: list[ClipAnswer]) -> list[ClipAnswer]:
    return sorted(answers, key=lambda a: (a.project_id, a.answer.number, a.answer.task))


def test_any_order_of_pushes_and_pulls(open_world, fresh_place, make_segment):
    made = {"open_world": open_world, "fresh_place": fresh_place, "segment": make_segment}
    makers = {name: staticmethod(maker) for name, maker in made.items()}
    run_state_machine_as_test(
        type("Machine", (ReviewMachine,), makers),
        settings=settings(max_examples=15, stateful_step_count=30),
    )


@pytest.fixture
def project(world, make_segment):
    """A project with one clip that is there as task 1."""
    world.sync("a.mp4")
    (clip,) = world.plan("a.mp4", [make_segment(0, 900)])
    made = world.store.save_project("http://ls", 1, "p", LABELS)
    world.store.begin_sending(made.project_id, world.model_id, {"s0": clip}, shown=True)
    world.store.sent(made.project_id, {"s0": 1})
    return made


def test_a_project_is_known_by_server_and_number(world):
    first = world.store.save_project("http://ls", 1, "p", LABELS)
    other = world.store.save_project("http://other", 1, "p", ("calm",))
    again = world.store.save_project("http://ls", 1, "renamed\0", ("calm",))
    assert again == replace(first, title="renamed\\x00")
    assert world.store.projects() == [again, other]
    assert world.store.projects("http://other") == [other]


SPELLINGS = ("http://localhost:8080", "HTTP://127.0.0.1:8080/", "http://[::1]:8080",
             "http://LOCALHOST.:8080//")  # fmt: skip
OTHERS = ("https://localhost:8080", "http://localhost", "http://localhost:8080/prefix",
          "http://127.0.0.2:8080")  # fmt: skip


@pytest.mark.parametrize("first", SPELLINGS)
def test_a_server_is_one_however_its_address_is_spelled(first, world):
    made = world.store.save_project(first, 1, "p", LABELS)
    for spelling in SPELLINGS:
        assert world.store.save_project(spelling, 1, "p", LABELS) == made
        assert world.store.projects(spelling) == [made]
    for other in OTHERS:
        assert world.store.projects(other) == []
        assert world.store.save_project(other, 1, "p", LABELS) != made


def test_a_backup_of_the_server_brings_a_deleted_answer_back(world, project):
    given = answer(5, 1, moment(0))
    for answers in ([given], [], [given]):
        world.store.save_answers(project.project_id, {1: answers})
    assert [found.answer for found in world.store.answers()] == [given]
    assert world.rows("SELECT current, deleted_at FROM annotation") == [(1, None)]


def test_a_known_version_of_an_answer_follows_its_task_to_a_new_number(world, project):
    """The task was removed and sent again, and the server's answer came back with it."""
    world.store.save_answers(project.project_id, {1: [answer(5, 1, moment(0))]})
    (task,) = world.store.tasks(project.project_id)
    world.store.gone(project.project_id, [1])
    world.store.begin_sending(project.project_id, world.model_id, {"s0": task.clip_id}, shown=True)
    world.store.sent(project.project_id, {"s0": 2})
    given = answer(5, 2, moment(0))
    world.store.save_answers(project.project_id, {2: [given]})
    assert [found.answer for found in world.store.answers()] == [given]
    again = world.store.save_answers(project.project_id, {2: [given]})
    assert again == SavedAnswers(known=1)
    assert world.store.save_answers(project.project_id, {2: []}) == SavedAnswers(deleted=1)
    assert world.store.answers() == []


def test_what_is_said_of_a_double_is_said_of_its_clip(world, project):
    mine, theirs = answer(5, 1, moment(0)), answer(6, 44, moment(1))
    found = {1: [mine], 44: [theirs]}
    save = world.store.save_answers
    assert save(project.project_id, found, doubles={44: "s0"}) == SavedAnswers(new=2)
    assert save(project.project_id, {}, doubles={44: "s0"}) == SavedAnswers()
    assert save(project.project_id, found, doubles={44: "s0"}) == SavedAnswers(known=2)
    (task,) = world.store.tasks(project.project_id)
    assert [(a.clip_id, a.answer) for a in world.store.answers()] == [
        (task.clip_id, mine), (task.clip_id, theirs),
    ]  # fmt: skip
    assert save(project.project_id, {44: []}, doubles={44: "s0"}) == SavedAnswers(deleted=1)
    with pytest.raises(KeyError):
        save(project.project_id, {45: []}, doubles={45: "unknown"})


def test_whose_answer_it_is_is_not_forgotten_when_the_server_forgets_it(world, project):
    known = replace(answer(5, 1, moment(0)), annotator="ann, of old@x", person=7)
    world.store.save_answers(project.project_id, {1: [known]})
    assert [found.answer for found in world.store.answers()] == [known]
    later = replace(answer(5, 1, moment(1)), annotator="removed user (answer 5)")
    world.store.save_answers(project.project_id, {1: [later]})
    assert [found.answer for found in world.store.answers()] == [
        replace(later, annotator="ann, of old@x", person=7)
    ]


def test_text_that_no_database_takes_is_spelled_out(world, project):
    given = replace(
        answer(5, 1, moment(1)), annotator="a\0@b\udce9", comment="\ud800", result=["\0\ud800"]
    )
    world.store.save_answers(project.project_id, {1: [given]})
    (found,) = world.store.answers()
    assert (found.answer.annotator, found.answer.comment) == ("a\\x00@b\\udce9", "\\ud800")
    assert found.answer.result == ["\0\ud800"]
    assert world.store.save_answers(project.project_id, {1: [given]}) == SavedAnswers(known=1)


def test_more_tasks_than_one_query_takes(world, project):
    count = 2500
    (clip,) = [task.clip_id for task in world.store.tasks(project.project_id)]
    samples = {f"t{n}": clip for n in range(2, count)}
    world.store.begin_sending(project.project_id, world.model_id, samples, shown=False)
    world.store.sent(project.project_id, {f"t{n}": n for n in range(2, count)})
    found = {n: [answer(n, n, moment(n))] for n in range(1, count)}
    assert world.store.save_answers(project.project_id, found) == SavedAnswers(new=count - 1)
    assert world.store.save_answers(project.project_id, found) == SavedAnswers(known=count - 1)
    assert {a.answer.number: a.answer for a in world.store.answers()} == {
        number: given for number, (given,) in found.items()
    }
    nothing = {number: [] for number in found}
    assert world.store.save_answers(project.project_id, nothing) == SavedAnswers(deleted=count - 1)
    assert world.store.gone(project.project_id, range(1, count)) == count - 1


def test_the_numbers_of_a_removed_task_and_its_answer_are_given_again(world, make_segment):
    """What was said about the removed clip stays, and says nothing about the other."""
    world.sync("a.mp4")
    old, new = world.plan("a.mp4", [make_segment(0, 900), make_segment(1000, 1900)])
    project = world.store.save_project("http://ls", 1, "p", LABELS).project_id
    for sample, clip in (("b", old), ("a", new)):
        world.store.begin_sending(project, world.model_id, {sample: clip}, shown=True)
        world.store.sent(project, {sample: 1})
        assert world.store.save_answers(project, {1: []}) == SavedAnswers()
        given = answer(5, 1, moment(clip))
        assert world.store.save_answers(project, {1: [given]}) == SavedAnswers(new=1)
        if clip == old:
            world.store.gone(project, [1])
    assert [found.clip_id for found in world.store.answers()] == [old, new]


def test_a_clip_drawn_for_the_audit_stays_in_it(world, make_segment):
    world.sync("a.mp4")
    first, second = world.plan("a.mp4", [make_segment(0, 500), make_segment(500, 900)])
    project = world.store.save_project("http://ls", 1, "t", ["happy"]).project_id
    reasons = {"s1": "score", "s2": "audit"}
    clips = {"s1": first, "s2": second}

    def stored():
        return {task.sample: task.reason for task in world.store.tasks(project)}

    world.store.begin_sending(project, world.model_id, clips, reasons, shown=True)
    assert stored() == reasons
    world.store.sent(project, {"s1": 1, "s2": 2})
    world.store.begin_sending(project, world.model_id, clips, {"s2": "score"}, shown=True)
    assert stored() == reasons
    world.store.gone(project, [2])
    world.store.begin_sending(project, world.model_id, clips, {"s2": "score"}, shown=True)
    assert stored() == reasons
    world.store.audited(project, ["s1"])
    assert stored() == {"s1": "audit", "s2": "audit"}
