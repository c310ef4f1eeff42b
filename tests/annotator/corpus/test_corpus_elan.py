"""ELAN files as pympi writes them, and XML that must be refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pympi.Elan import Eaf

from annotator.corpus.cues import Cue
from annotator.corpus.elan import read_elan
from annotator.errors import StageFailure


def write(path: Path, tiers: dict[str, list[tuple[int, int, str]]], **participants: str) -> Path:
    """An .eaf with these tiers, made by pympi; it always has an empty tier `default`."""
    eaf = Eaf()
    for name, annotations in tiers.items():
        eaf.add_tier(name, part=participants.get(name))
        for annotation in annotations:
            eaf.add_annotation(name, *annotation)
    eaf.to_file(str(path))
    return path


def test_times_text_and_participant(tmp_path):
    path = write(tmp_path / "a.eaf", {"talk": [(500, 900, "b &\nc"), (0, 400, "a")]}, talk="Ann")
    track = read_elan(path)
    assert track.cues == (Cue(0, 400, "a", "Ann"), Cue(500, 900, "b & c", "Ann"))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("gesture", "Transcription-A"), "Transcription-A"),
        (("gesture", "A_Utterances"), "A_Utterances"),
        (("text", "transcript"), "transcript"),
        (("gesture", "default"), "default"),
        (("gesture", "context"), "gesture"),  # no word of it starts with text: the larger wins
    ],
)
def test_the_tier_named_like_a_transcript_is_preferred(tmp_path, names, chosen):
    larger, smaller = names
    tiers = {larger: [(0, 10, larger), (10, 20, larger)], smaller: [(0, 10, smaller)]}
    assert read_elan(write(tmp_path / "a.eaf", tiers)).cues[0].text == chosen


def test_a_tier_can_be_named_and_a_wrong_name_lists_those_there(tmp_path):
    path = write(tmp_path / "a.eaf", {"text": [(0, 10, "x")], "other": [(0, 10, "y")]})
    assert read_elan(path, "other").cues[0].text == "y"
    with pytest.raises(StageFailure, match=r"no tier 'nope'; it has .*'other'"):
        read_elan(path, "nope")


def test_what_has_no_time_of_its_own_is_dropped_and_counted(tmp_path):
    eaf = Eaf()
    eaf.add_linguistic_type("ref", "Symbolic_Association")
    eaf.add_tier("talk")
    eaf.add_annotation("talk", 0, 400, "a")
    eaf.add_annotation("talk", 400, 800, " ")
    eaf.add_tier("gloss", "ref", parent="talk")
    eaf.add_ref_annotation("gloss", "talk", 100, "no")
    eaf.timeslots["ts9"] = None
    eaf.tiers["talk"][0]["a9"] = ("ts9", "ts1", "unaligned", None)
    eaf.to_file(str(tmp_path / "a.eaf"))
    track = read_elan(tmp_path / "a.eaf")
    assert [cue.text for cue in track.cues] == ["a"]
    assert track.dropped == 2
    assert read_elan(tmp_path / "a.eaf", "gloss").dropped == 1


def test_no_aligned_annotation_gives_no_cues(tmp_path):
    assert read_elan(write(tmp_path / "a.eaf", {})).cues == ()


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><ANNOTATION_DOCUMENT>&b;</ANNOTATION_DOCUMENT>"""
EXTERNAL = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<ANNOTATION_DOCUMENT>&a;</ANNOTATION_DOCUMENT>"""
REMOTE_DTD = '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><ANNOTATION_DOCUMENT/>'


@pytest.mark.parametrize("text", [BOMB, EXTERNAL, REMOTE_DTD, "", "<a", "<a/>", "\x00", "a\nb"])
def test_hostile_broken_and_foreign_xml_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "a.eaf"
    path.write_text(text)
    with pytest.raises(StageFailure) as caught:
        read_elan(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["no-such-code", "utf-7", "utf-16", "shift_jis"])
def test_a_false_encoding_is_refused(tmp_path, encoding):
    path = tmp_path / "a.eaf"
    path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?><ANNOTATION_DOCUMENT>'.encode())
    with pytest.raises(StageFailure):
        read_elan(path)


def test_an_absurd_time_is_no_time(tmp_path):
    path = tmp_path / "a.eaf"
    path.write_text(
        "<ANNOTATION_DOCUMENT><TIME_ORDER>"
        f'<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/>'
        f'<TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="{"9" * 5000}"/></TIME_ORDER>'
        '<TIER TIER_ID="t"><ANNOTATION><ALIGNABLE_ANNOTATION TIME_SLOT_REF1="a" '
        'TIME_SLOT_REF2="b"><ANNOTATION_VALUE>x</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>'
        "</ANNOTATION></TIER></ANNOTATION_DOCUMENT>"
    )
    assert read_elan(path, "t").dropped == 1


TAGS = ("TIER", "ANNOTATION", "ALIGNABLE_ANNOTATION", "TIME_SLOT", "ANNOTATION_VALUE")


@given(st.recursive(st.just(""), lambda inner: st.builds(
    lambda tag, parts: f'<{tag} TIME_SLOT_REF1="a" TIME_VALUE="-1">{"".join(parts)}</{tag}>',
    st.sampled_from(TAGS), st.lists(inner, max_size=3))))  # fmt: skip
def test_any_nesting_of_elans_tags_is_read(tmp_path_factory, body):
    path = tmp_path_factory.getbasetemp() / "fuzz.eaf"
    path.write_text(f"<ANNOTATION_DOCUMENT>{body}</ANNOTATION_DOCUMENT>")
    assert read_elan(path).cues == ()


def test_a_tier_a_speaker_is_read_whole_and_in_order_of_time(tmp_path):
    tiers = {"Ann": [(0, 400, "hello"), (900, 1200, "bye")], "Bob": [(500, 800, "well")]}
    cues = read_elan(write(tmp_path / "a.eaf", tiers, Ann="Ann", Bob="Bob")).cues
    assert [(cue.text, cue.speaker) for cue in cues] == [
        ("hello", "Ann"),
        ("well", "Bob"),
        ("bye", "Ann"),
    ]
