from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine

from annotator.errors import UsageError
from annotator.types import Source


def test_unknown_files_are_new_and_wait(world):
    world.sync("b.mp4", "a.mp4")
    assert world.pending() == {"a.mp4": None, "b.mp4": None}
    assert [media.size for media in world.store.pending(world.run_id, world.model_id)] == [1, 1]


def test_nothing_found_is_nothing_to_do(world):
    world.sync()
    assert world.pending() == {}


def test_unchanged_files_keep_their_state(world, make_segment):
    world.sync("a.mp4", "b.mp4")
    world.answer(*world.plan("a.mp4", [make_segment(0, 1000)]))
    world.store.fail_media(world.media_id("b.mp4"), "probe", "no stream")
    world.sync("a.mp4", "b.mp4")
    assert world.pending() == {}
    assert world.rows("SELECT state, stage, reason FROM media ORDER BY path") == [
        ("planned", None, None),
        ("failed", "probe", "no stream"),
    ]


@pytest.mark.parametrize("change", [{"size": 2}, {"key": "other"}])
def test_a_changed_file_is_new_again_and_keeps_its_clips(world, make_segment, change):
    world.sync("a.mp4", "b.mp4")
    world.answer(*world.plan("a.mp4", [make_segment(0, 1000)]))
    world.store.fail_media(world.media_id("b.mp4"), "probe", "no stream")
    world.sync("a.mp4", "b.mp4", **change)
    assert world.pending() == {"a.mp4": None, "b.mp4": None}
    assert world.rows("SELECT DISTINCT stage, reason FROM media") == [(None, None)]
    assert (world.count("clip"), world.count("prediction")) == (1, 1)


def test_a_run_is_about_its_own_files(world):
    world.sync("a.mp4", "b.mp4")
    later = world.store.start_run(world.model_id, {}, "0.1.0")
    world.sync("b.mp4", "c.mp4", run_id=later)
    assert list(world.pending()) == ["a.mp4", "b.mp4"]  # though another has seen b since
    assert list(world.pending(later)) == ["b.mp4", "c.mp4"]
    assert world.rows("SELECT seen_run FROM media ORDER BY path") == [
        (world.run_id,),
        (later,),
        (later,),
    ]


def test_sightings_of_finished_runs_are_dropped(world):
    world.sync("a.mp4")
    world.store.finish_run(world.run_id, "interrupted", {}, {})
    assert list(world.pending()) == ["a.mp4"]  # asked for the summary
    world.store.start_run(world.model_id, {}, "0.1.0")
    assert world.count("sighting") == 0


def test_retry_all(world, make_segment):
    world.sync("a.mp4", "b.mp4")
    (clip_id,) = world.plan("a.mp4", [make_segment(0, 1000)])
    world.store.fail_clip(clip_id, "decode", "no frame")
    world.store.fail_media(world.media_id("b.mp4"), "probe", "no stream")
    assert world.pending() == {}
    assert world.store.retry() == 2
    assert world.pending() == {"a.mp4": 1, "b.mp4": None}
    assert world.store.retry() == 0


def test_retry_by_number_and_by_path(world, make_segment):
    world.sync("a.mp4", "b.mp4")
    ids = world.plan("a.mp4", [make_segment(0, 1000), make_segment(1000, 2000)])
    for clip_id in ids:
        world.store.fail_clip(clip_id, "decode", "no frame")
    world.store.fail_media(world.media_id("b.mp4"), "probe", "no stream")
    assert world.store.retry([str(ids[0])]) == 1
    assert world.pending() == {"a.mp4": 1}
    assert world.store.retry([Path("/c/a.mp4"), "/c/b.mp4"]) == 2
    assert world.store.retry([]) == 0


def test_a_failure_that_comes_after_the_models_answer_hides_nothing(world, make_segment):
    world.sync("a.mp4")
    (clip_id,) = world.plan("a.mp4", [make_segment(0, 1000)])
    world.answer(clip_id)
    world.store.fail_clip(clip_id, "decode", "no frame", world.model_id)
    assert world.store.failures() == []
    assert len(list(world.store.ranked(world.model_id))) == 1
    world.store.fail_clip(clip_id, "decode", "no frame", world.model_id + 1)
    assert len(world.store.failures()) == 1


@pytest.mark.parametrize("what", ["/c/none.mp4", "99", 99, "9" * 30])
def test_retry_of_the_unknown_is_wrong_use(world, what):
    with pytest.raises(UsageError, match="in this workspace"):
        world.store.retry([what])


def test_retry_with_one_unknown_changes_nothing(world):
    world.sync("a.mp4")
    world.store.fail_media(world.media_id("a.mp4"), "probe", "no stream")
    with pytest.raises(UsageError):
        world.store.retry(["/c/a.mp4", "/c/none.mp4"])
    assert len(world.store.failures()) == 1


def test_reasons_may_hold_anything(world):
    world.sync("a.mp4")
    world.store.fail_media(world.media_id("a.mp4"), "probe", "bad \udcff\0 name")
    assert world.store.failures()[0].reason == "bad \\udcff\\x00 name"


def test_ten_thousand_unchanged_files_take_as_many_statements_as_one(world):
    def statements(count: int) -> int:
        found = [(Source(Path(f"/c/{n:05}.mp4"), n, n), "key") for n in range(count)]
        world.store.sync_sources(world.run_id, found)
        sent = []
        listen = (Engine, "after_cursor_execute", lambda *event: sent.append(event[2]))
        sqlalchemy.event.listen(*listen)
        try:
            world.store.sync_sources(world.run_id, found)
        finally:
            sqlalchemy.event.remove(*listen)
        return len(sent)

    assert statements(10_000) == statements(1) > 0
