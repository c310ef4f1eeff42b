import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from annotator.errors import UsageError
from annotator.store.records import Failure, FailureCount
from annotator.store.review_records import Answer, GivenLabel
from annotator.store.schema import Clip


@pytest.fixture
def ranked(world, make_segment, make_result):
    """Five clips, of which the last is retired and the one before has no answer."""
    world.sync("a.mp4")
    plan = [make_segment(n * 1000, (n + 1) * 1000, f"text {n}") for n in range(5)]
    ids = world.plan("a.mp4", plan)
    answers = [
        make_result(ids[0], 1.0, (0.5, 0.9), (9.0, 0.0), bald=0.3),
        make_result(ids[1], 3.0, (0.1, 0.8), (3.0, 4.0)),
        make_result(ids[2], 2.0, (0.8, 0.4), (5.0, 5.0), bald=0.7),
        make_result(ids[4], 9.0, (0.5, 0.5), (99.0, 99.0), bald=0.9),
    ]
    world.store.save_results(world.run_id, world.model_id, answers)
    world.plan("a.mp4", plan[:4])
    return ids


@pytest.mark.parametrize(
    ("by", "label", "order", "scores"),
    [
        ("variance", None, [1, 2, 0], [3.0, 2.0, 1.0]),
        ("bald", None, [2, 0], [0.7, 0.3]),
        ("entropy", None, [0, 1, 2], [0.5, 0.5, 0.5]),
        ("margin", None, [0, 1, 2], [0.2, 0.2, 0.2]),
        ("variance", "sad", [0, 2, 1], [math.sqrt(81 / 2), 5.0, math.sqrt(25 / 2)]),
        ("margin", "happy", [0, 2, 1], [0.0, 0.6, 0.8]),
        ("entropy", "sad", [2, 1, 0], [0.9709506, 0.7219281, 0.4689956]),
    ],
)
def test_top_is_least_sure_first(world, ranked, by, label, order, scores):
    found = world.store.top(world.model_id, by, 10, label=label)
    assert [clip.clip_id for clip in found] == [ranked[n] for n in order]
    assert [clip.score for clip in found] == pytest.approx(scores)


def test_top_says_what_a_list_shows(world, ranked):
    (clip,) = world.store.top(world.model_id, limit=1)
    assert (clip.path, clip.start_ms, clip.end_ms) == (Path("/c/a.mp4"), 1000, 2000)
    assert [(label.label, label.p) for label in clip.scores.labels] == [
        ("happy", 0.1),
        ("sad", 0.8),
    ]
    assert clip.text == "text 1"


def test_top_without_limit_is_all(world, ranked):
    assert len(world.store.top(world.model_id)) == 3
    assert world.store.top(world.model_id, limit=0) == []


def test_top_by_split(world, ranked):
    with world.store._write() as connection:
        connection.execute(update(Clip).where(Clip.id == ranked[2]).values(split="dev"))
    assert [clip.clip_id for clip in world.store.top(world.model_id, split="dev")] == [ranked[2]]
    with pytest.raises(UsageError, match=r"no clips of a split 'none': expected one of .*dev"):
        world.store.top(world.model_id, split="none")


@pytest.mark.parametrize(
    ("by", "label", "message"),
    [("size", None, "no score"), ("variance", "joy", "happy, sad"), ("bald", "sad", "whole clip")],
)
def test_top_refuses_what_there_is_not(world, ranked, by, label, message):
    with pytest.raises(UsageError, match=message):
        world.store.top(world.model_id, by, label=label)


@pytest.mark.parametrize("by", ["variance", "entropy", "margin", "bald"])
def test_top_reads_an_index_and_sorts_nothing_but_ties(sqlite_world, by):
    direction = "ASC" if by == "margin" else "DESC"
    plan = sqlite_world.rows(
        "EXPLAIN QUERY PLAN SELECT p.clip_id FROM prediction p JOIN clip ON clip.id = p.clip_id "
        f"WHERE p.model_id = 1 AND p.{by} IS NOT NULL AND clip.active = 1 "
        f"ORDER BY p.{by} {direction}, p.clip_id LIMIT 500"
    )
    assert f"INDEX ix_prediction_model_id_{by}" in str(plan)


