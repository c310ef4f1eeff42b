"""One clip's frames and sound: which are its own, in what blocks, and what is said of the rest."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fake_extractors as fakes
from annotator.clipwork import BLOCK_SAMPLES, FACES_A_BATCH, SAMPLES_PER_MS, ClipWork
from annotator.clock import StageClock
from annotator.errors import StageFailure
from annotator.types import Absent, AudioStream, Features, MediaInfo, Segment, VideoStream

FRAME_MS = 200
VIDEO = VideoStream(0, "h264", 320, 96, 25.0, 0)
AUDIO = AudioStream(1, "aac", 48_000, 2)
BOTH = MediaInfo("mp4", 100_000, VIDEO, AUDIO)


def work(start_ms=0, end_ms=1_000, *, info=BOTH, known=None, text=None, **changes) -> ClipWork:
    segment = Segment(start_ms, end_ms, "file", text, "sidecar" if text else None)
    return ClipWork(segment, known or {}, info, fakes.tools(**changes), StageClock(), FRAME_MS)


def sound(milliseconds: int) -> np.ndarray:
    count = milliseconds * SAMPLES_PER_MS
    return np.linspace(0, 1, count, dtype=np.float32)


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=8))
def test_clips_end_to_end_share_the_grid_without_rest(lengths):
    edges = np.cumsum([0, *lengths]).tolist()
    clips = [work(*pair) for pair in pairwise(edges)]
    for time_ms in range(0, edges[-1], FRAME_MS):
        owners = [clip for clip in clips if clip.wants_frame(time_ms)]
        own = [o for o in owners if o.segment.start_ms <= time_ms < o.segment.end_ms]
        assert len(own) == 1
        borrowed = [o for o in owners if o not in own]
        assert all(o.frames_until - o.frames_from == 1 for o in borrowed), "only where it has none"


@given(st.integers(0, 5_000), st.integers(1, 5_000))
def test_every_clip_has_a_frame_on_screen_in_it(start, length):
    clip = work(start, start + length)
    times = [t for t in range(0, start + length, FRAME_MS) if clip.wants_frame(t)]
    assert times
    assert times[0] > start - FRAME_MS


@given(st.sets(st.integers(1, 3_199), max_size=12), st.integers(0, 1_500), st.integers(1, 1_500))
def test_sound_is_the_clips_own_however_it_arrives(cuts, start, length):
    whole = sound(3_200)
    clip = work(start, start + length)
    for first, last in pairwise([0, *sorted(cuts), 3_200]):
        clip.add_sound(first, whole[first * SAMPLES_PER_MS : last * SAMPLES_PER_MS])
    clip.add_frame(1)
    got = clip.finish().audio
    own = whole[start * SAMPLES_PER_MS : (start + length) * SAMPLES_PER_MS]
    expected = fakes.Sound().block(own).astype(np.float16)
    assert np.array_equal(got.values, expected)


def test_blocks_begin_with_the_clip_and_hold_thirty_seconds():
    clip = work(700, 62_000)
    for start in range(0, 63_000, 500):
        clip.add_sound(start, sound(500))
    clip.add_frame(1)
    clip.finish()
    rest = (62_000 - 700) * SAMPLES_PER_MS - 2 * BLOCK_SAMPLES
    assert clip.tools.audio.lengths == [BLOCK_SAMPLES, BLOCK_SAMPLES, rest]


def test_many_faces_are_embedded_in_batches_without_changing_them():
    clip = work(0, 100_000, info=MediaInfo("mp4", 100_000, VIDEO, None))
    count = 2 * FACES_A_BATCH + 3
    for number in range(count):
        clip.add_frame(number)
        clip.add_frame(None)
    assert clip.finish().visual.values[:, 0].tolist() == list(range(count))


@pytest.mark.parametrize(
    ("video_ms", "audio_ms", "over"),
    [(999, 999, False), (1_000, 999, False), (999, 1_000, False), (1_000, 1_000, True)],
)
def test_a_clip_is_over_when_both_streams_have_passed_it(video_ms, audio_ms, over):
    assert work().is_over(video_ms, audio_ms) is over


def test_a_stream_that_is_not_wanted_is_not_waited_for():
    cached = {"visual": Absent("no face found", "fake-faces@1")}
    assert work(known=cached).is_over(0, 1_000)
    assert work(info=MediaInfo("mp4", 1_000, VIDEO, None)).is_over(1_000, 0)


def test_a_failure_ends_the_clip_and_is_what_finish_says():
    clip = work()
    clip.failure = StageFailure("features", "too loud")
    assert clip.is_over(0, 0)
    with pytest.raises(StageFailure, match="too loud"):
        clip.finish()


def test_nothing_decoded_is_a_failure_even_with_a_transcript():
    with pytest.raises(StageFailure, match="cut or broken") as caught:
        work(text="words").finish()
    assert caught.value.stage == "decode"


def test_pictures_that_never_came_are_not_called_faceless():
    clip = work()
    clip.add_sound(0, sound(1_000))
    assert clip.finish().visual == Absent("no picture in this part", "fake-faces@1")


def test_sound_that_never_came_says_so():
    clip = work(asr=fakes.Ears())
    clip.add_frame(3)
    features = clip.finish()
    assert features.audio == Absent("no sound in this part", "fake-sound@1")
    assert features.text == Absent("no speech recognised", "fake-words@1")


def test_known_modalities_are_kept_and_not_made_again():
    known = {
        "visual": Features(np.ones((2, 2), np.float16), "fake-faces@1"),
        "audio": Absent("no sound in this part", "fake-sound@1"),
    }
    clip = work(known=known, text="two words")
    assert (clip.wants_video, clip.wants_audio) == (False, False)
    features = clip.finish()
    assert features.visual is known["visual"]
    assert features.audio is known["audio"]
    assert features.text.steps == 2


def test_known_sound_is_still_heard_where_words_are_missing():
    known = {"audio": Features(np.ones((2, 2), np.float16), "fake-sound@1")}
    clip = work(known=known, asr=fakes.Ears(), info=MediaInfo("wav", 1_000, None, AUDIO))
    assert clip.wants_audio
    clip.add_sound(0, sound(1_000))
    features = clip.finish()
    assert features.transcript == "n16000"
    assert clip.tools.audio.lengths == []
    assert features.audio is known["audio"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_numbers_the_network_cannot_use_are_refused(value):
    class Loud(fakes.Sound):
        def block(self, samples):
            return np.full((1, 2), value, np.float32)

    clip = work(audio=Loud(), info=MediaInfo("wav", 1_000, None, AUDIO))
    clip.add_sound(0, sound(1_000))
    with pytest.raises((StageFailure, ValueError), match="finite"):
        clip.finish()


def test_text_that_is_not_finite_is_refused():
    class Wild(fakes.Words):
        def embed(self, text):
            return np.array([[np.inf, 1]], np.float16)

    clip = work(text="words")
    clip.tools = fakes.tools(text=Wild())
    clip.add_frame(1)
    with pytest.raises(StageFailure, match="text features are not finite"):
        clip.finish()


def test_time_is_charged_to_its_stage():
    clip = work(text="words")
    clip.add_frame(1)
    clip.add_sound(0, sound(1_000))
    clip.finish()
    assert clip.clock.seconds.keys() == {"expressions", "audio", "text"}
