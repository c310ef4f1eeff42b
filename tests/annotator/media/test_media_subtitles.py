import pytest

import media_samples
from annotator.errors import StageFailure
from annotator.media.probe import probe
from annotator.media.subtitles import embedded_subtitles

SRT = (
    "1\n00:00:01,000 --> 00:00:02,000\nHello there\n\n"
    "2\n00:00:02,100 --> 00:00:02,500\nÜber uns\n\n"
)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("mp4", "mov_text"),
        ("mov", "mov_text"),
        ("mkv", "subrip"),
        ("mkv", "ass"),
        ("mkv", "webvtt"),
        ("webm", "webvtt"),
    ],
)
def test_text_tracks_come_as_srt(samples, tmp_path, suffix, codec):
    plain = samples.video(f"plain.{suffix}")
    path = media_samples.with_subtitles(tmp_path / f"s.{suffix}", plain, SRT, codec)
    assert embedded_subtitles(path, probe(path)) == SRT


def test_times_count_from_the_start_of_the_file(samples, tmp_path):
    """As those of frames and sound do, when nothing is said for long."""
    path = tmp_path / "s.mkv"
    late = SRT.replace("00:00:0", "00:01:0")
    media_samples.with_subtitles(path, samples.video("plain.mkv"), late, "subrip")
    assert embedded_subtitles(path, probe(path)) == late


def test_files_without_a_track(samples):
    path = samples.video("plain.mp4")
    assert embedded_subtitles(path, probe(path)) is None


def test_a_track_that_is_too_large(samples, tmp_path, monkeypatch):
    monkeypatch.setattr("annotator.media.subtitles.MAX_BYTES", 50)
    plain = samples.video("plain.mkv")
    path = media_samples.with_subtitles(tmp_path / "s.mkv", plain, SRT, "subrip")
    with pytest.raises(StageFailure, match="subtitles: the embedded track is over"):
        embedded_subtitles(path, probe(path))


def test_a_file_that_went_away(samples, tmp_path):
    plain = samples.video("plain.mkv")
    path = media_samples.with_subtitles(tmp_path / "s.mkv", plain, SRT, "subrip")
    info = probe(path)
    path.unlink()
    with pytest.raises(StageFailure, match=r"cannot be read: .*No such file"):
        embedded_subtitles(path, info)
