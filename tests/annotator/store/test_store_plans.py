from dataclasses import replace

import pytest

from annotator.types import MediaInfo, Segment


def test_a_plan_makes_clips_that_wait(world, make_segment):
    world.sync("a.mp4")
    plan = [make_segment(0, 1000, "one", happy=1.0), make_segment(1000, 2500, None)]
    plan[0] = replace(plan[0], speaker="ann", split="train")
    ids = world.plan("a.mp4", plan)
    assert len(set(ids)) == 2
    assert world.pending() == {"a.mp4": 2}
    media_id = world.media_id("a.mp4")
    waiting = world.store.pending_clips(media_id, world.model_id)
    assert [clip.segment for clip in waiting] == plan
    assert world.store.segments(media_id) == tuple(plan)
    (media,) = world.store.pending(world.run_id, world.model_id)
    assert (media.content_hash, media.media_id) == ("h", media_id)
    assert world.store.pending_media(media_id, world.model_id) == media


def test_what_the_probe_found_is_kept(world):
    world.sync("a.mp4")
    world.plan("a.mp4", [])
    assert world.rows(
        "SELECT state, container, duration_ms, has_video, has_audio, video_codec, audio_codec,"
        " width, height FROM media"
    ) == [("planned", "mp4", 60_000, 1, 1, "h264", "aac", 1280, 720)]
    world.store.save_plan(
        world.media_id("a.mp4"), "h", MediaInfo("wav", 5, None, None), [], world.model_id
    )
    assert world.rows("SELECT has_video, has_audio, video_codec, width FROM media") == [
        (0, 0, None, None)
    ]


def test_a_file_without_clips_is_done(world):
    world.sync("a.mp4")
    assert world.plan("a.mp4", []) == []
    assert world.pending() == {}
    assert world.store.pending_media(world.media_id("a.mp4"), world.model_id) is None


def test_the_same_plan_again_changes_nothing(world, make_segment):
    world.sync("a.mp4")
    plan = [make_segment(0, 1000, happy=1.0), make_segment(1000, 2000)]
    ids = world.plan("a.mp4", plan)
    world.answer(ids[0])
    rows = "SELECT * FROM clip ORDER BY id", "SELECT * FROM clip_label ORDER BY clip_id"
    before = [world.rows(sql) for sql in rows]
    assert world.plan("a.mp4", plan) == [ids[1]]
    assert [world.rows(sql) for sql in rows] == before
    assert world.pending() == {"a.mp4": 1}


def test_dropped_bounds_are_kept_inactive_and_come_back(world, make_segment):
    world.sync("a.mp4")
    one, two = make_segment(0, 1000, happy=1.0), make_segment(1000, 2000)
    ids = world.plan("a.mp4", [one, two])
    world.answer(*ids)
    assert world.plan("a.mp4", [two]) == []
    assert world.store.segments(world.media_id("a.mp4")) == (two,)
    assert world.store.status().retired_clips == 1
    assert world.count("clip_label") == 1
    assert world.plan("a.mp4", [one, two]) == []  # the old answer still holds
    assert world.store.status().retired_clips == 0


def test_a_new_transcript_makes_the_answer_stale(world, make_segment):
    world.sync("a.mp4")
    ids = world.plan("a.mp4", [make_segment(0, 1000, "old"), make_segment(1000, 2000, "same")])
    world.answer(*ids)
    assert world.plan(
        "a.mp4", [make_segment(0, 1000, "new"), make_segment(1000, 2000, "same")]
    ) == [ids[0]]
    assert world.rows("SELECT clip_id FROM label_prediction GROUP BY 1") == [(ids[1],)]
    assert world.rows(
        "SELECT state, text, text_steps, visual_absent FROM clip WHERE id = ?", ids[0]
    ) == [("pending", "new", None, None)]


def test_new_content_makes_all_answers_stale_those_of_retired_clips_too(world, make_segment):
    world.sync("a.mp4", "b.mp4")
    ids = world.plan("a.mp4", [make_segment(0, 1000), make_segment(1000, 2000)])
    (other,) = world.plan("b.mp4", [make_segment(0, 1000)])
    world.answer(*ids, other)
    second = world.store.register_model(_second(world))
    world.answer(*ids, other, model_id=second)
    assert world.plan("a.mp4", [make_segment(0, 1000)], content="h2") == [ids[0]]
    assert world.rows("SELECT model_id, clip_id FROM prediction ORDER BY 1") == [
        (world.model_id, other),
        (second, other),
    ]


