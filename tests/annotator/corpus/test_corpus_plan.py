"""The choice of bounds and text: every mode, what wins over what, and what is never called."""

import os
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from pympi.Elan import Eaf

from annotator.corpus.cues import Cue
from annotator.corpus.manifest import ManifestEntry
from annotator.corpus.plan import Evidence, Plan, PlanSettings, plan, plan_key
from annotator.corpus.sidecars import Sidecars
from annotator.corpus.transcripts import from_cues, from_plain
from annotator.errors import StageFailure
from annotator.types import Segment, SegmentMode, Source, TranscriptMode

SRT = "00:00:01,000 --> 00:00:02,000\nfirst\n\n00:00:03,000 --> 00:00:04,000\nsecond\n"
SPEECH = ((1_000, 4_000), (12_000, 14_000))


def never() -> NoReturn:
    raise AssertionError("called although nothing needs it")


@pytest.fixture
def srt(tmp_path: Path) -> Path:
    path = tmp_path / "a.srt"
    path.write_text(SRT)
    return path


@pytest.fixture
def eaf(tmp_path: Path) -> Path:
    document = Eaf()
    document.add_tier("talk", part="Ann")
    document.add_annotation("talk", 500, 5_000, "from elan")
    document.to_file(str(tmp_path / "a.eaf"))
    return tmp_path / "a.eaf"


