"""Every kind of bad input is a row with stage and reason, or one clear line; never a traceback."""

import contextlib
import http.server
import os
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
import media_samples
from annotator.store.engine import open_store
from annotator.workspace import Workspace
from commands import annotate, rows

NAMES = (b"-leading dash.wav", b"new\nline.wav", b"caf\xe9.wav", "ünï😀.wav".encode(), b"a:b.wav")


def _run(corpus: Path, workspace: Path, *options: object, **environ: str):
    done = annotate("run", corpus, "--workspace", workspace, "--json", *options, **environ)
    assert "Traceback" not in done.err, done.err
    return done


def _failures(workspace: Path) -> dict[str, tuple[str, str]]:
    listed = annotate("list", "--failed", "--workspace", workspace, "--json").json
    return {Path(row["path"]).name: (row["stage"], row["reason"]) for row in listed}


def test_bad_files_cost_their_own_rows_only(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    media_samples.video(corpus / "good.mp4", seconds=1)
    whole = (corpus / "good.mp4").read_bytes()
    (corpus / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (corpus / "empty.mp4").touch()
    (corpus / "text.mp4").write_text("I am not a video.\n" * 100)
    (corpus / "noise.mkv").write_bytes(os.urandom(20_000))
    done = _run(corpus, tmp_path / "w", "--transcripts", "none")
    assert (done.code, done.json["clips"], done.json["failures"]) == (1, 1, 4)
    failures = _failures(tmp_path / "w")
    assert set(failures) == {"cut.mp4", "empty.mp4", "text.mp4", "noise.mkv"}
    assert all(stage and reason and "\n" not in reason for stage, reason in failures.values())
    assert "empty" in failures["empty.mp4"][1]


def test_odd_but_sound_files_are_annotated(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    plain = media_samples.video(corpus / "plain.mp4", seconds=1)
    media_samples.video(corpus / "hevc.mp4", seconds=1, codec=media_samples.HEVC)
    media_samples.variable_rate(corpus / "vfr.mp4")
    media_samples.rotated(corpus / "rotated.mp4", plain, 90)
    media_samples.video(corpus / "one frame.mp4", seconds=0.04)
    media_samples.video(corpus / "no sound.webm", seconds=1, sound=None)
    media_samples.audio(corpus / "10 ms.wav", seconds=0.01)
    for suffix in ("avi", "flv", "mpg", "mkv", "mov"):
        media_samples.video(corpus / f"container.{suffix}", seconds=1)
    done = _run(corpus, tmp_path / "w", "--mc-dropout", "3")
    assert done.json["files"] == 12
    assert done.json["clips"] == done.json["files"] - 1
    # Neither face nor sound nor words: there is nothing a model could go by.
    assert _failures(tmp_path / "w") == {
        "no sound.webm": (
            "features",
            "nothing to go by: no face found, no audio stream, no transcript",
        )
    }
    listed = annotate("list", "--by", "bald", "--workspace", tmp_path / "w", "--json").json
    assert len(listed["clips"]) == done.json["clips"]
    assert all(clip["scores"]["bald"] >= 0 for clip in listed["clips"])
    shown = annotate("show", corpus / "10 ms.wav", "--workspace", tmp_path / "w", "--json").json
    assert shown[0]["absent"]["visual"] == "no video stream"


def test_a_failed_file_is_tried_again_after_retry_or_when_it_changes(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name in ("a.wav", "b.wav"):
        (corpus / name).write_bytes(b"broken")
    assert _run(corpus, tmp_path / "w").json["failures"] == 2
    assert _run(corpus, tmp_path / "w").json["files"] == 0
    assert annotate("retry", "--workspace", tmp_path / "w", "--json").json == {"retried": 2}
    media_samples.audio(corpus / "a.wav", seconds=1)
    done = _run(corpus, tmp_path / "w")
    assert (done.json["clips"], done.json["failures"]) == (1, 1)


def test_strange_names_go_through_and_come_back(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    sound = media_samples.audio(tmp_path / "sound.wav", seconds=1).read_bytes()
    for name in NAMES:
        (corpus / os.fsdecode(name)).write_bytes(sound)
    done = _run(corpus, tmp_path / "w", "--transcripts", "none")
    assert (done.code, done.json["clips"]) == (0, len(NAMES)), done.err
    for listing in (("list",), ("show", "1"), ("status",)):
        shown = annotate(*listing, "--workspace", tmp_path / "w")
        assert shown.code == 0, shown.err
    assert _run(corpus, tmp_path / "w", "--transcripts", "none").json["files"] == 0


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "m4a"])
def test_a_playlist_is_not_followed(tmp_path, suffix):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, target in enumerate(
        (f"http://127.0.0.1:{server.server_port}/x.ts", "/etc/passwd", "file:///etc/passwd")
    ):
        (corpus / f"hls{number}.{suffix}").write_text(f"#EXTM3U\n#EXTINF:1,\n{target}\n")
        (corpus / f"concat{number}.{suffix}").write_text(f"ffconcat version 1.0\nfile {target}\n")
    try:
        done = _run(corpus, tmp_path / "w")
    finally:
        server.shutdown()
        server.server_close()
    assert (done.code, done.json["failures"]) == (1, 6)
    assert asked == []
    assert not any("root:" in reason for _, reason in _failures(tmp_path / "w").values())


def test_broken_links_are_named(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "gone.mp4").symlink_to(corpus / "nowhere.mp4")
    media_samples.audio(corpus / "a.wav", seconds=1)
    done = _run(corpus, tmp_path / "w", "--transcripts", "none")
    assert done.json["clips"] == 1
    assert [Path(skipped["path"]).name for skipped in done.json["skipped"]] == ["gone.mp4"]


def test_a_locked_database_is_one_line(tmp_path, monkeypatch):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    media_samples.audio(corpus / "a.wav", seconds=1)
    monkeypatch.setattr(
        Workspace, "open_store", lambda self: open_store(self.database, timeout_s=0.2)
    )
    invoke = CliRunner().invoke
    assert invoke(cli.main, ["init", "--workspace", "w"]).exit_code == 0
    holder = sqlite3.connect("w/annotate.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        done = invoke(cli.main, ["run", str(corpus), "--workspace", "w"])
    finally:
        holder.close()
    assert done.exit_code == 3, done.output
    assert "locked" in done.output.splitlines()[-1]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB, which takes root to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_one_line_and_costs_no_result(small_disk, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    media_samples.audio(corpus / "a.wav", seconds=1)
    models = tmp_path / "models"  # of 20 MB, elsewhere: the rest of the workspace has to be full
    models.mkdir()
    (small_disk / "w").mkdir()
    (small_disk / "w" / "models").symlink_to(models)
    assert _run(corpus, small_disk / "w", "--transcripts", "none").json["clips"] == 1
    before = rows(small_disk / "w")
    media_samples.audio(corpus / "b.wav", seconds=2)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    full = _run(corpus, small_disk / "w", "--transcripts", "none")
    assert full.code == 3, full.err
    assert "full" in full.err
    filler.unlink()
    assert before.items() <= rows(small_disk / "w").items()
    assert _run(corpus, small_disk / "w", "--transcripts", "none").json["clips"] == 1


def test_wrong_use_is_exit_code_2_with_a_remedy(tmp_path):
    for arguments, words in (
        (("run", "nowhere"), "nowhere"),
        (("run", ".", "--model", "nosuch"), "untrained"),
        (("run", ".", "--device", "toaster"), "cuda:N"),
        (("status",), "annotate run"),
    ):
        done = annotate(*arguments, "--workspace", tmp_path / "none")
        assert done.code == 2, (arguments, done.err)
        assert words in done.err
        assert "Traceback" not in done.err
