"""A whole loop against a server in memory: rounds, kills, waits, and what it refuses."""

import shutil
from pathlib import Path

import pytest

from annotator import registry
from annotator.acquisition.propose import NoCandidates
from annotator.errors import UsageError
from annotator.labelstudio.excerpts import ExcerptResult, file_name
from annotator.labelstudio.failures import ServerFault
from annotator.labelstudio.push import alone
from annotator.loop.book import Book
from annotator.loop.rounds import STEPS
from annotator.loop.settings import Count, Share
from annotator.media.excerpt import Excerpt
from loop_world import LoopWorld, Told
from scripted_server import ScriptedServer, down

pytestmark = pytest.mark.usefixtures("one_thread")

# Two rounds that are over in two seconds; whether they learn anything is of no concern.
SHORT = {"rounds": 2, "budget": 64, "promote": "always", "assignments": ("train.epochs=1",)}


class Uncut:
    """Says that every excerpt is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, requests, *, workers: int):
        for asked in requests:
            path = self.folder / file_name(asked.sample_id)
            yield ExcerptResult(asked, Excerpt(path, 1000, 0, 1000))


class Killed(BaseException):
    """As little to be caught as a kill."""


@pytest.fixture(autouse=True, scope="module")
def nothing_is_cut():
    """Excerpts have tests of their own, and take longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("annotator.labelstudio.export.ExcerptCache", Uncut)
        yield


@pytest.fixture
def world(tmp_path) -> LoopWorld:
    return LoopWorld(tmp_path, 96)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, nothing_is_cut):
    """What a loop that nobody disturbs comes to."""
    world = LoopWorld(tmp_path_factory.mktemp("undisturbed"), 96)
    world.to_the_end(**SHORT)
    return result(world)


def result(world: LoopWorld) -> dict:
    """All that is to be the same, however often a loop was cut off."""
    rounds = world.rounds()
    models = {v.name: (v.weights_hash, v.parent) for v in registry.own_versions(world.workspace)}
    return {
        "selected": [one.selected for one in rounds],
        "audited": [one.audited for one in rounds],
        "learnt": [one.learnt for one in rounds],
        "stopped": rounds[-1].stopped,
        "samples": sorted(world.server.samples()),
        "models": {name: m for name, m in models.items() if name != registry.STARTER},
        "in use": registry.choose(world.workspace, None).name,
    }


def test_what_a_round_does_and_in_which_order(world):
    told = Told()
    assert (
        world.loop(**SHORT, observer=told).waiting
        == "round 1 waits for answers: 0 of 32 in project 'loop'"
    )
    assert told.steps == [(1, "predicted"), (1, "selected"), (1, "sent")]
    world.answer()
    assert world.loop(**SHORT, observer=told).waiting
    assert told.steps[3:] == [
        *((1, step) for step in ("answered", "audited", "learnt", "repredicted")),
        *((2, step) for step in ("predicted", "selected", "sent")),
    ]
    world.answer()
    outcome = world.loop(**SHORT)
    assert outcome.stopped == "2 rounds are done"
    assert world.rounds() == list(outcome.rounds)
    one, two = outcome.rounds
    assert (one.predicted.model, two.predicted.model) == ("base", "base-r1")
    assert (one.predicted.clips, one.repredicted.clips, two.predicted.clips) == (96, 96, 0)
    assert not set(one.selected.clips) & set(two.selected.clips)
    assert len(one.selected.audit) == one.audited.clips == 6
    with world.workspace.open_store() as store:
        [project] = store.projects()
        reasons = [task.reason for task in store.tasks(project.project_id)]
    assert sorted(map(str, reasons)) == ["audit"] * 12 + ["score"] * 52


def test_the_same_command_once_more_does_nothing(world):
    world.to_the_end(**SHORT)
    before, told = result(world), Told()
    assert world.loop(**SHORT, observer=told).stopped == "2 rounds are done"
    assert told.steps == []
    assert result(world) == before


