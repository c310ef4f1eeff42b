"""From a file to the features of its clips: real media, extractors that say what they got."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fake_extractors as fakes
import media_samples
from annotator import stages
from annotator.clock import StageClock
from annotator.corpus.plan import PlanSettings
from annotator.corpus.sidecars import Sidecars, find_sidecars
from annotator.errors import EnvironmentFault, StageFailure
from annotator.features.cache import FeatureCache
from annotator.stages import (
    GAP_MS,
    SPAN_MS,
    ClipFailed,
    Extracted,
    MediaFailed,
    MediaJob,
    Planned,
    annotate_media,
    bounds,
    content_hash_of,
    decode_spans,
)
from annotator.types import Absent, Segment, SegmentMode, TranscriptMode

WINDOWS = PlanSettings(SegmentMode.WINDOWS, TranscriptMode.NONE, 2_000)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Twenty seconds: frame n at n / 25 s, and a click at each second."""
    return media_samples.video(tmp_path_factory.mktemp("film") / "film.mkv", seconds=20)


@pytest.fixture
def cache(tmp_path) -> FeatureCache:
    return FeatureCache(tmp_path / "features")


def clip(start_ms: int, end_ms: int, text: str | None = None) -> Segment:
    return Segment(start_ms, end_ms, "manifest", text, "manifest" if text else None)


def planned(path: Path, *clips: Segment, wanted: tuple[Segment, ...] | None = None) -> MediaJob:
    return MediaJob(
        media_id=1,
        path=path,
        size=path.stat().st_size,
        settings=WINDOWS,
        sidecars=Sidecars(),
        content_hash=content_hash_of(path),
        planned=clips,
        wanted=frozenset(map(bounds, clips if wanted is None else wanted)),
    )


def unplanned(path: Path, settings: PlanSettings = WINDOWS) -> MediaJob:
    return MediaJob(1, path, path.stat().st_size, settings, find_sidecars(path))


def events_of(job, cache, tools=None, clock=None, stopping=lambda: False):
    return list(annotate_media(job, tools or fakes.tools(), cache, clock or StageClock(), stopping))


def by_bounds(events):
    return {bounds(event.segment): event for event in events if not isinstance(event, Planned)}


def frames(event) -> list[int]:
    return event.features.visual.values[:, 0].astype(int).tolist()


# Spans of the decoder.

clips_anywhere = st.lists(
    st.builds(
        lambda start, length: clip(start, start + length),
        st.integers(0, 2_000_000),
        st.one_of(st.integers(1, 20_000), st.integers(1, 2 * SPAN_MS)),
    ),
    max_size=60,
    unique_by=bounds,
)


@given(clips_anywhere)
def test_every_clip_is_in_one_span_and_spans_follow_each_other(clips):
    spans = list(decode_spans(clips))
    assert [clip for span in spans for clip in span] == sorted(clips, key=bounds)
    for before, after in pairwise(spans):
        assert max(clip.end_ms for clip in before) <= after[0].start_ms, "decoded twice"


@given(clips_anywhere)
def test_a_span_has_no_long_gap_and_grows_beyond_its_length_only_by_overlap(clips):
    for span in decode_spans(clips):
        end_ms = span[0].end_ms
        for clip in span[1:]:
            assert clip.start_ms <= end_ms + GAP_MS
            assert clip.start_ms < end_ms or end_ms - span[0].start_ms < SPAN_MS
            end_ms = max(end_ms, clip.end_ms)


@given(clips_anywhere, st.randoms())
def test_spans_do_not_depend_on_the_order_given(clips, random):
    shuffled = random.sample(clips, len(clips))
    assert list(decode_spans(shuffled)) == list(decode_spans(clips))


# What each clip gets.


def test_overlapping_clips_each_get_all_their_frames_and_sound(film, cache):
    clips = clip(0, 2_000), clip(1_000, 3_000), clip(1_000, 1_500), clip(2_900, 4_150)
    tools = fakes.tools()
    found = by_bounds(events_of(planned(film, *clips), cache, tools))
    assert frames(found[0, 2_000]) == list(range(0, 50, 5))
    assert frames(found[1_000, 3_000]) == list(range(25, 75, 5))
    assert frames(found[1_000, 1_500]) == [25, 30, 35]
    assert frames(found[2_900, 4_150]) == list(range(75, 104, 5))
    assert sorted(tools.audio.lengths) == [8_000, 20_000, 32_000, 32_000]
    assert len(tools.visual.seen) == len(set(tools.visual.seen)), "a face was looked for twice"
    clicks = found[1_000, 3_000].features.audio.values[:, 1] > 0.2
    assert np.flatnonzero(clicks).tolist() == [0, 10]


@pytest.mark.parametrize(
    ("start", "end", "shown"), [(210, 220, 5), (1, 2, 0), (19_990, 20_000, 495)]
)
def test_a_clip_between_two_frames_gets_the_one_on_screen(film, cache, start, end, shown):
    (event,) = events_of(planned(film, clip(start, end)), cache)
    assert frames(event) == [shown]
    assert event.features.audio.steps == 1


