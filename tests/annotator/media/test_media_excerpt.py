"""Excerpts are cut by the real ffmpeg and looked into with PyAV."""

import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

import media_samples
from annotator.errors import EnvironmentFault, StageFailure
from annotator.media.binaries import H264_ENCODERS
from annotator.media.command import Span
from annotator.media.excerpt import cut
from annotator.media.excerpt_command import byte_limit
from annotator.media.probe import comment, probe
from annotator.types import AudioStream, MediaInfo, VideoStream

RATE = media_samples.SOUND_RATE


class Made:
    """An excerpt, decoded."""

    def __init__(self, source, start_ms, end_ms, out, **options):
        self.excerpt = cut(source, probe(source), start_ms, end_ms, out, **options)
        self.path = out
        self.info = probe(out)
        with av.open(str(out)) as container:
            self.kinds = [stream.type for stream in container.streams]
            self.starts = [stream.start_time for stream in container.streams]
            self.pixels = container.streams.video[0].codec_context.pix_fmt
            self.profiles = [stream.codec_context.profile for stream in container.streams]
            frames = list(container.decode(video=0))
        self.images = [frame.to_ndarray(format="bgr24") for frame in frames]
        self.times = [frame.time for frame in frames]
        self.keys = [frame.time for frame in frames if frame.key_frame]
        self.numbers = [media_samples.frame_number(image) for image in self.images]

    def clicks(self):
        with av.open(str(self.path)) as container:
            parts = [f.to_ndarray().mean(axis=0) for f in container.decode(audio=0)]
        return media_samples.click_times(np.concatenate(parts), RATE)


def assert_plays_in_a_browser(made):
    assert (made.info.video.codec, made.pixels) == ("h264", "yuv420p")
    assert made.info.video.width % 2 == made.info.video.height % 2 == made.info.video.rotation == 0
    assert made.profiles[0] in ("High", "Main", "Constrained Baseline", "Baseline")
    if made.info.audio:
        assert (made.info.audio.codec, made.info.audio.sample_rate) == ("aac", RATE)
    assert made.starts == [0] * len(made.kinds)
    assert made.times[0] == 0
    assert max(np.diff([*made.keys, made.times[-1]])) <= 1.0 + 1e-6, "a keyframe a second"
    data = made.path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat"), "the index comes first"


def leftovers(folder):
    return list(folder.glob(".out.mp4*"))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "avi", "mpg", "ts", "wmv"])
def test_an_excerpt_of_any_container(samples, tmp_path, suffix):
    source = samples.video(f"long.{suffix}", seconds=8)
    made = Made(source, 3_000, 5_000, tmp_path / "out.mp4")
    assert_plays_in_a_browser(made)
    found = made.excerpt
    assert (found.clip_start_ms, found.clip_end_ms) == (500, 2_500)
    assert found.duration_ms == made.info.duration_ms == pytest.approx(3_000, abs=45)
    # pictures and sound are those of 2.5 s on; some containers start with a delay of the encoder
    assert made.numbers[0] in (60, 61, 62, 63)
    assert np.diff(made.numbers).min() >= 0
    assert made.clicks() == pytest.approx([0.5, 1.5, 2.5], abs=0.06)
    assert leftovers(tmp_path) == []


def test_frames_and_sound_are_exactly_where_they_belong(samples, tmp_path):
    made = Made(samples.video("long.mp4", seconds=8), 3_020, 5_000, tmp_path / "out.mp4")
    assert made.numbers == list(range(63, 138))[: len(made.numbers)]
    assert len(made.numbers) >= 74
    assert made.clicks() == pytest.approx([0.48, 1.48, 2.48], abs=0.005)


def test_hevc(samples, tmp_path):
    source = samples.video("hevc.mkv", codec=media_samples.HEVC)
    assert probe(source).video.codec == "hevc"
    assert_plays_in_a_browser(Made(source, 1_000, 2_000, tmp_path / "out.mp4"))


