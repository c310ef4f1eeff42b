"""Time lines are read back by the tools' own readers, whatever the names in them."""

import io
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pympi
import pytest
import webvtt as webvtt_py
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st
from praatio import textgrid as praat

from annotator.corpus.cues import clean_text
from annotator.corpus.elan import read_tiers
from annotator.corpus.subtitles import read_subtitles
from annotator.export.elan import elan
from annotator.export.textgrid import textgrid
from annotator.export.timed import Document, Tier, tiers
from annotator.export.webvtt import webvtt
from export_samples import clip, document, said

HOSTILE = ('a "b"', "<script>", "a --> b", "&amp;", "x\ny", "]]>", "\ufffe", "é😀", "<!--", "'")
names = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
labels = st.lists(names.filter(clean_text), min_size=1, max_size=3, unique=True).map(tuple)
spans = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(1, 3000)), min_size=1, max_size=6, unique=True
).map(sorted)


@st.composite
def documents(draw) -> Document:
    """Clips that may overlap, with labels of any name."""
    asked, places = draw(labels), draw(spans)
    clips = [
        clip(
            start,
            start + length,
            tuple(draw(st.floats(0, 1)) for _ in asked),
            said(number, "ann", *asked[: draw(st.integers(0, 1))]),
            labels=asked,
            clip_id=number,
        )
        for number, (start, length) in enumerate(places, 1)
    ]
    return document(*clips, hard=draw(st.booleans()), labels=asked)


TWO = document(
    clip(0, 1000, (0.9, 0.25), said(1, "ann", "happy"), said(1, "bob"), clip_id=1),
    clip(1500, 2500, (0.125, 0.5), clip_id=2, duration_ms=4000),
)


def test_a_tier_a_label_of_model_and_people():
    found = {tier.name: [(s.start_ms, s.end_ms, s.text) for s in tier.spans] for tier in tiers(TWO)}
    assert found == {
        "model:happy": [(0, 1000, "0.900"), (1500, 2500, "0.125")],
        "model:sad": [(0, 1000, "0.250"), (1500, 2500, "0.500")],
        "human:happy": [(0, 1000, "0.500")],
        "human:sad": [(0, 1000, "0.000")],
    }


def test_hard_tiers_have_a_span_where_a_label_is_a_yes():
    told = document(*(row.clip for row in TWO.rows), hard=True)
    found = {tier.name: [(s.start_ms, s.text) for s in tier.spans] for tier in tiers(told)}
    assert found == {
        "model:happy": [(0, "happy")],
        "model:sad": [(1500, "sad")],
        "human:happy": [],  # one of two: tied
        "human:sad": [],
    }


def test_what_overlaps_goes_to_a_tier_of_its_own():
    told = document(clip(0, 1000, clip_id=1), clip(500, 1500, clip_id=2), clip(1000, 2000))
    happy = [tier for tier in tiers(told) if "model:happy" in tier.name]
    assert [(tier.name, [span.start_ms for span in tier.spans]) for tier in happy] == [
        ("model:happy", [0, 1000]),
        ("model:happy (2)", [500]),
    ]


@given(documents())
def test_tiers_never_overlap_and_names_are_unique(told):
    found = tiers(told)
    assert len({tier.name for tier in found}) == len(found)
    for tier in found:
        assert all(a.end_ms <= b.start_ms for a, b in zip(tier.spans, tier.spans[1:], strict=False))
        assert all(clean_text(span.text) == span.text for span in tier.spans)


def as_read(tier: Tier) -> list[tuple[int, int, str]]:
    return [(s.start_ms, s.end_ms, s.text.replace("\ufffe", "\ufffd")) for s in tier.spans]


@given(documents())
def test_pympi_and_our_reader_read_the_eaf(told):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.eaf"
        file.write_text(elan(told), encoding="utf-8")
        theirs, ours = pympi.Elan.Eaf(str(file)), read_tiers(file)
    expected = {
        t.name.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd"): t for t in tiers(told)
    }
    assert set(theirs.get_tier_names()) == set(expected)
    for name, tier in expected.items():
        found = sorted(one[:3] for one in theirs.get_annotation_data_for_tier(name))
        assert [one[:2] for one in found] == [one[:2] for one in as_read(tier)]
        assert [clean_text(one[2]) for one in found] == [
            s.text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd") for s in tier.spans
        ]
    assert {tier.name for tier in ours.tiers} == set(expected)
    assert ours.media == ("file:///c/a.mp4",)


