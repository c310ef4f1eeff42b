import os
import subprocess

import numpy as np
import pytest

import media_samples
from annotator.errors import StageFailure
from annotator.media.probe import probe
from annotator.types import AudioStream


@pytest.mark.parametrize("suffix", media_samples.VIDEO_FORMATS)
def test_video_formats(samples, suffix):
    info = probe(samples.video(f"plain.{suffix}"))
    assert (info.video.width, info.video.height, info.video.rotation) == (320, 96, 0)
    assert info.video.fps == pytest.approx(25, rel=0.01)
    assert info.audio.sample_rate in (44_100, 48_000)
    assert 2_990 <= info.duration_ms <= 3_120


@pytest.mark.parametrize("suffix", media_samples.AUDIO_FORMATS)
def test_audio_formats(samples, suffix):
    info = probe(samples.audio(f"plain.{suffix}"))
    assert info.video is None
    assert info.audio.channels == 2
    assert 3_000 <= info.duration_ms <= 3_060


def test_codec_names_and_silent_video(samples):
    info = probe(samples.video("silent.mp4", sound=None))
    assert (info.video.codec, info.audio) == ("h264", None)
    assert probe(samples.video("hevc.mp4", codec=media_samples.HEVC)).video.codec == "hevc"
    sound = probe(samples.audio("plain.wav")).audio
    assert sound == AudioStream(0, "pcm_s16le", 48_000, 2)


@pytest.mark.parametrize("name", ["cover.mp3", "cover.m4a", "cover.flac"])
def test_cover_art_is_no_video(samples, name):
    bare = samples.audio(name.replace("cover", "plain"))
    info = probe(samples(name, media_samples.with_cover, bare))
    assert info.video is None
    assert info.audio


@pytest.mark.parametrize(("turned", "clockwise"), [(90, 270), (180, 180), (270, 90)])
def test_rotation_gives_the_displayed_size(samples, turned, clockwise):
    plain = samples.video("plain.mp4")
    info = probe(samples(f"turned{turned}.mp4", media_samples.rotated, plain, turned))
    shown = (320, 96) if turned == 180 else (96, 320)
    assert (info.video.width, info.video.height) == shown
    assert info.video.rotation == clockwise


def test_pixels_that_are_not_square(samples):
    wide = samples.video("wide.mp4", extra=("-aspect", "16:9"))
    assert (probe(wide).video.width, probe(wide).video.height) == (171, 96)


def test_the_default_stream_is_chosen(samples, tmp_path):
    plain, path = samples.video("plain.mkv"), tmp_path / "two.mkv"
    maps = ("-map", "0:a", "-map", "0:v", "-map", "0:a", "-c", "copy")
    marks = ("-disposition:a:0", "0", "-disposition:a:1", "default")
    media_samples.ffmpeg("-i", str(plain), *maps, *marks, str(path))
    info = probe(path)
    assert (info.video.index, info.audio.index) == (1, 2)


def test_shortest_files(samples):
    assert probe(samples.video("one.mp4", seconds=0.04, sound=None)).duration_ms == 40
    assert probe(samples.video("ten.mp4", seconds=0.01, fps=100)).duration_ms == 10
    assert probe(samples("ten.wav", media_samples.clicks, 0.01)).duration_ms == 10


def test_a_duration_that_the_container_lacks(samples, tmp_path):
    plain, live = samples.video("plain.webm"), tmp_path / "live.webm"
    media_samples.ffmpeg("-i", str(plain), "-c", "copy", "-live", "1", str(live))
    assert probe(live).duration_ms == pytest.approx(3_000, abs=25)


def test_reading_for_the_duration_is_limited(samples, monkeypatch):
    monkeypatch.setattr("annotator.media.probe.READ_LIMIT_S", -1.0)
    with pytest.raises(StageFailure, match="no duration in the header"):
        probe(samples.audio("plain.aac"))


def test_a_duration_beyond_belief(samples, monkeypatch):
    monkeypatch.setattr("annotator.media.probe.MAX_DURATION_MS", 2_000)
    with pytest.raises(StageFailure, match="the header claims"):
        probe(samples.video("plain.mp4"))


def broken(folder, samples):
    plain = samples.video("plain.mp4")
    media_samples.truncated(folder / "truncated.mp4", plain, 0.5)
    (folder / "zero.mp4").touch()
    (folder / "text.mp4").write_text("not a film\n" * 500)
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(100_000))
    media_samples.ffmpeg("-f", "lavfi", "-i", "color", "-frames:v", "1", str(folder / "a.png"))
    (folder / "picture.mp4").write_bytes((folder / "a.png").read_bytes())
    srt = "1\n00:00:01,000 --> 00:00:02,000\nHello\n"
    subtitles = media_samples.with_subtitles(folder / "s.mkv", plain, srt, "srt")
    media_samples.ffmpeg(
        "-i", str(subtitles), "-map", "0:s", "-c", "copy", str(folder / "text_only.mkv")
    )
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "pipe.mp4")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("truncated.mp4", "not a media file ffmpeg can read: Invalid data"),
        ("zero.mp4", "empty file (0 bytes)"),
        ("text.mp4", "not a media file ffmpeg can read: Invalid data"),
        ("noise.mp4", "not a media file ffmpeg can read: Invalid data"),
        ("picture.mp4", "not a kind of media file that is accepted"),
        ("text_only.mkv", "no audio or video stream"),
        ("folder.mp4", "not a regular file"),
        ("pipe.mp4", "not a regular file"),
        ("absent.mp4", "cannot read the file: No such file or directory"),
    ],
)
def test_hostile_files_give_their_reason(tmp_path, samples, name, reason):
    broken(tmp_path, samples)
    with pytest.raises(StageFailure) as failure:
        probe(tmp_path / name)
    assert failure.value.stage == "probe"
    assert failure.value.reason.startswith(reason)
    assert "\n" not in failure.value.reason


def test_a_crash_of_the_demuxer_is_not_met_by_cut_files(samples, tmp_path):
    """Every length of a small file either probes or fails with a reason."""
    whole = samples.video("small.mkv", seconds=0.2)
    size = whole.stat().st_size
    for length in range(1, size, size // 40):
        cut = media_samples.truncated(tmp_path / "cut.mkv", whole, length / size)
        try:
            assert probe(cut).duration_ms > 0
        except StageFailure as failure:
            assert failure.reason


def test_nothing_is_printed(samples, tmp_path, capfd):
    with pytest.raises(StageFailure):
        probe(media_samples.truncated(tmp_path / "t.mp4", samples.video("plain.mp4"), 0.5))
    assert capfd.readouterr() == ("", "")


def test_subtitle_tracks_are_listed(samples, tmp_path):
    srt = "1\n00:00:01,000 --> 00:00:02,000\nHello\n"
    plain = samples.video("plain.mp4")
    info = probe(media_samples.with_subtitles(tmp_path / "s.mp4", plain, srt, "mov_text"))
    assert [track.codec for track in info.subtitles] == ["mov_text"]


def test_the_command_line_tools_are_not_needed(samples, monkeypatch):
    """Probing runs in this process: there is no ffprobe where imageio-ffmpeg's ffmpeg is."""
    plain = samples.video("plain.mp4")
    monkeypatch.setattr(subprocess, "Popen", None)
    assert probe(plain).duration_ms == 3_000
