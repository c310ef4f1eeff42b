"""SRT and WebVTT as they are found in the wild, and text that is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.corpus import cues as cues_module
from annotator.corpus.cues import MAX_SIDECAR_BYTES, Cue, clean_text
from annotator.corpus.subtitles import parse_subtitles, read_subtitles
from annotator.errors import StageFailure

SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello\nthere\n\n2\n00:01:00,000 --> 00:01:01,000\nBye\n"
HELLO = Cue(1000, 2500, "Hello there")
BYE = Cue(60_000, 61_000, "Bye")


def one(text: str) -> Cue:
    (cue,) = parse_subtitles(text).cues
    return cue


@pytest.mark.parametrize(
    "text",
    [
        SRT,
        "\ufeff" + SRT,
        SRT.replace("\n", "\r\n"),
        SRT.replace("\n", "\r\r\n"),
        SRT.replace("\n", "\r"),
        SRT.replace(",", "."),
        SRT.replace("1\n00:00", "00:00").replace("2\n00:01", "00:01"),  # no indices
        SRT.replace("there\n\n2", "there\n2"),  # no blank line
        SRT.replace(" --> ", "-->"),
        SRT.replace("there\n", "there\n\n"),
        SRT.replace("02,500", "02,500  X1:40 X2:600 Y1:20 Y2:50"),
        "WEBVTT - a title\nKind: captions\n\n" + SRT.replace(",", "."),
        "WEBVTT\n\n" + SRT.replace("00:00:", "00:").replace(",", "."),
        "\n\n  \n" + SRT.rstrip(),
    ],
)
def test_the_same_cues_in_every_dialect(text):
    assert parse_subtitles(text).cues == (HELLO, BYE)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<i>so</i> <font color='#fff'>what</font>", "so what"),
        (r"{\an8}up {\i1}there{\i0}", "up there"),
        (r"two\Nlines", "two lines"),
        ("1 < 2 > 0 & <3", "1 < 2 > 0 & <3"),
        ("Tom &amp; Jerry &#39;s &lt;i&gt;", "Tom & Jerry 's <i>"),
        ("&#" + "1" * 5000 + ";", "\ufffd"),
        ("It was\n1984", "It was 1984"),
        ("line\n\nafter a blank", "line after a blank"),
        ("bell\x07 nul\x00", "bell nul"),
    ],
)
def test_srt_text_is_cleaned(body, expected):
    assert one(f"1\n00:00:01,000 --> 00:00:02,000\n{body}\n").text == expected


def test_vtt_notes_styles_regions_and_cue_names_are_not_speech():
    text = """WEBVTT

STYLE
::cue { color: red }

REGION
id:fred

NOTE first

intro
00:01.000 --> 00:02.000 align:start position:0%
Hello

NOTE
two lines
of notes