def test_the_eaf_names_its_medium_and_where_the_numbers_come_from():
    root = ElementTree.fromstring(elan(TWO).encode())
    assert root.find("HEADER/MEDIA_DESCRIPTOR").get("MIME_TYPE") == "video/mp4"
    facts = {one.get("NAME"): one.text for one in root.iter("PROPERTY")}
    assert facts["annotate.model"] == "starter"
    assert facts["annotate.weights_sha256"] == "ab" * 32
    order = [child.tag for child in root]
    assert order == ["HEADER", "TIME_ORDER", *["TIER"] * 4, "LINGUISTIC_TYPE"]
    slots = [int(one.get("TIME_VALUE")) for one in root.iter("TIME_SLOT")]
    assert slots == sorted(set(slots))


def test_names_of_media_that_are_not_utf8_or_not_xml_are_spelled_in_the_address():
    told = document(clip(0, 10, media="/c/\udce9<\"&'\n.mp4"))
    root = ET.parse(io.BytesIO(elan(told).encode())).getroot()
    url = root.find("HEADER/MEDIA_DESCRIPTOR").get("MEDIA_URL")
    assert url == "file:///c/%E9%3C%22%26%27%0A.mp4"


@given(documents())
def test_praatio_reads_the_textgrid(told):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.TextGrid"
        file.write_text(textgrid(told), encoding="utf-8", newline="")
        grid = praat.openTextgrid(str(file), includeEmptyIntervals=False)
    assert list(grid.tierNames) == [tier.name for tier in tiers(told)]
    for tier in tiers(told):
        found = [
            (round(e.start * 1000), round(e.end * 1000), e.label)
            for e in grid.getTier(tier.name).entries
        ]
        assert found == [(s.start_ms, s.end_ms, s.text) for s in tier.spans]
    assert round(grid.maxTimestamp * 1000) == told.end_ms


def test_a_textgrid_ends_with_its_medium():
    assert "xmax = 4.000" in textgrid(TWO)


@given(documents())
def test_webvtt_readers_read_the_captions(told):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.vtt"
        file.write_text(webvtt(told), encoding="utf-8", newline="")
        theirs, ours = webvtt_py.read(str(file)), read_subtitles(file)
    assert [cue.identifier for cue in theirs] == [f"clip {row.clip.clip_id}" for row in told.rows]
    assert [round(cue.start_in_seconds) for cue in theirs] == [
        row.clip.start_ms // 1000 for row in told.rows
    ]
    assert len(ours.cues) == len(told.rows)
    assert all(cue.raw_text.startswith("model: ") for cue in theirs)


def test_captions_tell_the_surest_first_and_of_people_whatever_any_saw():
    cues = webvtt(TWO).split("\n\n")[2:]
    assert cues[0].splitlines() == [
        "clip 1", "00:00:00.000 --> 00:00:01.000", "model: happy 0.90", "people (2): happy 0.50",
    ]  # fmt: skip
    assert cues[1].splitlines()[2:] == ["model: sad 0.50"]


def test_a_label_cannot_break_out_of_its_cue():
    asked = ("a\n\n00:00:09.000 --> 00:00:10.000\nb<i>&",)
    (cue,) = webvtt(document(clip(0, 1000, (0.9,), labels=asked), labels=asked)).split("\n\n")[2:]
    assert cue.splitlines()[2:] == [
        "model: a 00:00:09.000 --&gt; 00:00:10.000 b&lt;i&gt;&amp; 0.90"
    ]


@pytest.mark.parametrize(("hard", "words"), [(False, "unusable"), (True, "unusable")])
def test_a_clip_that_people_cannot_judge_is_called_so(hard, words):
    told = document(clip(0, 1000, None, said(7, "ann", unusable=True)), hard=hard)
    assert webvtt(told).rstrip().endswith(f"people (1): {words}")
