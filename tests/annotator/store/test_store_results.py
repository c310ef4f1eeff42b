import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError

from annotator.store import results
from annotator.store.records import LabelScores

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def clip_ids(world, make_segment):
    world.sync("a.mp4")
    return world.plan("a.mp4", [make_segment(n * 1000, (n + 1) * 1000) for n in range(4)])


def everything(world):
    return [
        sorted(world.rows(f"SELECT * FROM {table}"), key=repr)
        for table in ("clip", "prediction", "label_prediction", "media")
    ]


def test_all_of_a_result_is_stored(world, clip_ids, make_result):
    given = make_result(clip_ids[0], 1.25, bald=0.125)
    world.store.save_results(world.run_id, world.model_id, [given])
    (shown,) = world.store.show(clip_ids[0])
    (answer,) = shown.predictions
    assert answer.scores == given.scores
    assert (answer.model, answer.run_id) == ("m1", world.run_id)
    assert (shown.state, shown.steps) == ("ready", {"audio": 7, "text": 3})
    assert shown.absent == {"visual": "no face"}
    assert answer.scores.labels[0] == LabelScores("happy", 0.9, 0.1, 0.2, 0.3, None, 3.0, 4.0)


def test_the_statements_are_postgresqls_too():
    statements = results._statements(postgresql.dialect(paramstyle="pyformat"))
    for compiled, names in (
        (statements.clip, results._CLIP),
        (statements.prediction, results._PREDICTION),
        (statements.label, results._LABEL),
    ):
        assert set(compiled.params) == set(names)
    assert "ON CONFLICT (model_id, clip_id, label) DO UPDATE" in str(statements.label)


def test_nothing_to_save(world):
    world.store.save_results(world.run_id, world.model_id, [])
    assert world.count("prediction") == 0


def test_twice_is_once_and_the_later_counts(world, clip_ids):
    world.answer(*clip_ids, variance=1.0)
    before = everything(world)
    world.answer(*clip_ids, variance=1.0)
    again = everything(world)
    assert [len(rows) for rows in again] == [len(rows) for rows in before] == [4, 4, 8, 1]
    world.answer(clip_ids[0], variance=2.0)
    assert world.rows("SELECT variance FROM prediction ORDER BY clip_id")[:2] == [(2.0,), (1.0,)]


def test_an_answer_ends_a_failure(world, clip_ids):
    world.store.fail_clip(clip_ids[0], "decode", "no frame")
    world.answer(clip_ids[0])
    assert world.store.failures() == []


def test_all_or_none(world, clip_ids):
    before = everything(world)
    with pytest.raises(IntegrityError):
        world.answer(clip_ids[0], 999)
    assert everything(world) == before


# A process that does one step and is killed when it has executed so many statements of it.
STEP = """
import os, signal, sys
sys.path[:0] = {path!r}
import conftest
from sqlalchemy import event
from annotator.store.engine import open_store

store = open_store({target!r})
left = int(sys.argv[1])

@event.listens_for(store._reading, "after_cursor_execute")
def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

{step}
"""
PLAN = """
plan = [conftest.segment(0, 1000, "other"), conftest.segment(500, 900, sad=1.0)]
store.save_plan(1, "h", conftest.INFO, plan, 1)
"""
ANSWERS = """
store.save_results(1, 1, [conftest.result(clip_id) for clip_id in (2, 3, 4)])
"""


def script_of(world, step: str) -> str:
    path = [str(Path(__file__).parent), str(REPOSITORY / "tests"), str(REPOSITORY)]
    place = world.path
    target = place.render_as_string(hide_password=False) if isinstance(place, URL) else str(place)
    return STEP.format(path=path, target=target, step=step)


def run_step(script: str, *, killed_after: int) -> int:
    return subprocess.run([sys.executable, "-c", script, str(killed_after)], check=False).returncode


@pytest.mark.parametrize(
    ("step", "statements"), [(PLAN, (2, 8)), (ANSWERS, (2, 4))], ids=["plan", "answers"]
)
def test_a_kill_between_statements_leaves_nothing_half_done(world, clip_ids, step, statements):
    assert clip_ids == [1, 2, 3, 4]
    world.answer(1)
    before, script = everything(world), script_of(world, step)
    for count in statements:
        assert run_step(script, killed_after=count) == -signal.SIGKILL
        assert everything(world) == before
    assert run_step(script, killed_after=0) == 0
    assert everything(world) != before


def test_two_processes_save_the_same_at_once(world, clip_ids):
    step = "for _ in range(20):" + ANSWERS.replace("\n", "\n    ")
    script = script_of(world, step)
    both = [subprocess.Popen([sys.executable, "-c", script, "0"]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert [len(rows) for rows in everything(world)] == [4, 3, 6, 1]
    assert world.pending() == {"a.mp4": 1}