@pytest.mark.parametrize(("turned", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotated_video_comes_out_upright(samples, tmp_path, turned, turns):
    plain = samples.video("plain.mp4")
    source = samples(f"turned{turned}.mp4", media_samples.rotated, plain, turned)
    upright = Made(plain, 1_000, 2_000, tmp_path / "upright.mp4")
    made = Made(source, 1_000, 2_000, tmp_path / "out.mp4")
    assert_plays_in_a_browser(made)
    for before, after in zip(upright.images, made.images, strict=True):
        assert np.abs(np.rot90(before, turns).astype(int) - after).mean() < 4
    with av.open(str(made.path)) as container:
        assert next(container.decode(video=0)).rotation == 0, "no player turns it once more"


@pytest.mark.parametrize(
    ("size", "filters", "shown"),
    [
        ("321x97", "", (320, 96)),
        ("1920x1080", "", (1280, 720)),
        ("1080x1920", "", (720, 1280)),
        ("320x240", "setsar=2", (640, 240)),
        ("33x2", "", (32, 2)),
    ],
)
def test_sizes(tmp_path, size, filters, shown):
    source = tmp_path / "in.mkv"
    picture = f"testsrc=size={size}:rate=25:duration=0.5" + (f",{filters}" if filters else "")
    media_samples.ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "ffv1", str(source))
    made = Made(source, 0, 400, tmp_path / "out.mp4")
    assert (made.info.video.width, made.info.video.height) == shown
    assert made.images[0].shape == (*shown[::-1], 3), "pixels are square"
    assert_plays_in_a_browser(made)


def test_ten_bits_and_full_range_become_what_browsers_play(tmp_path):
    source = tmp_path / "in.mkv"
    deep = ("-pix_fmt", "yuv422p10le", "-color_range", "pc", "-c:v", "ffv1")
    media_samples.ffmpeg("-f", "lavfi", "-i", "color=blue:s=64x64:d=0.4", *deep, str(source))
    made = Made(source, 0, 400, tmp_path / "out.mp4")
    assert_plays_in_a_browser(made)
    assert made.images[0].mean(axis=(0, 1)) == pytest.approx([254, 0, 0], abs=6)


def test_a_high_frame_rate_is_halved_in_time_not_in_speed(samples, tmp_path):
    source = samples.video("quick.mp4", fps=60)
    made = Made(source, 1_000, 2_000, tmp_path / "out.mp4")
    assert made.info.video.fps == pytest.approx(30)
    assert made.numbers == pytest.approx(range(30, 150, 2), abs=1)


@pytest.mark.parametrize("suffix", media_samples.AUDIO_FORMATS)
def test_sound_alone_has_its_wave_form_to_look_at(samples, tmp_path, suffix):
    made = Made(samples.audio(f"plain.{suffix}"), 1_000, 2_500, tmp_path / "out.mp4")
    assert_plays_in_a_browser(made)
    assert made.kinds == ["video", "audio"]
    assert made.clicks() == pytest.approx([0.5, 1.5], abs=0.03)
    loud = [time for time, image in zip(made.times, made.images, strict=True) if image.std() > 10]
    assert loud, "the clicks are seen"
    assert all(min(abs(time - click) for click in (0.5, 1.5)) < 0.25 for time in loud)


@pytest.mark.parametrize("milliseconds", [3, 10, 60, 150])
def test_the_shortest_sounds_too(tmp_path, milliseconds):
    source = media_samples.audio(tmp_path / "in.wav", seconds=milliseconds / 1000)
    made = Made(source, 0, milliseconds, tmp_path / "out.mp4")
    assert made.kinds == ["video", "audio"]
    assert made.excerpt.clip_end_ms == milliseconds


def test_a_cover_picture_is_no_video(samples, tmp_path):
    source = samples("cover.mp3", media_samples.with_cover, samples.audio("plain.mp3"))
    made = Made(source, 0, 1_000, tmp_path / "out.mp4")
    assert made.info.video.width == 640, "the wave form"


def test_video_without_sound_stays_silent(samples, tmp_path):
    source = samples.video("silent.mp4", sound=None)
    made = Made(source, 1_000, 2_000, tmp_path / "out.mp4")
    assert made.kinds == ["video"]
    assert_plays_in_a_browser(made)


@pytest.mark.parametrize(
    ("start", "end", "within"),
    [
        (0, 1_000, (0, 1_000, 1_500)),
        (200, 1_000, (200, 1_000, 1_500)),
        (2_000, 3_000, (500, 1_500, 1_500)),
        (2_900, 9_000, (500, 600, 600)),
        (0, 3_000, (0, 3_000, 3_000)),
    ],
)
def test_context_ends_where_the_file_does(samples, tmp_path, start, end, within):
    made = Made(samples.video("plain.mp4"), start, end, tmp_path / "out.mp4").excerpt
    found = (made.clip_start_ms, made.clip_end_ms, made.duration_ms)
    assert found == pytest.approx(within, abs=40)


def test_context_and_size_as_asked(samples, tmp_path):
    source = samples.video("plain.mp4")
    made = Made(source, 1_000, 2_000, tmp_path / "out.mp4", context_ms=0, max_side=160)
    assert (made.info.duration_ms, made.info.video.width) == (1_000, 160)


@pytest.mark.parametrize("encoder", H264_ENCODERS)
def test_either_encoder(samples, tmp_path, monkeypatch, encoder):
    monkeypatch.setattr("annotator.media.excerpt.h264_encoder", lambda: encoder)
    made = Made(samples.video("plain.mp4"), 1_000, 2_000, tmp_path / "out.mp4")
    assert_plays_in_a_browser(made)


def test_nothing_of_the_source_s_notes_is_handed_on(samples, tmp_path):
    source = tmp_path / "in.mp4"
    secret = ("-metadata", "comment=at home", "-metadata", "location=+52.5+013.4/")
    media_samples.ffmpeg("-i", str(samples.video("plain.mp4")), "-c", "copy", *secret, str(source))
    assert comment(source) == "at home"
    made = Made(source, 0, 1_000, tmp_path / "out.mp4", note='{"a": "b\'=,:;[x]"}')
    assert comment(made.path) == '{"a": "b\'=,:;[x]"}'
    assert b"52.5" not in made.path.read_bytes()
    assert b"at home" not in made.path.read_bytes()


@pytest.mark.parametrize("name", [b"-y.mp4", b"a%03d.mp4", b"pipe:1.mp4", b"\xff.mp4"])
def test_any_name_to_read_and_to_write(samples, tmp_path, monkeypatch, name):
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / os.fsdecode(name)
    shutil.copy(samples.video("plain.mp4"), source)
    monkeypatch.chdir(tmp_path)
    out = Path(os.fsdecode(name))
    cut(source, probe(source), 0, 500, out)
    assert probe(out).video
    assert {path.name for path in tmp_path.iterdir()} == {"in", out.name}


def test_a_file_cut_short_gives_what_is_there_and_says_so(samples, tmp_path):
    whole = samples.video("fast8.mp4", seconds=8, extra=("-movflags", "+faststart"))
    source = media_samples.truncated(tmp_path / "in.mp4", whole, 0.6)
    made = Made(source, 0, 8_000, tmp_path / "out.mp4")
    assert made.excerpt.duration_ms < 7_500
    assert made.excerpt.clip_end_ms == made.excerpt.duration_ms
    assert made.excerpt.warning
    with pytest.raises(StageFailure, match="excerpt: "):
        cut(source, probe(source), 7_000, 8_000, tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (3_001, 4_000, "starts at 3.001 s, but the file ends at 3 s"),
        (60_000, 61_000, "starts at 60 s"),
    ],
)
def test_a_clip_behind_the_end(samples, tmp_path, start, end, says):
    source = samples.video("plain.mp4")
    with pytest.raises(StageFailure, match=says):
        cut(source, probe(source), start, end, tmp_path / "out.mp4")


