"""Clips by the sample their tasks carry, with a model's answers."""

import pytest

from annotator.store import database
from annotator.store.records import KnownClip

LABELS = ("happy", "sad")


@pytest.fixture
def clips(world, make_segment):
    """Three clips of a file, of which the model has answered for the first."""
    world.sync("a.mp4")
    ids = world.plan("a.mp4", [make_segment(n * 1000, n * 1000 + 900) for n in range(3)], "abcd")
    world.answer(ids[0], variance=2.5)
    return ids


def send(world, number: int, samples: dict[str, int]) -> int:
    project = world.store.save_project("http://ls", number, f"p{number}", LABELS)
    world.store.begin_sending(project.project_id, world.model_id, samples, shown=True)
    return project.project_id


def test_samples_are_found_in_any_project_and_any_state(world, clips):
    first = send(world, 1, {"a": clips[0], "b": clips[1]})
    second = send(world, 2, {"c": clips[2]})
    world.store.sent(first, {"a": 11, "b": 12})
    world.store.gone(first, [12])
    found = world.store.clips_of_samples(["c", "a", "b", "x", "a"])
    assert found == {"a": clips[0], "b": clips[1], "c": clips[2]}
    assert world.store.clips_of_samples([]) == {}
    assert {task.state for task in world.store.tasks(second)} == {"sending"}


def test_of_copies_the_latest_project_names_the_clip(world, clips):
    send(world, 1, {"a": clips[0]})
    send(world, 2, {"a": clips[2]})
    assert world.store.clips_of_samples(["a"]) == {"a": clips[2]}


def test_more_samples_than_one_statement_takes(world, clips, monkeypatch):
    monkeypatch.setattr(database, "CHUNK", 2)
    samples = {f"s{n}": clips[n % 3] for n in range(7)}
    send(world, 1, samples)
    assert world.store.clips_of_samples([*samples, "x"]) == samples
    assert len(world.store.known_clips(world.model_id, clips)) == 3


def test_samples_are_looked_up_by_key(sqlite_world):
    plan = sqlite_world.rows(
        "EXPLAIN QUERY PLAN SELECT sample, clip_id FROM task "
        "WHERE project_id IN (SELECT id FROM project) AND sample IN ('s1', 's2')"
    )
    assert "PRIMARY KEY (project_id=? AND sample=?)" in str(plan)


def test_known_clips_say_where_they_lie_and_what_the_model_says(world, clips, facts):
    found = world.store.known_clips(world.model_id, [*clips, 10**9])
    assert found.keys() == set(clips)
    assert found[clips[1]] == KnownClip("abcd", (1000, 1900), "hi", None)
    answered = found[clips[0]].scores
    assert answered is not None
    assert (answered.variance, answered.bald) == (2.5, None)
    assert [label.label for label in answered.labels] == list(LABELS)
    other = world.store.register_model(facts(name="m2", weights_hash="b" * 64))
    assert world.store.known_clips(other, clips)[clips[0]].scores is None


def test_an_answer_of_another_model_is_not_ours(world, clips, facts):
    other = world.store.register_model(facts(name="m2", weights_hash="b" * 64))
    world.answer(clips[0], variance=7.0, model_id=other)
    for model_id, variance in ((world.model_id, 2.5), (other, 7.0)):
        scores = world.store.known_clips(model_id, clips)[clips[0]].scores
        assert scores is not None
        assert scores.variance == variance