@pytest.fixture
def txt(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text("one\n\ntwo\n")
    return path


def evidence(**changes) -> Evidence:
    known = Evidence(20_000, has_audio=True, embedded=lambda: None, speech=lambda: SPEECH)
    return replace(known, **changes)


def planned(known: Evidence, segment="auto", transcripts="auto", **more) -> Plan:
    return plan(known, PlanSettings(SegmentMode(segment), TranscriptMode(transcripts), **more))


def clips(result: Plan) -> list[tuple[int, int, str | None]]:
    return [(clip.start_ms, clip.end_ms, clip.text) for clip in result.segments]


def origins(result: Plan) -> set[tuple[str, str | None]]:
    return {(clip.origin, clip.text_origin) for clip in result.segments}


# Bounds


def test_auto_takes_the_manifests_bounds_first(srt):
    entry = ManifestEntry(2_000, 3_000, "said")
    known = evidence(sidecars=Sidecars(srt), entries=(entry,), speech=never, embedded=never)
    result = planned(known)
    assert clips(result) == [(2_000, 3_000, "said")]
    assert origins(result) == {("manifest", "manifest")}
    assert not result.needs_asr


def test_auto_takes_subtitles_before_elan_and_speech(srt, eaf):
    result = planned(evidence(sidecars=Sidecars(srt, eaf), speech=never, embedded=never))
    assert clips(result) == [(1_000, 2_000, "first"), (3_000, 4_000, "second")]
    assert origins(result) == {("sidecar", "sidecar")}


def test_auto_takes_elan_before_speech(eaf):
    result = planned(evidence(sidecars=Sidecars(elan=eaf), speech=never, embedded=never))
    assert clips(result) == [(500, 5_000, "from elan")]
    assert origins(result) == {("eaf", "sidecar")}
    assert result.segments[0].speaker == "Ann"


def test_auto_takes_speech_then_windows():
    assert origins(planned(evidence())) == {("vad", None)}
    assert origins(planned(evidence(speech=list))) == {("windows", None)}
    assert origins(planned(evidence(has_audio=False, speech=never))) == {("windows", None)}


def test_subtitles_without_cues_are_noted_and_passed_over(srt):
    srt.write_text("nothing\n")
    result = planned(evidence(sidecars=Sidecars(srt)))
    assert origins(result) == {("vad", None)}
    assert result.notes == ("'a.srt' has no cues",)


def test_subtitles_all_past_the_end_are_noted_and_passed_over(srt):
    result = planned(evidence(duration_ms=900, sidecars=Sidecars(srt), speech=lambda: [(0, 900)]))
    assert clips(result) == [(0, 900, None)]
    assert result.notes == ("2 subtitle cues past the end of the file or double dropped",)


def test_a_broken_sidecar_that_decides_fails_the_file(srt):
    srt.write_bytes(b"\0\1")
    with pytest.raises(StageFailure, match="not text"):
        planned(evidence(sidecars=Sidecars(srt)))


def test_a_broken_sidecar_that_nobody_asks_is_not_opened(srt):
    srt.write_bytes(b"\0\1")
    result = planned(evidence(sidecars=Sidecars(srt)), "windows", "none")
    assert len(result.segments) == 2


def test_a_manifest_row_with_labels_and_no_bounds_is_the_whole_file():
    entry = ManifestEntry(labels={"happy": 1.0})
    result = planned(evidence(entries=(entry,), speech=never))
    assert clips(result) == [(0, 20_000, None)]
    assert result.segments[0].labels == {"happy": 1.0}
    assert result.needs_asr


def test_a_manifest_row_that_only_lists_the_file_leaves_the_bounds_open():
    entry = ManifestEntry(speaker="Ann", split="test")
    result = planned(evidence(entries=(entry,)))
    assert origins(result) == {("vad", None)}
    assert {(clip.speaker, clip.split) for clip in result.segments} == {("Ann", "test")}


@pytest.mark.parametrize(
    ("mode", "known", "part"),
    [
        ("manifest", evidence(), "no row for this file"),
        ("sidecar", evidence(), "no .srt, .vtt or .eaf"),
        ("vad", evidence(has_audio=False, speech=never), "it has no audio"),
        ("vad", evidence(speech=list), "no speech was found"),
    ],
)
def test_a_mode_with_nothing_to_go_by_fails_with_the_remedy(mode, known, part):
    with pytest.raises(StageFailure) as caught:
        planned(known, mode)
    assert caught.value.stage == "segment"
    assert part in caught.value.reason
    assert "use --segment auto" in caught.value.reason


@pytest.mark.parametrize("mode", ["auto", "manifest"])
def test_a_manifest_whose_rows_all_lie_past_the_end_fails(mode):
    with pytest.raises(StageFailure, match="all 1 manifest rows start past the end"):
        planned(evidence(entries=(ManifestEntry(30_000, 31_000),)), mode)


def test_explicit_windows_and_file():
    assert clips(planned(evidence(speech=never), "windows", window_ms=15_000)) == [
        (0, 15_000, None),
        (15_000, 20_000, None),
    ]
    assert clips(planned(evidence(speech=never), "file")) == [(0, 20_000, None)]


@pytest.mark.parametrize("mode", ["auto", "windows", "file"])
def test_a_file_of_ten_milliseconds_is_one_clip(mode):
    assert clips(planned(evidence(duration_ms=10, speech=list), mode)) == [(0, 10, None)]


def test_a_file_without_duration_fails():
    with pytest.raises(StageFailure, match="no duration"):
        planned(evidence(duration_ms=0))


def test_the_elan_tier_can_be_chosen(eaf):
    with pytest.raises(StageFailure, match="no tier 'x'"):
        planned(evidence(sidecars=Sidecars(elan=eaf)), elan_tier="x")


# Text


def test_cues_go_to_the_clips_of_other_bounds(srt):
    result = planned(evidence(sidecars=Sidecars(srt)), "windows", window_ms=3_000)
    assert clips(result)[:2] == [(0, 3_000, "first"), (3_000, 6_000, "second")]
    assert result.segments[2].text is None
    assert result.needs_asr


def test_the_manifests_text_wins_over_the_sidecars(srt):
    known = evidence(sidecars=Sidecars(srt), entries=(ManifestEntry(1_000, 2_000, "better"),))
    result = planned(known, "windows", window_ms=2_500)
    assert [clip.text for clip in result.segments[:2]] == ["better", "second"]
    assert [clip.text_origin for clip in result.segments[:2]] == ["manifest", "sidecar"]


def test_a_manifest_text_without_bounds_needs_a_single_clip():
    known = evidence(entries=(ManifestEntry(text="all of it"),))
    assert clips(planned(known, "file")) == [(0, 20_000, "all of it")]
    assert {clip.text for clip in planned(known, "windows").segments} == {None}


def test_a_plain_transcript_is_the_text_of_a_single_clip(txt):
    result = planned(evidence(sidecars=Sidecars(text=txt), embedded=never), "file")
    assert clips(result) == [(0, 20_000, "one two")]
    assert origins(result) == {("file", "sidecar")}


def test_a_plain_transcript_with_a_line_a_clip_is_distributed(txt):
    result = planned(evidence(sidecars=Sidecars(text=txt), embedded=never))
    assert [clip.text for clip in result.segments] == ["one", "two"]


def test_a_plain_transcript_that_does_not_match_is_noted_and_left_to_asr(txt):
    result = planned(evidence(sidecars=Sidecars(text=txt)), "windows", window_ms=5_000)
    assert {clip.text for clip in result.segments} == {None}
    assert result.notes == ("'a.txt' not used: it needs one line a clip (4)",)
    assert result.needs_asr


def test_the_embedded_track_is_read_once_and_fills_what_is_left(srt):
    calls = []

    def embedded() -> str:
        calls.append(1)
        return "00:00:01,000 --> 00:00:02,000\nno\n\n00:00:12,000 --> 00:00:13,000\ntrack\n"

    result = planned(evidence(sidecars=Sidecars(srt), embedded=embedded), "windows")
    assert [(clip.text, clip.text_origin) for clip in result.segments] == [
        ("first second", "sidecar"),
        ("track", "embedded"),
    ]
    assert calls == [1]
    assert not result.needs_asr


@pytest.mark.parametrize("mode", ["asr", "none"])
def test_asr_and_none_take_no_given_text_but_keep_the_rest(eaf, mode):
    known = evidence(sidecars=Sidecars(elan=eaf), embedded=never)
    result = planned(known, transcripts=mode)
    assert clips(result) == [(500, 5_000, None)]
    assert result.segments[0].text_origin is None
    assert result.segments[0].speaker == "Ann"
    assert result.needs_asr == (mode == "asr")


def test_sidecar_never_asks_for_asr():
    assert not planned(evidence(), transcripts="sidecar").needs_asr


def test_without_audio_nothing_asks_for_asr():
    assert not planned(evidence(has_audio=False), transcripts="asr").needs_asr


def test_a_cue_is_said_once_and_by_the_closest_clip():
    nested = [Segment(0, 9_000, "manifest"), Segment(2_000, 4_000, "manifest")]
    assert from_cues(nested, [Cue(2_000, 4_000, "x")]) == [None, ("x", None)]
    assert from_cues(nested, [Cue(0, 4_000, "x")]) == [("x", None), None]
    assert from_cues(nested, [Cue(9_000, 9_500, "x")]) == [None, None]


def test_speakers_of_a_clip_must_agree():
    clip = [Segment(0, 9_000, "file")]
    assert from_cues(clip, [Cue(0, 1, "a", "A"), Cue(2, 3, "b", "B")]) == [("a b", None)]


def test_plain_text_without_words_gives_none():
    assert from_plain([Segment(0, 9, "file")], " \n\n") == [None]


# What the manifest says of clips cut by other means


def test_clips_take_labels_and_speaker_of_the_row_covering_half_of_them():
    rows = (
        ManifestEntry(0, 6_000, None, "Ann", "train", {"happy": 1.0}),
        ManifestEntry(6_000, 13_000, None, "Bob", "train", {"sad": 1.0}),
    )
    first, second = planned(evidence(entries=rows), "windows").segments
    assert (first.speaker, first.labels, first.split) == ("Ann", {"happy": 1.0}, "train")
    assert (second.speaker, second.labels, second.split) == (None, {}, "train")


def test_a_manifests_own_clips_keep_to_their_own_row():
    outer = ManifestEntry(0, 9_000, labels={"happy": 1.0})
    inner = ManifestEntry(2_000, 4_000, text="x", speaker="Bob")
    first, second = planned(evidence(entries=(outer, inner))).segments
    assert (first.labels, first.speaker, first.text) == ({"happy": 1.0}, None, None)
    assert (second.labels, second.speaker, second.text) == ({}, "Bob", "x")


def test_the_sidecars_speaker_is_closer_than_the_files(eaf):
    known = evidence(sidecars=Sidecars(elan=eaf), entries=(ManifestEntry(speaker="Zoe"),))
    assert planned(known).segments[0].speaker == "Ann"


def test_a_split_is_not_guessed_where_rows_disagree():
    rows = (ManifestEntry(0, 4_000, split="train"), ManifestEntry(4_000, 5_000, split="test"))
    assert planned(evidence(entries=rows), "file").segments[0].split is None


# The key


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "a.mp4", 5, 7)