def _second(world):
    (known,) = world.store.models()
    return replace(known, name="m2", weights_hash="b" * 64)


def test_a_transcript_of_our_own_is_no_part_of_the_plan(world, make_segment, make_result):
    world.sync("a.mp4")
    plan = [make_segment(0, 1000, None)]
    (clip_id,) = world.plan("a.mp4", plan)
    heard = make_result(clip_id, transcript=("heard", "asr"))
    world.store.save_results(world.run_id, world.model_id, [heard])
    assert world.store.segments(world.media_id("a.mp4")) == tuple(plan)
    assert world.plan("a.mp4", plan) == []
    (shown,) = world.store.show(clip_id)
    assert (shown.segment.text, shown.segment.text_origin) == ("heard", "asr")
    assert world.plan("a.mp4", [make_segment(0, 1000, "written")]) == [clip_id]
    assert world.store.show(clip_id)[0].segment.text == "written"


def test_a_transcript_that_goes_is_a_change(world, make_segment):
    world.sync("a.mp4")
    (clip_id,) = world.plan("a.mp4", [make_segment(0, 1000, "text")])
    world.answer(clip_id)
    assert world.plan("a.mp4", [make_segment(0, 1000, None)]) == [clip_id]
    assert world.store.show(clip_id)[0].segment.text is None


def test_labels_are_replaced(world, make_segment):
    world.sync("a.mp4")
    (clip_id,) = world.plan("a.mp4", [make_segment(0, 1000, happy=1.0, sad=0.5)])
    world.answer(clip_id)
    assert world.plan("a.mp4", [make_segment(0, 1000, sad=0.25)]) == []
    assert world.store.show(clip_id)[0].segment.labels == {"sad": 0.25}


def test_a_new_plan_is_a_new_chance_for_a_failed_clip(world, make_segment):
    world.sync("a.mp4")
    ids = world.plan("a.mp4", [make_segment(0, 1000), make_segment(1000, 2000)])
    world.store.fail_clip(ids[0], "decode", "no frame")
    assert world.pending() == {"a.mp4": 1}
    assert world.plan("a.mp4", [make_segment(0, 1000), make_segment(1000, 2000)]) == ids


def test_a_failed_file_does_not_wait_though_its_clips_do(world, make_segment):
    world.sync("a.mp4")
    world.plan("a.mp4", [make_segment(0, 1000)])
    world.store.fail_media(world.media_id("a.mp4"), "worker", "killed")
    assert world.pending() == {}
    assert world.store.pending_media(world.media_id("a.mp4"), world.model_id) is None


def test_another_model_waits_for_all(world, make_segment):
    world.sync("a.mp4")
    ids = world.plan("a.mp4", [make_segment(0, 1000), make_segment(1000, 2000)])
    world.answer(*ids)
    second = world.store.register_model(_second(world))
    waiting = world.store.pending_clips(world.media_id("a.mp4"), second)
    assert [clip.clip_id for clip in waiting] == ids


def test_bounds_named_twice_are_one_clip(world, make_segment):
    world.sync("a.mp4")
    assert len(world.plan("a.mp4", [make_segment(0, 1000, "x"), make_segment(0, 1000, "y")])) == 1
    assert world.store.segments(world.media_id("a.mp4"))[0].text == "y"


@pytest.mark.parametrize("text", ["a\ud800b", "a\0b", "ё 😀\n'\"\\"])
def test_hostile_text_neither_breaks_nor_looks_changed(world, text):
    world.sync("a.mp4")
    plan = [Segment(0, 1000, "manifest", text, "manifest", text, text, {text: 1.0})]
    (clip_id,) = world.plan("a.mp4", plan)
    world.answer(clip_id)
    with world.store._write() as connection:  # as the answer of this very text would leave it
        connection.exec_driver_sql("UPDATE clip SET text = speaker")
    assert world.plan("a.mp4", plan) == []
