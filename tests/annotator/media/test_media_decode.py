from contextlib import closing

import numpy as np
import psutil
import pytest

import media_samples
from annotator.errors import EnvironmentFault, StageFailure
from annotator.media.decode import AudioChunk, Frame, decode, decode_audio
from annotator.media.probe import probe

RATE = 16_000
FRAME_MS = 1000 / media_samples.FPS


class Decoded:
    """All that a decode gave."""

    def __init__(self, path, **options):
        self.info = probe(path)
        self.pieces = []
        pieces = decode(path, self.info, **options)
        while True:
            try:
                self.pieces.append(next(pieces))
            except StopIteration as ended:
                self.report = ended.value
                break
        self.frames = [piece for piece in self.pieces if isinstance(piece, Frame)]
        self.chunks = [piece for piece in self.pieces if isinstance(piece, AudioChunk)]
        self.numbers = [media_samples.frame_number(frame.image) for frame in self.frames]
        self.times = [frame.time_ms for frame in self.frames]
        samples = [chunk.samples for chunk in self.chunks]
        self.samples = np.concatenate(samples) if samples else np.zeros(0, np.float32)

    @property
    def clicks(self):
        return media_samples.click_times(self.samples, RATE)


def assert_true_times(decoded, offset_ms=0.0):
    """Every frame is the one on screen at its time, in a stream that starts at `offset_ms`."""
    for time_ms, number in zip(decoded.times, decoded.numbers, strict=True):
        assert number == max(0, int((time_ms - offset_ms + 0.5) // FRAME_MS)), time_ms


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "ogv"])
def test_frames_and_sound_are_where_they_belong(samples, suffix):
    decoded = Decoded(samples.video(f"plain.{suffix}"))
    assert decoded.times == list(range(0, 3_000, 200))
    assert_true_times(decoded)
    assert decoded.clicks == pytest.approx([0, 1, 2], abs=0.003)
    assert len(decoded.samples) == pytest.approx(3 * RATE, abs=2)
    assert decoded.report.warning is None