def test_with_more_rounds_it_goes_on(world):
    world.to_the_end(**SHORT)
    told = Told()
    assert world.loop(**SHORT | {"rounds": 3, "budget": 90}, observer=told).waiting
    assert told.steps == [(3, "predicted"), (3, "selected"), (3, "sent")]
    assert world.rounds()[2].asked == 26  # what is left of the budget


@pytest.mark.parametrize("when", ["before it is written down", "after"])
def test_a_kill_at_every_step_comes_to_the_same_end(world, undisturbed, monkeypatch, when):
    write = Book.write
    killed: set[tuple[int, str]] = set()

    def fatal(book: Book, round_: int, step, fact) -> None:
        first = (round_, step) not in killed
        killed.add((round_, step))
        if when == "after" or not first:
            write(book, round_, step, fact)
        if first:
            raise Killed

    monkeypatch.setattr(Book, "write", fatal)
    while True:
        try:
            outcome = world.loop(**SHORT)
        except Killed:
            continue
        if outcome.stopped:
            break
        world.answer()
    assert killed == {(n, step) for n in (1, 2) for step in STEPS} | {(2, "stopped")}
    assert result(world) == undisturbed


def test_a_kill_at_every_request_doubles_nothing(world, undisturbed):
    """Before a request reaches the server, and after the tasks have arrived."""
    asked = kills = 0
    while True:
        world.server.faults = [lambda _: None] * asked + [_kill]
        try:
            outcome = world.loop(**SHORT)
        except Killed:
            asked, kills = asked + 1, kills + 1
            continue
        asked = 0
        if outcome.stopped:
            break
        world.answer()
    assert kills > 10
    assert result(world) == undisturbed


def _kill(_what: str) -> None:
    raise Killed


def test_a_server_that_goes_away_ends_in_a_line_that_says_how_to_go_on(world, undisturbed):
    world.server.faults = [down]
    with pytest.raises(ServerFault, match="has not been selected: the same command goes on"):
        world.loop(**SHORT)
    assert world.loop(**SHORT).waiting
    world.server.faults = [down]
    with pytest.raises(ServerFault, match="round 1 has not been answered: the same command"):
        world.loop(**SHORT)
    world.answer()
    world.to_the_end(**SHORT)
    assert result(world) == undisturbed


def test_while_it_waits_a_fault_is_told_and_the_wait_goes_on(world, monkeypatch):
    monkeypatch.setattr("annotator.labelstudio.watch.POLL_S", 0.001)

    def fault_then_answers() -> None:
        world.answer()
        world.server.faults = [down]

    told = Told(fault_then_answers)
    # A look that finds nothing new is not told of, so each round has one wait and one fault.
    outcome = world.loop(**SHORT | {"every_s": 0.002}, observer=told)
    assert outcome.stopped == "2 rounds are done"
    assert told.waits == [(0, 32), (0, 32)]
    assert [line for line in told.lines if "no server" in line] == [
        "cannot project: no server at http://label.studio"
    ] * 2


@pytest.mark.parametrize(("wait_for", "needed"), [(Share(0.5), 16), (Count(5), 5), (Count(99), 32)])
def test_a_part_of_the_answers_is_enough(world, wait_for, needed):
    changed = SHORT | {"wait_for": wait_for}
    assert world.loop(**changed).waiting
    world.answer(most=needed - 1)
    assert f"{needed - 1} of {needed}" in str(world.loop(**changed).waiting)
    world.answer(most=1)
    world.loop(**changed)
    assert world.rounds()[0].answered.answered == needed


def test_what_was_asked_and_is_open_is_not_asked_again(world):
    changed = SHORT | {"wait_for": Count(20)}
    world.loop(**changed)
    world.answer(most=20)
    world.loop(**changed)
    one, two = world.rounds()
    assert not set(one.selected.clips) & set(two.selected.clips)
    assert len(world.server.samples()) == len(set(world.server.samples())) == 64