7 - the second
00:03.000 --> 00:04.000
You <c.yellow.bg_blue>there</c> <00:03.200>now<00:03.600>!
"""
    assert [cue.text for cue in parse_subtitles(text).cues] == ["Hello", "You there now!"]


@pytest.mark.parametrize("header", ["", "WEBVTT\n\n"])
def test_a_number_that_ends_a_cue_is_not_taken_for_an_index(header):
    text = f"{header}00:01.000 --> 00:02.000\nIt was\n1984\n\n00:03.000 --> 00:04.000\nb\n"
    assert [cue.text for cue in parse_subtitles(text).cues] == ["It was 1984", "b"]


@pytest.mark.parametrize(
    ("body", "speaker"),
    [
        ("<v Ann>Hi", "Ann"),
        ("<v.loud.first Dr. Ann Lee>Hi</v>", "Dr. Ann Lee"),
        ("<v Ann>Hi</v> <v Ann>again</v>", "Ann"),
        ("<v Ann>Hi</v>\n<v Bob>Hi</v>", None),
        ("<v A&amp;B>Hi", "A&B"),
        ("Hi", None),
    ],
)
def test_a_single_voice_is_the_speaker(body, speaker):
    cue = one(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{body}\n")
    assert cue.speaker == speaker
    assert cue.text.startswith("Hi")


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [("00:00:01,5", 1500), ("0:0:1.05", 1050), ("00:01", 1000), ("123:00:00,000", 442_800_000)],
)
def test_stamps(stamp, expected):
    assert one(f"{stamp} --> 999:00:00,000\nx").start_ms == expected


def test_useless_cues_are_dropped_and_counted_and_overlaps_stay_in_order():
    text = (
        "00:00:05,000 --> 00:00:09,000\nlate\n\n"
        "00:00:01,000 --> 00:00:06,000\nearly\n\n"
        "00:00:03,000 --> 00:00:03,000\nzero\n\n"
        "00:00:04,000 --> 00:00:02,000\nnegative\n\n"
        "00:00:07,000 --> 00:00:08,000\n<i> </i>\n"
    )
    track = parse_subtitles(text)
    assert [cue.text for cue in track.cues] == ["early", "late"]
    assert track.dropped == 3


@pytest.mark.parametrize("text", ["", "\ufeff", "WEBVTT", "no cues at all\n" * 5, "-->", "1\n2\n3"])
def test_text_without_cues_gives_none(text):
    assert parse_subtitles(text).cues == ()


PIECES = ["1", "\n", "\n\n", "\r", "00:00:01,000", "-->", " ", "00:02.5", "<v ", "<", ">", "{\\",
          "}", "&#", "9" * 30, "WEBVTT", "NOTE", "text", "\ud800", "\x00", ":"]  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=60).map("".join)))
def test_any_text_gives_sound_cues(text):
    track = parse_subtitles(text)
    for cue in track.cues:
        assert 0 <= cue.start_ms < cue.end_ms
        assert cue.text == clean_text(cue.text) != ""
        cue.text.encode()
    assert list(track.cues) == sorted(track.cues, key=lambda cue: (cue.start_ms, cue.end_ms))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**7),
            st.integers(1, 10**5),
            st.text("abc é", min_size=1).filter(str.strip),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_what_is_written_is_read_back(spans, is_vtt):
    def stamp(ms: int) -> str:
        seconds, ms = divmod(ms, 1000)
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"

    blocks = [
        f"{stamp(start)} --> {stamp(start + length)}\n{text}" for start, length, text in spans
    ]
    track = parse_subtitles(("WEBVTT\n\n" if is_vtt else "") + "\n\n".join(blocks))
    expected = [Cue(start, start + length, clean_text(text)) for start, length, text in spans]
    assert sorted(track.cues, key=repr) == sorted(expected, key=repr)


@pytest.mark.timeout(60)  # quadratic would take minutes
@pytest.mark.parametrize("unit", ["<a", "<v ", "<v\t", "{\\", "&#1", " ", "\n", "00:", "\\"])
def test_hostile_repetition_takes_linear_time(unit):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n" + unit * 200_000
    parse_subtitles(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "a.srt"
    path.write_bytes("00:00:01,000 --> 00:00:02,000\nDéjà vu – “ok”".encode(encoding))
    assert read_subtitles(path).cues[0].text == "Déjà vu – “ok”"


@pytest.mark.parametrize("data", [b"\x00\x01\x02", b"\xff\xfe\x00", b"RIFF\x00\x00"])
def test_binary_is_refused_in_one_line(tmp_path, data):
    path = tmp_path / "a\nb.srt"
    path.write_bytes(data)
    with pytest.raises(StageFailure, match="not text") as caught:
        read_subtitles(path)
    assert "\n" not in str(caught.value)


def test_a_file_over_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cues_module, "MAX_SIDECAR_BYTES", 10 * 2**10)
    path = tmp_path / "a.srt"
    path.write_bytes(b"x" * (10 * 2**10 + 1))
    with pytest.raises(StageFailure, match="larger than"):
        read_subtitles(path)
    assert MAX_SIDECAR_BYTES == 10 * 2**20


def test_a_missing_file_is_a_stage_failure(tmp_path):
    with pytest.raises(StageFailure, match="cannot be read"):
        read_subtitles(tmp_path / "gone.srt")


@given(st.binary(max_size=200))
def test_any_bytes_give_cues_or_a_stage_failure(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.srt"
    path.write_bytes(data)
    try:
        read_subtitles(path)
    except StageFailure as failure:
        assert "\n" not in str(failure)