def test_a_clip_longer_than_a_block_is_heard_block_by_block(tmp_path, cache):
    sound = media_samples.audio(tmp_path / "long.wav", seconds=65)
    tools = fakes.tools(asr=fakes.Ears())
    (event,) = events_of(planned(sound, clip(0, 65_000)), cache, tools)
    assert tools.audio.lengths == [480_000, 480_000, 80_000]
    assert event.features.audio.steps == 500, "650 steps are pooled"
    assert event.features.transcript == "n480000 n480000 n80000"
    assert event.features.transcript_origin == "asr"


def test_absent_modalities_say_why(tmp_path, film, cache):
    mute = media_samples.video(tmp_path / "mute.mp4", seconds=1, sound=None)
    sound = media_samples.audio(tmp_path / "sound.wav", seconds=1)

    def reasons(path, **changes):
        (event,) = events_of(planned(path, clip(0, 1_000)), cache, fakes.tools(**changes))
        found = {name: getattr(event.features, name) for name in ("visual", "audio", "text")}
        return {name: item.reason for name, item in found.items() if isinstance(item, Absent)}

    assert reasons(mute) == {"audio": "no audio stream", "text": "no transcript"}
    assert reasons(sound) == {"visual": "no video stream", "text": "no transcript"}
    blind = fakes.Faces("blind@1", faceless=True)
    assert reasons(film, visual=blind)["visual"] == "no face found"
    deaf = fakes.Ears("deaf@1", deaf=True)
    assert reasons(sound, asr=deaf)["text"] == "no speech recognised"
    assert reasons(mute, asr=deaf)["text"] == "no transcript", "nobody could have listened"


def test_a_clip_with_nothing_to_go_by_fails_with_all_reasons(tmp_path, cache):
    mute = media_samples.video(tmp_path / "mute.mp4", seconds=1, sound=None)
    tools = fakes.tools(visual=fakes.Faces(faceless=True))
    (event,) = events_of(planned(mute, clip(0, 1_000)), cache, tools)
    assert isinstance(event, ClipFailed)
    assert event.reason == "nothing to go by: no face found, no audio stream, no transcript"


# Broken files and extractors.


def test_a_cut_file_gives_what_it_has_and_fails_the_rest(tmp_path, film, cache):
    cut = media_samples.truncated(tmp_path / "cut.mkv", film, 0.5)
    clips = [clip(start, start + 2_000) for start in range(0, 20_000, 2_000)]
    events = events_of(planned(cut, *clips), cache)
    kinds = [type(event) for event in events]
    assert len(events) == len(clips)
    assert kinds == sorted(kinds, key=[Extracted, ClipFailed].index), "the first part is whole"
    assert Extracted in kinds
    assert isinstance(events[-1], ClipFailed)
    assert (events[-1].stage, "cut" in events[-1].reason) == ("decode", True)


def test_a_span_past_the_cut_fails_alone(tmp_path, film, cache):
    cut = media_samples.truncated(tmp_path / "cut.mkv", film, 0.3)
    first, last = events_of(planned(cut, clip(0, 1_000), clip(18_000, 19_000)), cache)
    assert isinstance(first, Extracted)
    assert isinstance(last, ClipFailed)
    assert last.stage == "decode"


def test_a_frame_that_breaks_the_extractor_costs_its_clips_only(film, cache):
    tools = fakes.tools(visual=fakes.Faces(broken=frozenset({30})))
    clips = clip(0, 1_000), clip(500, 1_500), clip(1_000, 2_000), clip(1_300, 2_000)
    found = by_bounds(events_of(planned(film, *clips), cache, tools))
    failed = {key for key, event in found.items() if isinstance(event, ClipFailed)}
    assert failed == {(500, 1_500), (1_000, 2_000)}
    assert found[500, 1_500].reason == "ValueError: frame 30 is too much"


def test_a_block_that_breaks_the_extractor_costs_its_clip_only(tmp_path, cache):
    sound = media_samples.audio(tmp_path / "long.wav", seconds=35)
    tools = fakes.tools(audio=fakes.Sound(error=ValueError("too loud")))
    long, known = clip(0, 35_000, "given"), clip(0, 1_000)
    events_of(planned(sound, known), cache)
    found = by_bounds(events_of(planned(sound, long, known), cache, tools))
    assert isinstance(found[0, 1_000], Extracted), "from the cache"
    assert found[0, 35_000].reason == "ValueError: too loud"


def test_a_fault_of_the_machine_is_no_clips_fault(film, cache):
    tools = fakes.tools(audio=fakes.Sound(error=EnvironmentFault("no memory")))
    with pytest.raises(EnvironmentFault, match="no memory"):
        events_of(planned(film, clip(0, 1_000)), cache, tools)