def test_with_overlap_a_clip_waits_for_several_people(world):
    changed = SHORT | {"overlap": 2}
    world.loop(**changed)
    world.answer(by=1)
    assert "0 of 32" in str(world.loop(**changed).waiting)
    world.answer(by=2)
    world.loop(**changed)
    audited = world.rounds()[0].audited
    assert (audited.shared, audited.people) == (6, 1.0)


def test_clips_that_people_skip_or_remove_do_not_hold_a_round_up(world):
    world.loop(**SHORT)
    [number] = world.server.tasks
    skipped, removed, *_ = world.server.unanswered(number)
    world.server.answer(number, skipped, "", skip=True)
    world.server.delete_task(removed)
    world.answer()
    world.loop(**SHORT)
    assert (world.rounds()[0].answered.tasks, world.rounds()[0].answered.answered) == (31, 31)


def test_too_few_labels_end_no_loop(world):
    changed = SHORT | {"rounds": 3, "budget": 12, "batch": 2}
    world.loop(**changed)
    world.answer()
    world.loop(**changed)
    learnt = world.rounds()[0].learnt
    assert (learnt.name, learnt.promoted) == (None, False)
    assert "expected at least as many clips as labels" in learnt.reason
    assert world.rounds()[1].sent.tasks == 2


def test_a_budget_that_is_spent_ends_it(world):
    outcome = world.to_the_end(**SHORT | {"rounds": 9, "budget": 40, "batch": 32})
    assert outcome.stopped == "the budget of 40 clips is spent"
    assert [one.asked for one in outcome.rounds] == [32, 8]


def test_no_clips_left_ends_it_and_new_clips_begin_it_again(world, tmp_path):
    changed = SHORT | {"rounds": 3, "budget": 300, "batch": 60}
    outcome = world.to_the_end(**changed)
    assert outcome.stopped == "no clips are left to ask about; `annotate run` adds some"
    assert [one.asked for one in outcome.rounds] == [60, 36, 0]
    assert world.loop(**changed).stopped == outcome.stopped


def test_an_empty_workspace_is_refused_and_goes_on_once_there_are_clips(tmp_path):
    world = LoopWorld(tmp_path, 96, entered=False)
    with pytest.raises(NoCandidates, match="`annotate run CORPUS` first"):
        world.loop(**SHORT)
    world.clips(world.examples)
    assert world.loop(**SHORT).waiting
    assert world.rounds()[0].predicted.clips == 96


def test_another_label_set_in_mid_project(world):
    world.to_the_end(**SHORT | {"rounds": 1, "batch": 32})
    before = len(world.server.samples())
    world.make_model("other", labels=("happy", "sad", "fear"))
    registry.promote(world.workspace, "other", "the user")
    with pytest.raises(UsageError, match="the label set has changed"):
        world.loop(**SHORT)
    assert len(world.server.samples()) == before
    assert world.loop(**SHORT | {"project": "second"}).waiting
    registry.rollback(world.workspace, "the user")
    assert world.loop(**SHORT).waiting
    assert world.rounds()[1].predicted.model == "base-r1"


def test_a_model_that_was_replaced_in_mid_round(world):
    world.loop(**SHORT)
    world.answer()
    shutil.rmtree(world.workspace.models / "base")
    world.make_model("base", labels=("happy", "sad"))
    with pytest.raises(UsageError, match="'base' has other weights than when round 1 began"):
        world.loop(**SHORT)


def test_only_one_loop_runs(world):
    with (
        alone(world.workspace.root, "loop", "running a loop in"),
        pytest.raises(UsageError, match="another command is running a loop in this workspace"),
    ):
        world.loop(**SHORT)


def test_another_server_is_told_where_the_clips_went(world):
    world.loop(**SHORT)
    with pytest.raises(UsageError, match="went to project 1 'loop' at"):
        world.loop(ScriptedServer("http://elsewhere"), **SHORT)


def test_each_project_has_a_loop_of_its_own(world):
    world.loop(**SHORT)
    world.loop(**SHORT | {"project": "second"})
    assert [one.number for one in world.rounds()] == [1]
    assert [one.number for one in world.rounds("second")] == [1]
    assert len(world.server.tasks) == 2