def test_frames_no_other_needs_are_skipped_and_the_sample_is_hardly_older(tmp_path):
    """The preset of most H.264 on the web: three B-frames in a row, the middle one a reference."""
    medium = ("-c:v", "libx264", "-preset", "medium", "-bf", "3", "-pix_fmt", "yuv420p")
    path = media_samples.video(tmp_path / "b.mp4", seconds=8, codec=medium)
    assert probe(path).video.reordered
    whole = Decoded(path)
    shown = [int((time + 0.5) // FRAME_MS) for time in whole.times]
    late = [true - number for true, number in zip(shown, whole.numbers, strict=True)]
    assert min(late) >= 0, "no frame comes before its time"
    assert 0 < max(late) <= 3
    seeked = Decoded(path, start_ms=4_000)
    assert seeked.numbers == whole.numbers[20:], "a seek gives the same frames"


@pytest.mark.parametrize("suffix", ["avi", "flv", "mpg", "ts", "wmv"])
def test_containers_whose_sound_starts_before_the_pictures(samples, suffix):
    """Zero is where the file starts, with the encoder's delay; both streams agree on it."""
    decoded = Decoded(samples.video(f"plain.{suffix}"))
    offset_ms = decoded.clicks[-1] * 1000 - 2_000
    assert 0 < offset_ms < 60
    for time_ms, number in zip(decoded.times[1:], decoded.numbers[1:], strict=True):
        assert abs(number * FRAME_MS + offset_ms - time_ms) < FRAME_MS + 5


@pytest.mark.parametrize("suffix", media_samples.VIDEO_FORMATS)
def test_a_seek_gives_what_decoding_from_the_start_gives(samples, suffix):
    path = samples.video(f"long.{suffix}", seconds=8)
    whole = Decoded(path)
    part = Decoded(path, start_ms=5_400, end_ms=7_000)
    assert part.times == list(range(5_400, 7_000, 200))
    assert part.numbers == whole.numbers[27:35]
    assert part.clicks == pytest.approx([whole.clicks[-2] - 5.4], abs=0.01)
    assert len(part.samples) == 1.6 * RATE
    assert part.chunks[0].start_ms == 5_400


@pytest.mark.parametrize("suffix", media_samples.AUDIO_FORMATS)
def test_a_seek_in_sound(samples, suffix):
    path = samples.audio(f"plain.{suffix}")
    whole, part = Decoded(path), Decoded(path, start_ms=1_400, end_ms=2_500)
    assert whole.clicks == pytest.approx([0, 1, 2], abs=0.025)
    assert part.clicks == pytest.approx([0.6], abs=0.025)
    assert part.frames == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_rate_shows_what_is_on_screen(samples, suffix):
    path = samples(f"vfr.{suffix}", media_samples.variable_rate)
    assert Decoded(path).numbers == [0, 5, 9, 9, 9, 9, 9, 9, 40, 45, 50, 55, 60, 65, 70]
    # the frame on screen at 800 ms began at 360 ms
    assert Decoded(path, start_ms=800, end_ms=2_000).numbers == [9, 9, 9, 9, 40, 45]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_that_starts_late(samples, suffix):
    decoded = Decoded(samples.video(f"late_sound.{suffix}", sound_delay=0.7))
    assert_true_times(decoded)
    assert decoded.clicks == pytest.approx([0.7, 1.7, 2.7], abs=0.003)
    assert not decoded.samples[: int(0.65 * RATE)].any()


def test_pictures_that_start_late(samples):
    plain = samples.video("plain.mp4")
    path = samples("late_video.mp4", media_samples.late_video, plain, 0.7)
    decoded = Decoded(path)
    assert_true_times(decoded, offset_ms=700)
    assert decoded.clicks == pytest.approx([0, 1, 2], abs=0.003)
    seeked = Decoded(path, start_ms=1_400)
    assert_true_times(seeked, offset_ms=700)
    assert seeked.clicks == pytest.approx([0.6, 1.6][: len(seeked.clicks)], abs=0.003)


@pytest.mark.parametrize(("seconds", "fps"), [(0.04, 25), (0.01, 100), (0.12, 25)])
def test_the_shortest_videos_give_a_frame(samples, seconds, fps):
    path = samples.video(f"short{seconds}.mp4", seconds=seconds, fps=fps, sound=None)
    assert Decoded(path).times == [0]


def test_ten_milliseconds_with_sound(samples):
    decoded = Decoded(samples.video("ten.mp4", seconds=0.01, fps=100))
    assert decoded.times == [0]
    assert len(decoded.samples) == 160


def test_spans_that_end_between_frames(samples):
    path = samples.video("plain.mp4")
    assert Decoded(path, end_ms=401).times == [0, 200, 400]
    assert Decoded(path, end_ms=400).times == [0, 200]
    assert Decoded(path, start_ms=230, end_ms=240).numbers == [5]
    assert len(Decoded(path, end_ms=401).samples) == 401 * 16


def test_other_rates(samples):
    decoded = Decoded(samples.video("plain.mp4"), fps=3, sample_rate=22_050)
    assert decoded.times == [0, 333, 667, 1000, 1333, 1667, 2000, 2333, 2667]
    assert decoded.numbers == [0, 8, 16, 25, 33, 41, 50, 58, 66]
    assert len(decoded.samples) == 3 * 22_050
    assert [chunk.start_ms for chunk in decoded.chunks] == list(range(0, 3_000, 500))


def test_more_frames_than_there_are(samples):
    decoded = Decoded(samples.video("plain.mp4"), fps=50, end_ms=200)
    assert decoded.numbers == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_frames_are_small_bgr_pictures(samples, tmp_path):
    path = tmp_path / "blue.mp4"
    source = ("-f", "lavfi", "-i", "color=blue:s=320x96:d=0.4")
    media_samples.ffmpeg(*source, *media_samples.H264, str(path))
    for side, shape in ((640, (96, 320, 3)), (101, (30, 100, 3)), (320, (96, 320, 3))):
        image = Decoded(path, max_side=side).frames[0].image
        assert (image.shape, image.dtype) == (shape, np.uint8)
        assert image.mean(axis=(0, 1)) == pytest.approx([254, 0, 0], abs=4)


@pytest.mark.parametrize(("turned", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotated_video_is_turned_upright(samples, turned, turns):
    plain = samples.video("plain.mp4")
    path = samples(f"turned{turned}.mp4", media_samples.rotated, plain, turned)
    upright, turned_frames = Decoded(plain).frames, Decoded(path).frames
    for before, after in zip(upright, turned_frames, strict=True):
        assert np.abs(np.rot90(before.image, turns).astype(int) - after.image).mean() < 1


def test_sound_is_float_within_one(samples):
    decoded = Decoded(samples.audio("plain.mp3"))
    assert decoded.samples.dtype == np.float32
    assert 0.5 < np.abs(decoded.samples).max() <= 1


def test_sound_that_is_no_number(tmp_path):
    """Float files may hold what is no sample; what comes out is always finite."""
    path = tmp_path / "wild.wav"
    wild = np.resize(np.array([np.nan, np.inf, -np.inf, 1e30, 0.5], "<f4"), 48_000)
    raw = ("-f", "f32le", "-ar", "48000", "-ac", "1", "-i", "pipe:0")
    media_samples.ffmpeg(*raw, "-c:a", "pcm_f32le", str(path), stdin=wild.tobytes())
    samples = Decoded(path).samples
    assert len(samples) == RATE
    assert np.abs(samples).max() <= 1


def test_pieces_come_interleaved(samples):
    decoded = Decoded(samples.video("long.mp4", seconds=8))
    first_late_sound = next(
        i for i, piece in enumerate(decoded.pieces) if getattr(piece, "start_ms", 0) >= 6_000
    )
    assert any(isinstance(piece, Frame) for piece in decoded.pieces[:first_late_sound])
    assert [chunk.start_ms for chunk in decoded.chunks] == list(range(0, 8_000, 500))


def test_streams_far_apart_in_the_file_do_not_block(samples, tmp_path):
    """All the sound lies behind all the pictures; both come, whatever the pipes hold."""
    plain, path = samples.video("long.mp4", seconds=8), tmp_path / "apart.mp4"
    far = ("-max_interleave_delta", "0", "-frag_duration", "100000000", "-movflags", "empty_moov")
    media_samples.ffmpeg("-i", str(plain), "-c", "copy", *far, str(path))
    decoded = Decoded(path)
    assert len(decoded.numbers) >= 40
    assert len(decoded.clicks) == 8


def test_only_what_is_wanted(samples):
    path = samples.video("plain.mp4")
    assert Decoded(path, want_video=False).frames == []
    assert Decoded(path, want_audio=False).chunks == []
    nothing = Decoded(path, want_video=False, want_audio=False)
    assert (nothing.pieces, nothing.report.frames) == ([], 0)
    assert Decoded(samples.audio("plain.wav"), want_audio=False).pieces == []


def test_decode_audio_is_decode_without_pictures(samples):
    path = samples.video("plain.mp4")
    chunks = list(decode_audio(path, probe(path), start_ms=1_400))
    assert {type(chunk) for chunk in chunks} == {AudioChunk}
    assert chunks[0].start_ms == 1_400
    joined = np.concatenate([chunk.samples for chunk in chunks])
    assert np.array_equal(joined, Decoded(path, start_ms=1_400).samples)


def test_a_file_cut_short_gives_what_is_there(samples, tmp_path):
    whole = samples.video("fast.mp4", extra=("-movflags", "+faststart"))
    decoded = Decoded(media_samples.truncated(tmp_path / "cut.mp4", whole, 0.6))
    assert 0 < len(decoded.frames) < 15
    assert_true_times(decoded)
    assert decoded.report.frames == len(decoded.frames)
    assert decoded.report.samples == len(decoded.samples)
    # ffmpeg reads and decodes in threads: which of its complaints comes last is chance
    assert any(words in decoded.report.warning for words in ("Invalid data", "partial file"))


def test_a_hole_in_the_middle(samples, tmp_path):
    whole = samples.video("long.ts", seconds=8)
    decoded = Decoded(media_samples.corrupted(tmp_path / "hole.ts", whole, 0.4, 0.6))
    assert decoded.numbers[:10] == Decoded(whole).numbers[:10]
    assert decoded.numbers[-5:] == Decoded(whole).numbers[-5:]
    assert decoded.clicks[-1] == pytest.approx(7.0, abs=0.05)


def test_a_span_behind_the_end(samples):
    path = samples.video("plain.mp4")
    with pytest.raises(StageFailure, match=r"decode: nothing could be decoded from 60 s on"):
        list(decode(path, probe(path), start_ms=60_000, end_ms=61_000))


def test_a_file_that_went_away(samples, tmp_path):
    path = tmp_path / "gone.mp4"
    info = probe(samples.video("plain.mp4"))
    with pytest.raises(StageFailure, match="No such file or directory"):
        list(decode(path, info))


def test_impossible_bounds(samples):
    path = samples.video("plain.mp4")
    with pytest.raises(ValueError, match="0 <= start < end"):
        list(decode(path, probe(path), start_ms=500, end_ms=500))


def test_closing_ends_ffmpeg(samples, started):
    path = samples.video("long.mp4", seconds=8)
    before = open_descriptors()
    with closing(decode(path, probe(path), fps=25)) as pieces:
        next(pieces)
        assert len(started()) == 1
    assert not started()
    assert open_descriptors() == before


def test_an_error_of_the_caller_ends_ffmpeg(samples, started):
    path = samples.video("long.mp4", seconds=8)
    with pytest.raises(KeyError), closing(decode(path, probe(path))) as pieces:
        for _ in pieces:
            raise KeyError
    assert not started()


def open_descriptors():
    return psutil.Process().num_fds()


def pretend_ffmpeg(tmp_path, monkeypatch, text):
    program = tmp_path / "pretend"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setenv("ANNOTATE_FFMPEG", str(program))


def test_an_ffmpeg_that_hangs_is_given_up(samples, tmp_path, monkeypatch, started):
    path = samples.video("plain.mp4")
    pretend_ffmpeg(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr("annotator.media.process.STALL_S", 0.2)
    with pytest.raises(StageFailure, match=r"decode: ffmpeg gave nothing for 0\.2 s"):
        list(decode(path, probe(path)))
    assert not started()


def test_an_ffmpeg_that_talks_forever_is_given_up(samples, tmp_path, monkeypatch):
    path = samples.video("plain.mp4")
    pretend_ffmpeg(tmp_path, monkeypatch, "while :; do echo broken >&2; sleep 0.02; done")
    monkeypatch.setattr("annotator.media.decode.LIMIT_S", 0.3)
    monkeypatch.setattr("annotator.media.decode.LIMIT_PER_SECOND", 0)
    with pytest.raises(StageFailure, match="decode: ffmpeg took over 0 s"):
        list(decode(path, probe(path)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 7", "ffmpeg ended with status 7"),
        ("kill -9 $$", "ffmpeg was killed by signal 9"),
        ("echo '[mov @ 0x55] no luck' >&2; exit 1", "no luck"),
    ],
)
def test_an_ffmpeg_that_fails_says_why(samples, tmp_path, monkeypatch, text, reason):
    path = samples.video("plain.mp4")
    pretend_ffmpeg(tmp_path, monkeypatch, text)
    with pytest.raises(StageFailure) as failure:
        list(decode(path, probe(path)))
    assert failure.value.reason == f"nothing could be decoded from 0 s on: {reason}"


def test_an_ffmpeg_that_cannot_start(samples, tmp_path, monkeypatch):
    path = samples.video("plain.mp4")
    program = tmp_path / "pretend"
    program.write_bytes(b"\0")
    program.chmod(0o755)
    monkeypatch.setenv("ANNOTATE_FFMPEG", str(program))
    before = open_descriptors()
    with pytest.raises(EnvironmentFault, match=r"cannot be started \(Exec format error"):
        list(decode(path, probe(path)))
    assert open_descriptors() == before
