"""What is printed: JSON that parses, names as they are, and nothing a terminal would obey."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest

from annotator import console, models_console, run_console
from annotator.recorder import Progress
from annotator.registry import ModelVersion
from annotator.run import RunSummary
from annotator.store.records import (
    ClipDetail,
    ClipScores,
    Failure,
    FailureCount,
    LabelScores,
    ModelRecord,
    RankedClip,
    RunRecord,
    Status,
    StoredPrediction,
)
from annotator.types import Segment, Skipped
from annotator.workspace import Workspace

HOSTILE = os.fsdecode(b"[red]x[/nosuch] :smile: \x1b[31m\x07caf\xe9\r\n.mp4")
SHOWN = r"[red]x[/nosuch] :smile: \x1b[31m\x07caf"
PATH = Path("corpus") / HOSTILE
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LABEL = LabelScores(HOSTILE, 0.75, 0.5, 0.5, 0.5, 1.5, None, 0.5)
SCORES = ClipScores((LABEL,), 1.0, 0.5, 0.25, None)
MODEL = ModelVersion(HOSTILE, "ab" * 32, (HOSTILE,), {"visual": HOSTILE}, False, {}, PATH)
RANKED = RankedClip(7, PATH, "hash", 0, 1_500, HOSTILE, None, None, 1.0, SCORES, "0.1.0")
FAILURES = (Failure(PATH, "probe", HOSTILE, None, None, None), Failure(PATH, "x", "y", 3, 0, 9))
SUMMARY = RunSummary(
    run_id=1,
    state="interrupted",
    found=9,
    files=2,
    clips=3,
    failures=1,
    media_seconds=30.0,
    wall_seconds=10.0,
    stage_seconds={"decode": 6.0, "faces": 2.0},
    skipped=(Skipped(PATH, HOSTILE),),
    other_files=MappingProxyType({HOSTILE: 2, "": 1}),
    left=4,
)
STATUS = Status(
    media=MappingProxyType({"ready": 1}),
    clips=MappingProxyType({"ready": 2}),
    retired_clips=0,
    predictions={HOSTILE: 5},
    media_ms=7_200_000,
    failures=(FailureCount("clip", "features", HOSTILE, 2),),
    models=(ModelRecord(1, HOSTILE, "ab", (HOSTILE,), {}, {}, False, NOW, PATH, None),),
    last_run=RunRecord(1, HOSTILE, "done", NOW, None, {}, "0", {}, {}),
)
DETAIL = ClipDetail(
    clip_id=7,
    path=PATH,
    segment=Segment(0, 1_500, "file", HOSTILE, "asr"),
    active=True,
    state="failed",
    stage="features",
    reason=HOSTILE,
    steps={"visual": 3},
    absent={"audio": HOSTILE},
    predictions=(StoredPrediction(HOSTILE, 1, NOW, SCORES),),
)
WORKSPACE = Workspace(PATH)

PRINTERS = {
    "summary": lambda as_json: run_console.print_summary(SUMMARY, MODEL, as_json=as_json),
    "ranked": lambda as_json: console.print_ranked([RANKED], MODEL, "variance", as_json=as_json),
    "failures": lambda as_json: console.print_failures(FAILURES, as_json=as_json),
    "status": lambda as_json: console.print_status(WORKSPACE, STATUS, as_json=as_json),
    "details": lambda as_json: console.print_details([DETAIL], as_json=as_json),
    "retried": lambda as_json: console.print_retried(3, as_json=as_json),
    "models": lambda as_json: models_console.print_models([MODEL], None, as_json=as_json),
}


def said_by_display() -> None:
    with run_console.run_display() as display:
        display.started(Progress(files=1))
        display.advanced()
        display.noted(PATH, HOSTILE)
        display.failed(PATH, (0, 1_500), "decode", HOSTILE)
        display.interrupted()


PEOPLE = {
    **{name: lambda printer=printer: printer(False) for name, printer in PRINTERS.items()},
    "say": lambda: console.say(HOSTILE),
    "warning": lambda: console.warn_if_untrained(MODEL),
    "display": said_by_display,
}
NAMED = sorted(PEOPLE.keys() - {"retried"})  # those that print a name from outside


def raw(text: str) -> list[str]:
    return re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)


@pytest.fixture(autouse=True)
def wide_page(monkeypatch):
    """Names are looked for whole: no table may fold them."""
    monkeypatch.setattr(console, "PIPE_WIDTH", 2_000)
    monkeypatch.setenv("COLUMNS", "2000")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", PRINTERS)
def test_json_parses_and_is_ascii(name, capsys):
    PRINTERS[name](True)
    out = capsys.readouterr().out
    assert out.isascii()
    assert raw(out) == []
    json.loads(out, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))


def test_json_has_names_exactly(capsys):
    PRINTERS["failures"](True)
    first, second = json.loads(capsys.readouterr().out)
    assert first["path"] == str(PATH)
    assert os.fsencode(first["path"]) == os.fsencode(PATH), "bytes that are not UTF-8 included"
    assert first["reason"] == HOSTILE
    assert (second["clip_id"], second["start_ms"], second["end_ms"]) == (3, 0, 9)


def test_json_says_what_people_are_told(capsys):
    def shown(name):
        PRINTERS[name](True)
        return json.loads(capsys.readouterr().out)

    summary = shown("summary")
    assert (summary["clips"], summary["trained"], summary["left"]) == (3, False, 4)
    assert summary["other_files"] == {HOSTILE: 2, "": 1}
    assert summary["skipped"] == [{"path": str(PATH), "reason": HOSTILE}]
    assert shown("ranked")["clips"][0]["scores"]["labels"][0]["sigma_audio"] is None
    assert shown("status")["last_run"]["started_at"] == "2026-01-02 03:04:05+00:00"
    assert shown("details")[0]["segment"]["text"] == HOSTILE


@pytest.mark.parametrize("name", PEOPLE)
def test_no_control_character_or_broken_byte_is_printed_raw(name, capsys):
    PEOPLE[name]()
    captured = capsys.readouterr()
    assert captured.out + captured.err
    assert raw(captured.out + captured.err) == []


@pytest.mark.parametrize("name", NAMED)
def test_names_that_look_like_markup_are_printed_as_they_are(name, capsys):
    PEOPLE[name]()
    captured = capsys.readouterr()
    assert SHOWN in captured.out + captured.err


@pytest.mark.parametrize("name", PEOPLE)
def test_a_terminal_of_few_characters_is_no_reason_to_fail(name, monkeypatch):
    streams = {}
    for stream in ("stdout", "stderr"):
        streams[stream] = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, stream, streams[stream])
    PEOPLE[name]()
    for stream in streams.values():
        stream.flush()
    assert any(stream.buffer.getvalue() for stream in streams.values())


def test_the_exit_of_a_run_is_told_with_what_to_do_next(capsys):
    PRINTERS["summary"](False)
    out = capsys.readouterr().out
    assert "Interrupted with 4 files left. The same command goes on from here." in out
    assert "`annotate retry`" in out
    assert re.search(r"decode\W+6.00\W+75%", out)


def test_untrained_is_said_loudly_and_only_of_untrained_models(capsys):
    console.warn_if_untrained(MODEL)
    assert "UNTRAINED" in capsys.readouterr().err
    trained = ModelVersion("m", "ab", ("a",), {}, True, {}, Path("m"))
    console.warn_if_untrained(trained)
    models_console.print_models([trained], "m", as_json=False)
    captured = capsys.readouterr()
    assert "UNTRAINED" not in captured.out + captured.err


def test_nothing_is_said_as_such(capsys):
    console.print_failures([], as_json=False)
    assert capsys.readouterr().out == "Nothing failed.\n"


# Colours, on a real terminal.

SCRIPT = """
from types import SimpleNamespace
from pathlib import Path
from annotator import console, models_console, run_console
console.warn_if_untrained(SimpleNamespace(trained=False, name="m"))
console.print_failures([], as_json=False)
with run_console.run_display() as display:
    display.failed(Path("a[b].mp4"), None, "decode", "cut")
"""


def on_terminal(**environ: str) -> str:
    """What the script writes to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "COLORTERM")}
    subprocess.run(
        [sys.executable, "-c", SCRIPT],
        stdout=theirs,
        stderr=theirs,
        env={**plain, "TERM": "xterm-256color", **environ},
        check=True,
    )
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        return terminal.read1(100_000).decode()


def colours(text: str) -> list[str]:
    return re.findall(r"\x1b\[(?:[\d;]*;)?(?:3\d|4\d|9\d)(?:;[\d;]*)?m", text)


def test_colours_are_for_terminals_and_no_color_is_obeyed():
    shown = on_terminal()
    assert colours(shown)
    assert "a[b].mp4" in re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert colours(on_terminal(NO_COLOR="1")) == []


def test_a_pipe_gets_no_escape_codes():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        check=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"a[b].mp4" in done.stderr