def test_show_by_path_has_all_clips_of_the_file(world, ranked, monkeypatch):
    shown = world.store.show("/c/a.mp4")
    assert [clip.clip_id for clip in shown] == ranked
    assert [clip.active for clip in shown] == [True] * 4 + [False]
    assert [len(clip.predictions) for clip in shown] == [1, 1, 1, 0, 1]
    monkeypatch.chdir("/")
    assert world.store.show("c/../c/a.mp4") == shown == world.store.show(Path("c/a.mp4"))
    assert world.store.show(str(ranked[3])) == [shown[3]]


def test_show_of_the_unknown_is_wrong_use(world):
    for what in ("1", 1, "a.mp4", "9" * 30, "٣"):
        with pytest.raises(UsageError, match="in this workspace"):
            world.store.show(what)


def test_status_counts(world, ranked):
    world.sync("a.mp4", "b.mp4", "c.mp4")
    for name in ("b.mp4", "c.mp4"):
        world.store.fail_media(world.media_id(name), "probe", "no stream")
    world.store.fail_clip(ranked[3], "decode", "no frame")
    status = world.store.status()
    assert status.media == {"planned": 1, "failed": 2}
    assert status.clips == {"ready": 3, "failed": 1}
    assert status.retired_clips == 1
    assert status.predictions == {"m1": 4}
    assert status.media_ms == 60_000
    assert status.failures == (
        FailureCount("media", "probe", "no stream", 2),
        FailureCount("clip", "decode", "no frame", 1),
    )
    assert [model.name for model in status.models] == ["m1"]
    assert status.last_run.state == "running"
    path = Path("/c/b.mp4")
    failures = world.store.failures()
    assert failures[0] == Failure(path, "probe", "no stream", None, None, None)
    assert failures[-1] == Failure(Path("/c/a.mp4"), "decode", "no frame", ranked[3], 3000, 4000)


def test_status_of_an_empty_store(world, tmp_path):
    from annotator.store.engine import open_store

    with open_store(tmp_path / "empty.db") as store:
        status = store.status()
    assert (status.media, status.clips, status.models, status.last_run) == ({}, {}, (), None)


def test_model_is_known_by_name_and_weights(world, facts):
    assert world.store.register_model(facts()) == world.model_id
    other = world.store.register_model(facts(name="m2", weights_hash="b" * 64, parent="m1"))
    assert other != world.model_id
    with pytest.raises(UsageError, match="other weights"):
        world.store.register_model(facts(weights_hash="b" * 64))
    first, second = world.store.models()
    assert (first.labels, first.config, first.path) == (
        ("happy", "sad"),
        {"dim": 8},
        Path("models/m1"),
    )
    assert (second.name, second.parent, second.trained) == ("m2", "m1", False)
    assert timedelta(0) <= datetime.now(UTC) - first.created_at < timedelta(minutes=5)


def test_run_keeps_its_settings_and_outcome(world):
    world.store.finish_run(world.run_id, "done", {"clips": 3}, {"decode": 1.5})
    run = world.store.status().last_run
    assert (run.run_id, run.model, run.state) == (world.run_id, "m1", "done")
    assert run.settings == {"root": "corpus"}
    assert (run.counts, run.stage_seconds) == ({"clips": 3}, {"decode": 1.5})
    assert run.finished_at >= run.started_at


def test_what_people_answered_is_shown_with_the_clip_and_counted(world, make_segment):
    world.sync("a.mp4")
    (clip,) = world.plan("a.mp4", [make_segment(0, 1000)])
    project = world.store.save_project("http://ls", 3, "pilot", ("happy", "sad"))
    world.store.begin_sending(project.project_id, world.model_id, {"sample": clip}, shown=True)
    world.store.sent(project.project_id, {"sample": 7})
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    answer = Answer(5, 7, "ann", "labelled", (GivenLabel("sad", 4, "manual"),), False, "hm", 2.5,
                    None, [], moment, moment)  # fmt: skip
    world.store.save_answers(project.project_id, {7: [answer]})
    (shown,) = world.store.show(clip)
    assert [given.answer for given in shown.answers] == [answer]
    (counts,) = world.store.status().projects
    assert (counts.title, counts.tasks, counts.answers) == ("pilot", {"there": 1}, {"labelled": 1})