def test_a_clip_too_long_to_judge(tmp_path):
    info = MediaInfo("mov", 8 * 3600 * 1000, None, AudioStream(0, "aac", 48_000, 2))
    with pytest.raises(StageFailure, match="over 60 minutes long"):
        cut(tmp_path / "in.mp4", info, 0, info.duration_ms, tmp_path / "out.mp4")


@pytest.mark.parametrize(("start", "end"), [(5, 5), (-1, 5), (7, 5)])
def test_impossible_bounds(samples, tmp_path, start, end):
    source = samples.video("plain.mp4")
    with pytest.raises(ValueError, match="0 <= start < end"):
        cut(source, probe(source), start, end, tmp_path / "out.mp4")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{film}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{film}'\n",
    ],
)
def test_a_playlist_that_came_past_the_probe_is_not_followed(samples, tmp_path, text):
    source = tmp_path / "in.mp4"
    source.write_text(text.format(film=samples.video("plain.ts")))
    video = VideoStream(0, "h264", 320, 96, 25.0, 0)
    info = MediaInfo("mov", 3_000, video, AudioStream(1, "aac", 48_000, 2))
    with pytest.raises(StageFailure, match="excerpt: "):
        cut(source, info, 0, 1_000, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == [source]


def pretend_ffmpeg(tmp_path, monkeypatch, text):
    """A program that is asked for the encoders first, and then to encode."""
    program = tmp_path / "pretend"
    program.write_text(
        '#!/bin/sh\ncase "$*" in *-encoders*) echo " V... libx264 H.264"; exit;; esac\n'
        'for out; do case "$out" in file:*.out.mp4.*) break;; esac; done\n'
        f"out=${{out#file:}}\n{text}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("ANNOTATE_FFMPEG", str(program))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('echo half > "$out"; kill -9 $$', "ffmpeg was killed by signal 9"),
        ('echo half > "$out"; echo "[mov @ 0x5] no luck" >&2; exit 1', "no luck"),
        ('echo half > "$out"', "nothing could be decoded there"),
        ('head -c 9000000 /dev/zero > "$out"', "it grew over 3 MiB"),
    ],
)
def test_an_ffmpeg_that_dies_leaves_what_was_there(samples, tmp_path, monkeypatch, text, says):
    source, out = samples.video("plain.mp4"), tmp_path / "out.mp4"
    out.write_text("of before")
    info = probe(source)
    pretend_ffmpeg(tmp_path, monkeypatch, text)
    with pytest.raises(StageFailure, match=says):
        cut(source, info, 0, 3_000, out)
    assert out.read_text() == "of before"
    assert leftovers(tmp_path) == []