def test_the_key_changes_with_all_that_decides(source, srt, txt):
    base = (source, Sidecars(srt), PlanSettings(), ())
    keys = {plan_key(*base)}
    keys.add(plan_key(replace(source, size=6), *base[1:]))
    keys.add(plan_key(replace(source, mtime_ns=8), *base[1:]))
    keys.add(plan_key(source, Sidecars(srt, text=txt), *base[2:]))
    keys.add(plan_key(source, Sidecars(text=srt), *base[2:]))
    for change in (
        {"segment": SegmentMode.FILE},
        {"transcripts": TranscriptMode.ASR},
        {"window_ms": 5_000},
        {"elan_tier": "x"},
    ):
        keys.add(plan_key(*base[:2], replace(PlanSettings(), **change), ()))
    keys.add(plan_key(*base[:3], (ManifestEntry(labels={"happy": 0.5}),)))
    os.utime(srt, ns=(1, 1))
    keys.add(plan_key(*base))
    srt.write_text("x")
    os.utime(srt, ns=(1, 1))
    keys.add(plan_key(*base))
    srt.unlink()
    keys.add(plan_key(*base))
    assert len(keys) == 13


def test_the_key_does_not_depend_on_the_place_or_the_order_of_labels(source, tmp_path):
    (tmp_path / "b").mkdir()
    for folder in (tmp_path, tmp_path / "b"):
        (folder / os.fsdecode(b"\xff.srt")).write_text(SRT)
        os.utime(folder / os.fsdecode(b"\xff.srt"), ns=(1, 1))
    keys = {
        plan_key(
            replace(source, path=folder / "a.mp4"),
            Sidecars(folder / os.fsdecode(b"\xff.srt")),
            PlanSettings(),
            (ManifestEntry(labels=dict(labels)),),
        )
        for folder in (tmp_path, tmp_path / "b")
        for labels in ([("a", 1.0), ("b", 0.0)], [("b", 0.0), ("a", 1.0)])
    }
    assert len(keys) == 1