def test_what_is_no_media_fails_as_a_file(tmp_path, cache):
    (tmp_path / "a.mp4").write_text("not media")
    (event,) = events_of(unplanned(tmp_path / "a.mp4"), cache)
    assert isinstance(event, MediaFailed)
    assert event.stage == "probe"
    with pytest.raises(StageFailure, match="cannot read"):
        content_hash_of(tmp_path / "gone.mp4")


# Plans, resumed jobs, the cache, stopping.


def test_an_unplanned_file_is_planned_first_with_notes(tmp_path, film, cache):
    path = tmp_path / "film.mkv"
    path.write_bytes(film.read_bytes())
    cues = "1\n00:00:01,000 --> 00:00:02,000\nHello there\n\n"
    path.with_suffix(".srt").write_text(cues + cues.replace("00:00:0", "00:01:0"))
    opened, clip = events_of(unplanned(path, PlanSettings(SegmentMode.SIDECAR)), cache)
    assert isinstance(opened, Planned)
    assert opened.content_hash == content_hash_of(film)
    assert [segment.text for segment in opened.segments] == ["Hello there"]
    assert "1 subtitle cues past the end" in opened.notes[0]
    assert clip.features.transcript == "Hello there"
    assert clip.features.text.values[:, 0].tolist() == [5, 5]


SEVERAL = (
    clip(0, 1_990),
    clip(2_500, 4_000),
    clip(3_310, 3_320),
    clip(4_000, 6_070),
    clip(17_000, 19_990),
)


@pytest.mark.parametrize("number", range(len(SEVERAL)))
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_resumed_job_gets_the_same_features(tmp_path, film, monkeypatch, number, suffix):
    monkeypatch.setattr(stages, "SPAN_MS", 3_000)
    path = film.with_name(f"again.{suffix}")
    if not path.exists():
        media_samples.ffmpeg("-i", f"file:{film}", "-c:v", "copy", "-c:a", "aac", f"file:{path}")
    whole = by_bounds(events_of(planned(path, *SEVERAL), FeatureCache(tmp_path / "a")))
    job = planned(path, *SEVERAL, wanted=(SEVERAL[number],))
    (resumed,) = events_of(job, FeatureCache(tmp_path / "b"))
    expected = whole[bounds(resumed.segment)].features
    assert bounds(resumed.segment) == bounds(SEVERAL[number])
    for modality in ("visual", "audio"):
        wanted = expected.modality(modality).values
        assert np.array_equal(resumed.features.modality(modality).values, wanted)


def test_cached_clips_decode_nothing(film, cache):
    job = planned(film, clip(0, 2_000, "given words"), clip(2_000, 4_000))
    first = events_of(job, cache, fakes.tools(asr=fakes.Ears()))
    clock, tools = StageClock(), fakes.tools(asr=fakes.Ears())
    again = events_of(job, cache, tools, clock)
    assert clock.seconds.keys() == {"cache"}
    for before, after in zip(first, again, strict=True):
        assert before.segment == after.segment
        assert before.features.transcript == after.features.transcript
        assert np.array_equal(before.features.audio.values, after.features.audio.values)


def test_another_sound_extractor_leaves_the_pictures_and_words_alone(film, cache):
    job = planned(film, clip(0, 2_000))
    events_of(job, cache, fakes.tools(asr=fakes.Ears()))
    tools = fakes.tools(audio=fakes.Sound("fake-sound@2"), asr=fakes.Ears())
    (event,) = events_of(job, cache, tools)
    assert tools.visual.seen == []
    assert event.features.audio.extractor == "fake-sound@2"
    assert (event.features.transcript, event.features.transcript_origin) == ("n32000", "asr")
    assert isinstance(cache.get(content_hash_of(film), clip(0, 2_000), tools), type(event.features))


@pytest.mark.parametrize("cached", [False, True])
def test_no_clip_is_begun_once_it_is_to_stop(film, cache, cached):
    job = planned(film, *(clip(start, start + 1_000) for start in range(0, 8_000, 1_000)))
    if cached:
        events_of(job, cache)
    tools, got = fakes.tools(), []
    for event in annotate_media(job, tools, cache, StageClock(), lambda: len(got) >= 2):
        got.append(event)  # noqa: PERF402  the lambda looks at it
    assert [bounds(event.segment) for event in got] == [(0, 1_000), (1_000, 2_000)]
    assert max(tools.visual.seen, default=0) < 100, "decoded on"


def test_stopping_leaves_later_spans_alone(film, cache):
    asked = iter([False, False, False, True])  # two look-ups, the decision to decode, one clip
    job = planned(film, clip(0, 1_000), clip(15_000, 16_000))
    events = events_of(job, cache, stopping=lambda: next(asked, True))
    assert [bounds(event.segment) for event in events] == [(0, 1_000)]


def test_a_changed_plan_of_the_same_job_is_not_mixed_up(film, cache):
    job = planned(film, clip(0, 2_000, "one"))
    events_of(job, cache)
    other = replace(job, planned=(clip(0, 2_000, "two words"),))
    (event,) = events_of(other, cache)
    assert event.features.text.steps == 2