def test_a_full_disk_is_not_the_clip_s_fault(samples, tmp_path, monkeypatch):
    source = samples.video("plain.mp4")
    info = probe(source)
    full = 'echo half > "$out"; echo "[out] x: No space left on device" >&2; exit 228'
    pretend_ffmpeg(tmp_path, monkeypatch, full)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        cut(source, info, 0, 3_000, tmp_path / "out.mp4")
    assert leftovers(tmp_path) == []


def test_an_ffmpeg_that_hangs_is_given_up(samples, tmp_path, monkeypatch, started):
    source = samples.video("plain.mp4")
    info = probe(source)
    pretend_ffmpeg(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr("annotator.media.process.STALL_S", 0.2)
    with pytest.raises(StageFailure, match="gave nothing"):
        cut(source, info, 0, 3_000, tmp_path / "out.mp4")
    assert not started()


def test_an_interrupt_ends_ffmpeg_and_leaves_no_draft(samples, tmp_path, monkeypatch, started):
    source = samples.video("plain.mp4")

    def interrupted(_self):
        assert len(started()) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr("annotator.media.process.FFmpeg.read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cut(source, probe(source), 0, 3_000, tmp_path / "out.mp4")
    assert not started()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(samples, tmp_path):
    source = samples.video("plain.mp4")
    with pytest.raises(EnvironmentFault, match="No such file"):
        cut(source, probe(source), 0, 1_000, tmp_path / "none" / "out.mp4")


def test_noise_stays_under_the_limit_of_bytes(tmp_path):
    """The worst picture for an encoder: every pixel new in every frame."""
    source = tmp_path / "in.mkv"
    noise = "nullsrc=s=640x360:r=25:d=3,geq=random(1)*255:128:128"
    raw = ("-pix_fmt", "yuv420p", "-c:v", "rawvideo")
    media_samples.ffmpeg("-f", "lavfi", "-i", noise, *raw, str(source))
    made = Made(source, 0, 3_000, tmp_path / "out.mp4")
    assert made.path.stat().st_size < byte_limit(Span(0, 3_000))
    assert made.excerpt.duration_ms == 3_000


def test_a_seek_lands_where_asked(samples, tmp_path):
    made = Made(samples.video("long.mp4", seconds=8), 2_000, 6_000, tmp_path / "out.mp4")
    with av.open(str(made.path)) as container:
        container.seek(3_000_000)  # microseconds
        first = next(container.decode(video=0))
    assert 2.0 <= first.time <= 3.0
